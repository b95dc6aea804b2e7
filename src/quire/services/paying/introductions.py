"""Whether who asks to be billed speaks for the account that he names; asked of the chain rarely."""

from __future__ import annotations

from quire.base.clock import Clock
from quire.chain.values import Address
from quire.channels.port import Income
from quire.net.transport import PeerId

GOOD_SECONDS = 600.0  # a delegate may be dismissed meanwhile
KEPT = 4096


class Introductions:
    """Remembers what was good."""

    def __init__(self, income: Income, clock: Clock) -> None:
        self._income = income
        self._clock = clock
        self._good: dict[tuple[Address, PeerId, bytes], float] = {}

    async def holds(self, client: Address, peer: PeerId, introduction: bytes) -> bool:
        """Raises ChainUnreachable."""
        key, now = (client, peer, introduction), self._clock.monotonic()
        if now < self._good.get(key, 0.0):
            return True
        if not await self._income.is_introduced(client, peer, introduction):
            return False
        self._good.pop(key, None)
        self._good[key] = now + GOOD_SECONDS
        if len(self._good) > KEPT:
            del self._good[next(iter(self._good))]
        return True
