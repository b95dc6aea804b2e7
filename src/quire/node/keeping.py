"""The client's side of sealed replicas: choosing providers, keeping files at them, reading them.

choice of providers ─► uploads (links, maps) ─► retrieval by capability
        └──────────── payments of node/retail.py ───────────┘
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from quire.chain.hub import Hub
from quire.kernels.cipher import hkdf_expand, hkdf_extract
from quire.net.discovery import Finder
from quire.net.identity import Identity
from quire.net.known_peer import KnownPeer
from quire.net.requests import Requests
from quire.net.transport import Transport
from quire.node.parts import Ground
from quire.services.paying.payer import Payer
from quire.services.pointers import Pointers
from quire.services.retail.map_search import MapSearch
from quire.services.retail.offer_client import OfferClient
from quire.services.retail.providers import ProviderPorts, Providers
from quire.services.retail.replica_client import ReplicaClient
from quire.services.retail.replica_file import ReadPorts
from quire.services.retail.retrieve import Retrieval
from quire.services.retail.upload_ports import UploadPorts
from quire.services.retail.uploads import Uploads
from quire.store.journal import Journal
from quire.store.store import Store

_SALT, _CHOICE = b"quire-node-v1", b"quire/provider-choice"


@dataclass(frozen=True, slots=True)
class KeepingPorts:
    """What it stands on. `protocol`: of replicas; `listed`: providers that the user named."""

    hub: Hub
    journal: Journal
    store: Store
    transport: Transport
    finder: Finder
    requests: Requests
    payments: Payer
    pointers: Pointers
    identity: Identity
    protocol: str
    listed: Sequence[KnownPeer] = ()
    executor: Executor | None = None


@dataclass(slots=True)
class Keeping:
    """`choice`, `uploads`, `retrieval` of one node."""

    choice: Providers
    uploads: Uploads
    retrieval: Retrieval

    async def start(self) -> None:
        """After payments. Raises StoreCorrupt."""
        await self.choice.start()
        await self.uploads.start()

    async def stop(self) -> None:
        """Before payments. What is under way goes on with the next start."""
        await self.uploads.stop()
        await self.choice.stop()


def join_keeping(ports: KeepingPorts, ground: Ground) -> Keeping:
    """Join the parts; nothing runs yet."""
    clock, events, waits = ground.clock, ground.events, ground.waits
    client = ReplicaClient(ports.requests, ports.protocol, clock)
    choice = Providers(
        ProviderPorts(
            transport=ports.transport,
            finder=ports.finder,
            ask_offer=OfferClient(client, clock).ask,
            domain=ports.hub.domain,
            chain=ports.hub.clock,
            journal=ports.journal,
            clock=clock,
            events=events,
            waits=waits,
        ),
        hkdf_expand(hkdf_extract(_SALT, ports.identity.private_key), _CHOICE),
        listed=ports.listed,
    )
    uploads = Uploads(
        UploadPorts(
            client=client,
            choice=choice,
            payments=ports.payments,
            domain=ports.hub.domain,
            chain=ports.hub.clock,
            store=ports.store,
            pointers=ports.pointers,
            journal=ports.journal,
            clock=clock,
            rng=ground.rng,
            events=events,
            waits=waits,
            private_key=ports.identity.private_key,
            executor=ports.executor,
        )
    )
    search = MapSearch(client, ports.finder, choice, clock, events, waits)
    reading = ReadPorts(client, choice, ports.payments, clock, events, ports.executor)
    return Keeping(choice, uploads, Retrieval(search, reading, ports.store, ground.rng))
