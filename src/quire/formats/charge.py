"""What a peer asks for the blocks that it serves, and what is offered for them, in the exchange.

    Charge { 1 price, 2 charged, 3 due, 4 payee, 5 chain, 6 hub, 7 known }   beside an answer
    Purse  { 1 price, 2 payer, 3 introduction }                     beside a request

Amounts in the smallest unit of the hub's token, big-endian without leading zeros, absent for 0;
prices for a MiB.
Source   docs/reference/exchange.md
"""

from __future__ import annotations

from dataclasses import dataclass, field

from quire.base.errors import BadEncoding
from quire.formats.protobuf import Fields, bytes_field, uint_field
from quire.formats.varint import Buffer

MAX_CHARGE_BYTES = 256

_AMOUNT_BYTES = 16
_ADDRESS_BYTES = 20
_SIGNATURE_BYTES = 65
_PRICE, _CHARGED, _DUE, _PAYEE, _CHAIN, _HUB, _KNOWN = range(1, 8)
_PAYER, _INTRODUCTION = 2, 3


@dataclass(frozen=True, slots=True)
class Charge:
    """Where an amount is to be promised: `payee` at the contract `hub` of a chain; both 20 bytes,
    or empty where nothing is due.

    price    of a MiB
    charged  bytes of the answer that are to be paid; the others were free
    due      tokens to be promised before the request is served; of a payer who is not known yet,
             what his channel must have room for
    is_known whether it is known who pays for the peer
    """

    price: int
    charged: int = 0
    due: int = 0
    payee: bytes = b""
    chain_id: int = 0
    hub: bytes = b""
    is_known: bool = False

    def encode(self) -> bytes:
        parts = [_amount_field(_PRICE, self.price)] if self.price else []
        parts += [uint_field(_CHARGED, self.charged)] if self.charged else []
        parts += [_amount_field(_DUE, self.due)] if self.due else []
        parts += [bytes_field(_PAYEE, self.payee)] if self.payee else []
        parts += [uint_field(_CHAIN, self.chain_id)] if self.chain_id else []
        parts += [bytes_field(_HUB, self.hub)] if self.hub else []
        parts += [uint_field(_KNOWN, 1)] if self.is_known else []
        return b"".join(parts)


def decode_charge(data: Buffer) -> Charge:
    """Raises BadEncoding: malformed, an amount of more than 128 bits, an address of another length
    than 20 bytes, something due to nobody."""
    fields = Fields(data, max_bytes=MAX_CHARGE_BYTES)
    charge = Charge(
        price=_amount(fields, _PRICE),
        charged=fields.uint(_CHARGED, bits=32),
        due=_amount(fields, _DUE),
        payee=_address(fields, _PAYEE),
        chain_id=fields.uint(_CHAIN, bits=63),
        hub=_address(fields, _HUB),
        is_known=fields.flag(_KNOWN),
    )
    if charge.due and not (charge.payee and charge.hub):
        raise BadEncoding("an amount is due to nobody, or at no hub")
    return charge


@dataclass(frozen=True, slots=True)
class Purse:
    """What whoever asks pays for a MiB at most. `payer`: the account that is billed, 20 bytes, with
    its signature that this peer speaks for it at the payee, 65 bytes; both empty where nothing was
    asked for yet."""

    price: int = 0
    payer: bytes = b""
    introduction: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        body = _amount_field(_PRICE, self.price)
        if self.payer:
            body += bytes_field(_PAYER, self.payer) + bytes_field(_INTRODUCTION, self.introduction)
        return body


def decode_purse(data: Buffer) -> Purse:
    """Raises BadEncoding: malformed, an amount of more than 128 bits, a payer who is not
    introduced."""
    fields = Fields(data, max_bytes=MAX_CHARGE_BYTES)
    payer, introduction = _address(fields, _PAYER), bytes(fields.blob(_INTRODUCTION))
    if len(introduction) != (_SIGNATURE_BYTES if payer else 0):
        raise BadEncoding(f"a payer is introduced by {len(introduction)} bytes")
    return Purse(_amount(fields, _PRICE), payer, introduction)


def charge_field(number: int, charge: Charge | None) -> bytes:
    """A field of a message; nothing when nothing is charged."""
    return b"" if charge is None else bytes_field(number, charge.encode())


def charge_in(fields: Fields, number: int) -> Charge | None:
    """What `charge_field` wrote. Raises as `decode_charge`."""
    charge = decode_charge(fields.blob(number))
    return None if charge == Charge(0) else charge


def purse_field(number: int, purse: Purse | None) -> bytes:
    """A field of a message; nothing from whoever knows of no prices."""
    return b"" if purse is None else bytes_field(number, purse.encode())


def purse_in(fields: Fields, number: int) -> Purse | None:
    """What `purse_field` wrote. Raises as `decode_purse`."""
    return decode_purse(fields.blob(number)) if fields.has(number) else None


def _amount_field(number: int, value: int) -> bytes:
    """One byte also when it is 0."""
    return bytes_field(number, value.to_bytes(max(1, -(-value.bit_length() // 8))))


def _amount(fields: Fields, number: int) -> int:
    data = fields.blob(number)
    if len(data) > _AMOUNT_BYTES:
        raise BadEncoding(f"an amount of {len(data)} bytes is above {_AMOUNT_BYTES}")
    return int.from_bytes(data)


def _address(fields: Fields, number: int) -> bytes:
    address = bytes(fields.blob(number))
    if len(address) not in (0, _ADDRESS_BYTES):
        raise BadEncoding(f"an address has {_ADDRESS_BYTES} bytes, not {len(address)}")
    return address
