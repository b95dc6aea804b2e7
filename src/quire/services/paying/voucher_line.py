"""Hands vouchers to payees over `/quire/pay/1.0.0` and reads what they answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from quire.base.errors import BadEncoding, PeerLied
from quire.base.waits import Waits
from quire.chain.abi import id_text
from quire.channels.voucher import Voucher
from quire.formats.pay import MAX_MESSAGE_BYTES, PayAnswer, PayRequest, decode_pay_answer
from quire.formats.varint import Buffer

PAY_SECONDS = 10.0  # for one voucher to be answered; point.md 6.5


class Asking(Protocol):
    """What is used of `net.requests.Requests`."""

    async def ask(
        self,
        peer: str,
        protocol: str,
        segments: Sequence[Buffer],
        *,
        deadline: float,
        max_message_bytes: int,
    ) -> memoryview: ...


class VoucherLine:
    """To all payees of one node."""

    def __init__(self, requests: Asking, protocol: str, waits: Waits) -> None:
        self._requests = requests
        self._protocol = protocol
        self._waits = waits

    async def send(self, peer: str, voucher: Voucher, memo: str) -> PayAnswer:
        """Raises PeerSilent, PeerGone (it may have got there), PeerRefused, PeerLied."""
        request = PayRequest(
            voucher.payer, voucher.payee, voucher.cumulative, voucher.signature, memo
        )
        deadline = asyncio.get_running_loop().time() + PAY_SECONDS
        reason = f"SEND_MICROPAYMENT_FOR_CHUNK: {peer} is to take a voucher for {memo}"
        with self._waits.waiting(id_text(voucher.payee), reason, deadline):
            answer = await self._requests.ask(
                peer,
                self._protocol,
                (request.encode(),),
                deadline=deadline,
                max_message_bytes=MAX_MESSAGE_BYTES,
            )
        try:
            return decode_pay_answer(answer)
        except BadEncoding as error:
            raise PeerLied(
                f"{peer} answered a voucher with what is no answer: {error.message}", peer=peer
            ) from None
