"""What channels do at the hub. Each effect reads the hub first and does what is not done yet."""

from __future__ import annotations

from collections.abc import Callable

from quire.base.errors import Busy, Reverted
from quire.chain.hub import Hub, HubChannel
from quire.chain.values import Address
from quire.channels.channel import Channel, ChannelEffect, Look, Release, RequestClose, TopUp
from quire.services.paying.hub_look import HubLook
from quire.services.paying.top_ups import TopUps

TOO_EARLY = "Hub_TooEarly"  # the contract's error


class ChannelEffects:
    """Of one payer; every effect leads to the channel as the hub has it afterwards."""

    def __init__(self, hub: Hub, look: HubLook, wanted: Callable[[Address], Channel]) -> None:
        self._hub = hub
        self._look = look
        self._top_ups = TopUps(hub, wanted)

    async def stop(self) -> None:
        await self._top_ups.stop()

    async def perform(self, channel: Channel, effect: ChannelEffect) -> HubChannel:
        """Raises InsufficientFunds, Reverted, NotMined, ChainUnreachable."""
        payee = channel.payee
        match effect:
            case TopUp():
                return await self._top_ups.top_up(payee)
            case RequestClose():
                seen = await self._see(payee)
                if not seen.close_at:
                    await self._hub.request_close(payee)
            case Release():
                seen = await self._see(payee)
                if seen.close_at and seen.close_at == channel.seen.close_at:
                    await self._release(payee)
            case Look():
                pass
        return await self._see(payee)

    async def _release(self, payee: Address) -> None:
        try:
            await self._hub.release(payee)
        except Reverted as error:
            if error.facts.get("name") != TOO_EARLY:
                raise
            raise Busy("the chain's time has not come to the end of the challenge") from None

    async def _see(self, payee: Address) -> HubChannel:
        return await self._look.channel(self._hub.account, payee)
