"""What a peer asks for the blocks that it serves, beside an answer of the exchange.

    Charge { 1 price, 2 charged, 3 due, 4 payee, 5 chain, 6 hub }

Amounts in the smallest unit of the hub's token, big-endian without leading zeros, absent for 0;
prices for a MiB.
Source   docs/reference/exchange.md
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.errors import BadEncoding
from quire.formats.protobuf import Fields, bytes_field, uint_field
from quire.formats.varint import Buffer

MAX_AMOUNT = (1 << 128) - 1  # as a voucher's
MAX_CHARGE_BYTES = 256

_AMOUNT_BYTES = 16
_ADDRESS_BYTES = 20
_PRICE, _CHARGED, _DUE, _PAYEE, _CHAIN, _HUB = range(1, 7)


@dataclass(frozen=True, slots=True)
class Charge:
    """Where an amount is to be promised: `payee` at the contract `hub` of a chain; both 20 bytes,
    or empty where nothing is due.

    price    of a MiB
    charged  bytes of the answer that are to be paid; the others were free
    due      tokens to be promised before the request is served
    """

    price: int
    charged: int = 0
    due: int = 0
    payee: bytes = b""
    chain_id: int = 0
    hub: bytes = b""

    def encode(self) -> bytes:
        parts = [amount_field(_PRICE, self.price)] if self.price else []
        parts += [uint_field(_CHARGED, self.charged)] if self.charged else []
        parts += [amount_field(_DUE, self.due)] if self.due else []
        parts += [bytes_field(_PAYEE, self.payee)] if self.payee else []
        parts += [uint_field(_CHAIN, self.chain_id)] if self.chain_id else []
        parts += [bytes_field(_HUB, self.hub)] if self.hub else []
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
    )
    if charge.due and not (charge.payee and charge.hub):
        raise BadEncoding("an amount is due to nobody, or at no hub")
    return charge


def charge_field(number: int, charge: Charge | None) -> bytes:
    """A field of a message; nothing when nothing is charged."""
    return b"" if charge is None else bytes_field(number, charge.encode())


def charge_in(fields: Fields, number: int) -> Charge | None:
    """What `charge_field` wrote. Raises as `decode_charge`."""
    charge = decode_charge(fields.blob(number))
    return None if charge == Charge(0) else charge


def amount_field(number: int, value: int | None) -> bytes:
    """A field of a message; one byte also when it is 0, nothing for None."""
    if value is None:
        return b""
    return bytes_field(number, value.to_bytes(max(1, -(-value.bit_length() // 8))))


def amount_in(fields: Fields, number: int) -> int | None:
    """What `amount_field` wrote. Raises BadEncoding above 128 bits."""
    return _amount(fields, number) if fields.has(number) else None


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
