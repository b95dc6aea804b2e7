"""Messages of `/quire/pay/1.0.0`, the call SEND_MICROPAYMENT_FOR_CHUNK: a voucher, and its answer.

    PayReq  {payer=1, payee=2, cumulative=3, sig=4, memo=5}
    PayOk   {accepted=1, code=2, text=3, sig=4, billed=5, is_billed=6}

Amounts are big-endian numbers of at most 128 bits. The answer says what the payee holds; where that
is more than was sent, it shows the voucher's signature, so that nobody has to believe it.

Source   point.md 6.4; ADR 0034
"""

from __future__ import annotations

from dataclasses import dataclass, field

from quire.base.errors import BadEncoding
from quire.formats.amount import decode_amount, encode_amount
from quire.formats.protobuf import Fields, bytes_field, uint_field
from quire.formats.replica_codes import Code
from quire.formats.varint import Buffer

MAX_MESSAGE_BYTES = 4096
ADDRESS_BYTES = 20
MAX_SIGNATURE_BYTES = 1024  # of a contract; an account's is 65
MAX_SUM = (1 << 128) - 1
MAX_MEMO_BYTES = 256
MAX_TEXT_BYTES = 1024

_PAYER, _PAYEE, _CUMULATIVE, _SIGNATURE, _MEMO = range(1, 6)
_ACCEPTED, _CODE, _TEXT, _SHOWN, _BILLED, _IS_BILLED = range(1, 7)


@dataclass(frozen=True, slots=True)
class PayRequest:
    """A voucher, and the bill that it is sent for."""

    payer: bytes
    payee: bytes
    cumulative: int
    signature: bytes = field(repr=False)
    memo: str = ""

    def encode(self) -> bytes:
        return (
            bytes_field(_PAYER, self.payer)
            + bytes_field(_PAYEE, self.payee)
            + bytes_field(_CUMULATIVE, encode_amount(self.cumulative))
            + bytes_field(_SIGNATURE, self.signature)
            + bytes_field(_MEMO, self.memo.encode())
        )


@dataclass(frozen=True, slots=True)
class PayAnswer:
    """`accepted`: the best voucher that the payee holds of this payer, 0 for none.

    code       OK, BAD_VOUCHER, OVERDRAWN, REFUSED, BUSY or INTERNAL; text says it in words
    signature  of that voucher, where it is above the one that was sent
    billed     to this payer since ever
    is_billed  whether the bill of the memo is part of that
    """

    accepted: int
    code: Code = Code.OK
    text: str = ""
    signature: bytes = field(default=b"", repr=False)
    billed: int = 0
    is_billed: bool = False

    def encode(self) -> bytes:
        text = self.text.encode()[:MAX_TEXT_BYTES].decode(errors="ignore")
        return (
            bytes_field(_ACCEPTED, encode_amount(self.accepted))
            + uint_field(_CODE, self.code)
            + bytes_field(_TEXT, text.encode())
            + bytes_field(_SHOWN, self.signature)
            + bytes_field(_BILLED, encode_amount(self.billed))
            + uint_field(_IS_BILLED, self.is_billed)
        )


def decode_pay_request(data: Buffer) -> PayRequest:
    """Raises BadEncoding."""
    fields = Fields(data, max_bytes=MAX_MESSAGE_BYTES)
    return PayRequest(
        _address(fields, _PAYER, "payer"),
        _address(fields, _PAYEE, "payee"),
        _sum(fields, _CUMULATIVE),
        _signature(fields, _SIGNATURE),
        _text(fields, _MEMO, MAX_MEMO_BYTES),
    )


def decode_pay_answer(data: Buffer) -> PayAnswer:
    """Raises BadEncoding."""
    fields = Fields(data, max_bytes=MAX_MESSAGE_BYTES)
    number = fields.uint(_CODE, bits=32)
    try:
        code = Code(number)
    except ValueError:
        raise BadEncoding(f"an answer with code {number} is not known") from None
    return PayAnswer(
        _sum(fields, _ACCEPTED),
        code,
        _text(fields, _TEXT, MAX_TEXT_BYTES),
        _signature(fields, _SHOWN),
        _sum(fields, _BILLED),
        fields.flag(_IS_BILLED),
    )


def _sum(fields: Fields, number: int) -> int:
    amount = decode_amount(fields.blob(number))
    if amount > MAX_SUM:
        raise BadEncoding(f"an amount of {amount} tokens is above 128 bits")
    return amount


def _address(fields: Fields, number: int, what: str) -> bytes:
    found = bytes(fields.blob(number))
    if len(found) != ADDRESS_BYTES:
        raise BadEncoding(f"the {what} is {len(found)} bytes, not {ADDRESS_BYTES}")
    return found


def _signature(fields: Fields, number: int) -> bytes:
    found = bytes(fields.blob(number))
    if len(found) > MAX_SIGNATURE_BYTES:
        raise BadEncoding(f"a signature of {len(found)} bytes is above {MAX_SIGNATURE_BYTES}")
    return found


def _text(fields: Fields, number: int, limit: int) -> str:
    if len(fields.blob(number)) > limit:
        raise BadEncoding(f"a text of {len(fields.blob(number))} bytes is above {limit}")
    return fields.text(number) or ""
