"""Looks at channels of the hub; those that are asked for at a time are one question."""

from __future__ import annotations

from collections.abc import Sequence

from quire.base.errors import QuireError
from quire.chain.hub import Hub, HubChannel
from quire.chain.values import Address
from quire.services.paying.together import Together

Pair = tuple[Address, Address]  # payer, payee


class HubLook:
    """One hub, as one account sees it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._looks: Together[Pair, HubChannel] = Together(self._read)

    async def channel(self, payer: Address, payee: Address) -> HubChannel:
        """As of now or later. Raises ChainUnreachable."""
        return await self._looks.do((payer, payee))

    async def stop(self) -> None:
        await self._looks.stop()

    async def _read(self, pairs: Sequence[Pair]) -> Sequence[HubChannel | QuireError]:
        return await self._hub.channels(pairs)
