"""What the provider of sealed replicas stands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from quire.base.clock import Clock
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.hub import Hub
from quire.channels.port import Income
from quire.net.identity import Identity
from quire.services.pointers import Pointers
from quire.services.providing.replica_blocks import ReplicaStore
from quire.services.providing.room import QuotaPort
from quire.store.journal import Journal


class ProviderStore(ReplicaStore, QuotaPort, Protocol):
    """Blocks, datasets and quota of the node."""

    def withhold_replicas(self, is_on: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class ProviderPorts:
    """`sign`: a digest, 32 bytes, with the key of the account that is paid, 65 bytes."""

    store: ProviderStore
    journal: Journal
    hub: Hub
    income: Income
    identity: Identity
    sign: Callable[[bytes], bytes]
    pointers: Pointers
    clock: Clock
    events: EventBus
    waits: Waits
