"""Signed values on a node: kept for others and for its own users, offered and found.

Every node has this part, with a chain or without. Where the node keeps replicas for pay, that
service answers the replica protocol and calls `pointers`; elsewhere `serve` answers what is about
signed values alone.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from quire.formats.replica import MAX_MESSAGE_BYTES
from quire.net.answering import Answering, serve_requests
from quire.net.requests import Requests
from quire.node.config import NodeConfig
from quire.node.parts import Ground, Parts
from quire.node.profile import Protocols
from quire.services.pointer_exchange import PointerExchange
from quire.services.pointers import Pointers
from quire.services.retail.replica_client import ReplicaClient
from quire.store.journal import Journal
from quire.store.journal_file import JournalWords, open_journal

POINTERS_FILE = "pointers.db"
_WORDS = JournalWords(
    "the database of signed values",
    "the database of signed values is damaged ({reason}). Stop the node and move pointers.db away: "
    "their owners put their values again",
)


@dataclass(slots=True)
class Pointing:
    """`pointers` keeps, `exchange` asks and tells others."""

    pointers: Pointers
    exchange: PointerExchange
    requests: Requests
    answering: Answering | None = None

    async def start(self) -> None:
        """Raises StoreCorrupt."""
        await self.pointers.start()

    async def stop(self) -> None:
        if self.answering is not None:
            await self.answering.stop()
        self.requests.stop()
        await self.pointers.stop()


async def open_pointing(
    config: NodeConfig, protocols: Protocols, ground: Ground, parts: Parts
) -> Pointing:
    """Raises StoreCorrupt, EnvironmentProblem."""
    path = config.data_dir / POINTERS_FILE
    loop = asyncio.get_running_loop()
    journal = await loop.run_in_executor(None, open_journal, path, ground.clock, _WORDS)
    return join_pointing(journal, protocols, ground, parts)


def join_pointing(journal: Journal, protocols: Protocols, ground: Ground, parts: Parts) -> Pointing:
    """Join the parts; nothing runs yet."""
    announcer = parts.announcer
    pointers = Pointers(journal, ground.clock, announcer.announce, announcer.withdraw)
    requests = Requests(parts.transport)
    exchange = PointerExchange(
        pointers,
        ReplicaClient(requests, protocols.replica, ground.clock),
        parts.transport,
        parts.finder,
        ground.clock,
        ground.waits,
    )
    return Pointing(pointers, exchange, requests)


def serve_pointing(pointing: Pointing, protocols: Protocols, ground: Ground, parts: Parts) -> None:
    """Answer for signed values where nobody else serves the replica protocol. Before the transport
    starts."""
    pointing.answering = serve_requests(
        parts.transport,
        protocols.replica,
        pointing.exchange.answer,
        ground.events,
        max_message_bytes=MAX_MESSAGE_BYTES,
    )
