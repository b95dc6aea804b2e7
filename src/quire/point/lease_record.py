"""Bytes of a lease in the journal, and back. JSON: bytes as base64, numbers of any size."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from quire.base.errors import BadEncoding
from quire.formats.record import check_numbers
from quire.formats.replica_codes import LeaseState
from quire.point.lease import SIGNED, Lease
from quire.point.values import CHUNK_BLOCKS_MOST, LINK_ID_BYTES

FORMAT = 1
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class _Record:
    format: int
    lease: Lease


def encode_lease(lease: Lease) -> bytes:
    return msgspec.json.encode(_Record(FORMAT, lease))


def decode_lease(data: bytes) -> Lease:
    """What `encode_lease` was given. Raises BadEncoding."""
    try:
        record = msgspec.json.decode(data, type=_Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadEncoding(f"the record of a lease cannot be read: {error}") from None
    lease, order = record.lease, record.lease.order
    if record.format != FORMAT:
        raise BadEncoding(f"the record of a lease has format {record.format}, known is {FORMAT}")
    if len(order.link_id) != LINK_ID_BYTES or not 1 <= order.blocks <= CHUNK_BLOCKS_MOST:
        raise BadEncoding("the record of a lease has another id, no blocks, or too many")
    early = (LeaseState.RESERVED, LeaseState.DELETED)
    if len(lease.root) != _DIGEST_BYTES and (lease.root or lease.at not in early):
        raise BadEncoding("the record of a lease has no root, or one of another length")
    if bool(lease.terms) != (lease.receipt is not None):
        raise BadEncoding("the record of a lease has a receipt without terms, or terms without it")
    if lease.at in SIGNED and lease.receipt is None:
        raise BadEncoding(f"the record of a lease in {lease.at.name} has no receipt")
    for part in (lease, order, lease.offer.offer, order.offer.offer, lease.receipt, *lease.terms):
        check_numbers("lease", part)
    return lease
