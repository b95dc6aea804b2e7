"""Asks aggregators. Another code than OK is an answer; what is no answer is raised."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from quire.aggregation.offer import open_offer
from quire.aggregation.values import SignedOffer
from quire.base.clock import Clock
from quire.base.errors import BadEncoding, BadOffer, PeerLied, PeerRefused
from quire.formats.aggregator import (
    JOB_ID_BYTES,
    MAX_MESSAGE_BYTES,
    AggregatorAnswer,
    AggregatorRequest,
    decode_answer,
)
from quire.formats.aggregator_asking import QuoteRequest
from quire.formats.aggregator_codes import Code
from quire.formats.signed_offer import OfferAnswer
from quire.net.requests import Requests
from quire.net.transport import Address, PeerId

NO_JOB = bytes(JOB_ID_BYTES)


class AggregatorClient:
    """As customer of other nodes. Deadlines in monotonic seconds."""

    def __init__(self, requests: Requests, protocol: str, clock: Clock) -> None:
        self._requests = requests
        self._protocol = protocol
        self._clock = clock

    async def ask(
        self,
        peer: PeerId,
        request: AggregatorRequest,
        deadline: float,
        addresses: Sequence[Address] = (),
    ) -> AggregatorAnswer:
        """Raises PeerSilent, PeerGone, PeerBusy, PeerRefused, ProtocolMismatch, PeerLied."""
        answer = await self._requests.ask(
            peer,
            self._protocol,
            request.segments(),
            deadline=deadline,
            max_message_bytes=MAX_MESSAGE_BYTES,
            addresses=addresses,
        )
        try:
            return decode_answer(answer)
        except BadEncoding as error:
            raise PeerLied(f"{peer} sent no answer: {error.message}", peer=peer) from None

    async def quote(
        self, peer: PeerId, quote: QuoteRequest, deadline: float, addresses: Sequence[Address] = ()
    ) -> SignedOffer:
        """Its offer for a quote, both signatures checked, off the loop; not yet compared with what
        was asked.

        Raises   as `ask`; PeerRefused  it makes none, and says why
        """
        answer = await self.ask(peer, AggregatorRequest(NO_JOB, quote), deadline, addresses)
        if answer.code is not Code.OK:
            words = answer.text or f"code {answer.code.name}"
            raise PeerRefused(f"{peer} makes no offer: {words}", peer=peer)
        body = answer.body
        if not isinstance(body, OfferAnswer):
            raise PeerLied(f"{peer} answered without an offer", peer=peer)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                None, open_offer, body.offer, body.sig_payee, body.sig_peer
            )
        except (BadEncoding, BadOffer) as error:
            raise PeerLied(f"{peer} sent a bad offer: {error.message}", peer=peer) from None
