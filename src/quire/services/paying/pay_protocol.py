"""The served end of `/quire/pay/1.0.0`: a voucher comes, what is held is told."""

from __future__ import annotations

from collections.abc import Sequence

from quire.base.errors import BadEncoding
from quire.base.events import EventBus
from quire.formats.pay import MAX_MESSAGE_BYTES, PayAnswer, decode_pay_request
from quire.formats.replica_codes import Code
from quire.formats.varint import Buffer
from quire.net.answering import Answering, serve_requests
from quire.net.transport import Transport
from quire.services.paying.payee import Payee


def serve_payments(
    transport: Transport, protocol: str, payee: Payee, events: EventBus
) -> Answering:
    """To be called before the transport starts."""

    async def answer(_peer: str, payload: memoryview) -> Sequence[Buffer]:
        try:
            request = decode_pay_request(payload)
        except BadEncoding as error:
            return (PayAnswer(0, Code.REFUSED, error.message).encode(),)
        return ((await payee.answer(request)).encode(),)

    return serve_requests(transport, protocol, answer, events, max_message_bytes=MAX_MESSAGE_BYTES)
