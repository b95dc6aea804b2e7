"""The client's side of sealed replicas: keeping files at providers, and reading them.

choice of providers ─► uploads (links, maps) ─► retrieval by capability
        └──────────── payments of node/retail.py ───────────┘
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

from quire.chain.hub import Hub
from quire.net.discovery import Finder
from quire.net.identity import Identity
from quire.net.requests import Requests
from quire.node.parts import Ground
from quire.point.choice_port import Choice
from quire.services.paying.payer import Payer
from quire.services.pointers import Pointers
from quire.services.retail.funds_watch import FundsWatch
from quire.services.retail.map_search import MapSearch
from quire.services.retail.replica_client import ReplicaClient
from quire.services.retail.replica_file import ReadPorts
from quire.services.retail.retrieve import Retrieval
from quire.services.retail.upload_ports import UploadPorts
from quire.services.retail.uploads import Uploads
from quire.store.journal import Journal
from quire.store.store import Store


@dataclass(frozen=True, slots=True)
class KeepingPorts:
    """What it stands on. `protocol`: of replicas."""

    hub: Hub
    journal: Journal
    store: Store
    finder: Finder
    requests: Requests
    choice: Choice
    payments: Payer
    pointers: Pointers
    identity: Identity
    protocol: str
    executor: Executor | None = None


@dataclass(slots=True)
class Keeping:
    """`uploads` and `retrieval` of one node."""

    uploads: Uploads
    retrieval: Retrieval
    funds: FundsWatch

    async def start(self) -> None:
        """After payments and choice. Raises StoreCorrupt."""
        await self.uploads.start()
        self.funds.start()

    async def stop(self) -> None:
        """Before choice and payments. What is under way goes on with the next start."""
        await self.funds.stop()
        await self.uploads.stop()


def join_keeping(ports: KeepingPorts, ground: Ground) -> Keeping:
    """Join the parts; nothing runs yet."""
    clock, events, waits = ground.clock, ground.events, ground.waits
    client = ReplicaClient(ports.requests, ports.protocol, clock)
    choice = ports.choice
    search = MapSearch(client, ports.finder, choice, clock, events, waits)
    reading = ReadPorts(client, choice, ports.payments, clock, events, ports.executor)
    retrieval = Retrieval(search, reading, ports.store, ground.rng)
    uploads = Uploads(
        UploadPorts(
            client=client,
            choice=choice,
            payments=ports.payments,
            domain=ports.hub.domain,
            chain=ports.hub.clock,
            store=ports.store,
            pointers=ports.pointers,
            retrieval=retrieval,
            journal=ports.journal,
            clock=clock,
            rng=ground.rng,
            events=events,
            waits=waits,
            private_key=ports.identity.private_key,
            executor=ports.executor,
        )
    )
    return Keeping(uploads, retrieval, FundsWatch(ports.hub, uploads, events))
