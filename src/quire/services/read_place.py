"""How far a reader of the chain's events has come, kept through restarts.

A start reads on from there; the first one goes back as far as a request can last.
"""

from __future__ import annotations

from quire.chain.events import MarketEvent
from quire.chain.port import Head, Market
from quire.market.block_pace import BlockPace
from quire.store.journal import Journal, Record

BLOCK = "block"
WHOLE_CHAIN_BLOCKS = 100_000  # one that is shorter is read from its first block
REREAD_BLOCKS = 256  # before the noted one: it may have been of another branch


class ReadPlace:
    """Of one reader. `kind`: of its record in the journal."""

    def __init__(self, journal: Journal, kind: str) -> None:
        self._journal = journal
        self._kind = kind
        self._read_to: int | None = None

    async def load(self) -> None:
        """Raises StoreCorrupt."""
        place = (await self._journal.read(self._kind)).get(BLOCK)
        if place is not None:
            self._read_to = int.from_bytes(place, "big")

    async def missed(self, market: Market, head: Head, pace: BlockPace) -> list[MarketEvent] | None:
        """Events since then, and some before; None when that cannot be told yet: on a long chain
        its pace has to be known, to tell how far back a request may have begun. Raises
        ChainUnreachable."""
        if self._read_to is not None:
            first = self._read_to - REREAD_BLOCKS
        elif head.number <= WHOLE_CHAIN_BLOCKS:
            first = 0
        elif pace.is_measured:
            first = head.number - int(pace.blocks_back(market.terms.duration_limit))
        else:
            return None
        return await market.past_events(max(0, first))

    async def set(self, head: Head) -> None:
        """Every event up to this block was dealt with."""
        self._read_to = head.number
        await self._journal.write([Record(self._kind, BLOCK, head.number.to_bytes(8, "big"))])
