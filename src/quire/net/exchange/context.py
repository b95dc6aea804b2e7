"""What all parts of the exchange share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Protocol

from quire.base.clock import Clock
from quire.base.errors import PeerLied
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.formats.cid import Cid
from quire.net.exchange.budget import Budget
from quire.net.exchange.ledger import Ledger
from quire.net.exchange.limits import ExchangeLimits
from quire.net.exchange.sessions import Sessions
from quire.net.exchange.toll import Toll
from quire.net.transport import PeerId, ProviderRecord, Transport
from quire.store.dataset import TreeState
from quire.store.disk import Buffer
from quire.store.port import BlockStore

if TYPE_CHECKING:
    from concurrent.futures import Executor


class ProviderSource(Protocol):
    """Where providers of a key come from; see net/discovery."""

    def find(self, cid: Cid, deadline: float) -> AsyncIterator[ProviderRecord]:
        """Providers as they are found, until the search ends or `deadline`."""


class BlockSink(Protocol):
    """Where a fetch puts what it gets: the store, or memory on the way to somebody else. See
    `store.port.BlockStore`."""

    def tree(self, root: bytes) -> TreeState | None: ...

    async def put_range(
        self, root: bytes, start: int, data: Buffer, digests: Buffer, proof: Buffer
    ) -> None: ...

    async def flush(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ExchangeContext:
    """Ports, registers and limits of one node's exchange."""

    transport: Transport
    store: BlockStore
    finder: ProviderSource
    clock: Clock
    rng: Random
    events: EventBus
    waits: Waits
    limits: ExchangeLimits
    ledger: Ledger
    budget: Budget
    sessions: Sessions
    blame: Callable[[PeerId, PeerLied, str], None]  # ban a liar; the text is the CID it is about
    is_banned: Callable[[PeerId], bool]
    executor: Executor | None  # where blocks are verified; None is the loop's own
    toll: Toll
