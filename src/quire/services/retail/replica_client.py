"""Asks providers of sealed replicas, one method for each message of the protocol.

An answer with another code than OK is an answer; what is no answer is raised.
"""

from __future__ import annotations

from collections.abc import Sequence

from quire.base.clock import Clock
from quire.base.errors import BadEncoding, PeerLied
from quire.formats.replica import (
    MAX_MESSAGE_BYTES,
    ReplicaAnswer,
    ReplicaRequest,
    decode_answer,
)
from quire.formats.replica_asking import Asking
from quire.net.requests import Requests

ANSWER_SECONDS = 10.0
NOBODY = bytes(16)  # the link id of who has no link


class ReplicaClient:
    """As client of other nodes."""

    def __init__(self, requests: Requests, protocol: str, clock: Clock) -> None:
        self._requests = requests
        self._protocol = protocol
        self._clock = clock

    async def ask(
        self,
        peer: str,
        addresses: Sequence[str],
        link_id: bytes,
        body: Asking,
        seconds: float = ANSWER_SECONDS,
    ) -> ReplicaAnswer:
        """Raises PeerSilent, PeerGone, PeerBusy, PeerRefused, ProtocolMismatch, PeerLied."""
        answer = await self._requests.ask(
            peer,
            self._protocol,
            ReplicaRequest(link_id, body).segments(),
            deadline=self._clock.monotonic() + seconds,
            max_message_bytes=MAX_MESSAGE_BYTES,
            addresses=addresses,
        )
        try:
            return decode_answer(answer)
        except BadEncoding as error:
            raise PeerLied(f"{peer} sent no answer: {error.message}", peer=peer) from None
