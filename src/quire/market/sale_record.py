"""Bytes of a sale in the journal, and back. JSON: bytes as base64, numbers of any size."""

from __future__ import annotations

from dataclasses import dataclass, fields

import msgspec

from quire.base.errors import BadEncoding
from quire.chain.values import ID_BYTES
from quire.market.sale import Deal, Sale

FORMAT = 1
_PROOF_BYTES = 256
_ENDLESS = 1 << 256  # no number of the contract is as large


@dataclass(frozen=True, slots=True)
class _Record:
    format: int
    sale: Sale


def encode_sale(sale: Sale) -> bytes:
    return msgspec.json.encode(_Record(FORMAT, sale))


def decode_sale(data: bytes) -> Sale:
    """What `encode_sale` was given. Raises BadEncoding."""
    try:
        record = msgspec.json.decode(data, type=_Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadEncoding(f"the record of a sale cannot be read: {error}") from None
    sale = record.sale
    if record.format != FORMAT:
        raise BadEncoding(f"the record of a sale has format {record.format}, known is {FORMAT}")
    if len(sale.request_id) != ID_BYTES or len(sale.slot_id) != ID_BYTES:
        raise BadEncoding(f"the record of a sale names a slot by other than {ID_BYTES} bytes")
    if len(sale.offer) not in (0, ID_BYTES) or len(sale.proof) not in (0, _PROOF_BYTES):
        raise BadEncoding("the record of a sale has an offer or a proof of another length")
    _check_numbers(sale)
    if sale.deal is not None:
        _check_numbers(sale.deal)
    return sale


def _check_numbers(record: Sale | Deal) -> None:
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, int) and not 0 <= value < _ENDLESS:
            raise BadEncoding(f"the record of a sale has {field.name} out of range")
