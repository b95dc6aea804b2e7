"""Asks a provider for its signed offer, and checks both signatures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from quire.base.clock import Clock
from quire.base.errors import BadEncoding, BadOffer, PeerLied, PeerRefused, PeerSilent
from quire.formats.replica_asking import OfferRequest
from quire.formats.replica_codes import Code
from quire.formats.signed_offer import OfferAnswer
from quire.net.transport import Address, PeerId
from quire.point.offer import open_offer
from quire.point.values import SignedOffer
from quire.services.retail.replica_client import NOBODY, ReplicaClient


class OfferClient:
    """`ask` is an `AskOffer`. Signatures are checked off the loop: they take 0.3 ms together."""

    def __init__(self, client: ReplicaClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def ask(self, peer: PeerId, addresses: Sequence[Address], deadline: float) -> SignedOffer:
        """The offer of a peer, whatever it is for. `deadline` in monotonic seconds.

        Raises   PeerSilent, PeerGone, PeerRefused, ProtocolMismatch
                 PeerLied   what it sent is no offer, or is signed by others
        """
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise PeerSilent(f"{peer} could not be asked for its offer in time", peer=peer)
        request = OfferRequest(size_bytes=0, seconds=0)
        answer = await self._client.ask(peer, addresses, NOBODY, request, left)
        if answer.code is not Code.OK:
            words = answer.text or f"code {answer.code.name}"
            raise PeerRefused(f"{peer} makes no offer: {words}", peer=peer)
        if not isinstance(answer.body, OfferAnswer):
            raise PeerLied(f"{peer} answered without an offer", peer=peer)
        body, loop = answer.body, asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                None, open_offer, body.offer, body.sig_payee, body.sig_peer
            )
        except (BadEncoding, BadOffer) as error:
            raise PeerLied(f"{peer} sent a bad offer: {error.message}", peer=peer) from None
