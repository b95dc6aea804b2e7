"""What keeping files as replicas stands on."""

from __future__ import annotations

import random
from concurrent.futures import Executor
from dataclasses import dataclass, field

from quire.base.clock import Clock
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.hub import HubDomain
from quire.chain.port import ChainClock
from quire.channels.port import Payments
from quire.point.choice_port import Choice
from quire.services.pointers import Pointers
from quire.services.retail.replica_client import ReplicaClient
from quire.services.retail.retrieve import Retrieval
from quire.store.journal import Journal
from quire.store.store import Store


@dataclass(frozen=True, slots=True)
class UploadPorts:
    """`private_key`: of the node's identity, under which capabilities are kept. `executor`: for
    sealing; None: the loop's own."""

    client: ReplicaClient
    choice: Choice
    payments: Payments
    domain: HubDomain
    chain: ChainClock
    store: Store
    pointers: Pointers
    retrieval: Retrieval
    journal: Journal
    clock: Clock
    rng: random.Random
    events: EventBus
    waits: Waits
    private_key: bytes = field(repr=False)
    executor: Executor | None = None
