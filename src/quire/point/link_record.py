"""Bytes of a link in the journal, and back. JSON: bytes as base64, numbers of any size."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from quire.base.errors import BadEncoding
from quire.formats.peer_id import decode_peer_id
from quire.formats.record import check_numbers
from quire.point.link import (
    HELD,
    At,
    LinkState,
)
from quire.point.values import CHUNK_BLOCKS_MOST, LINK_ID_BYTES

FORMAT = 1
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class _Record:
    format: int
    link: LinkState


def encode_link(link: LinkState) -> bytes:
    return msgspec.json.encode(_Record(FORMAT, link))


def decode_link(data: bytes) -> LinkState:
    """What `encode_link` was given. Raises BadEncoding."""
    try:
        record = msgspec.json.decode(data, type=_Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadEncoding(f"the record of a link cannot be read: {error}") from None
    link = record.link
    if record.format != FORMAT:
        raise BadEncoding(f"the record of a link has format {record.format}, known is {FORMAT}")
    order = link.order
    if len(order.link_id) != LINK_ID_BYTES or len(order.upload_id) != LINK_ID_BYTES:
        raise BadEncoding(f"the record of a link has an id of other than {LINK_ID_BYTES} bytes")
    decode_peer_id(order.peer)
    if not 1 <= order.blocks <= CHUNK_BLOCKS_MOST or order.seconds <= 0:
        raise BadEncoding("the record of a link has no blocks, too many, or no term")
    if len(link.sealed_root) not in (0, _DIGEST_BYTES):
        raise BadEncoding("the record of a link has a root of another length")
    if len(link.acked) not in (0, (order.blocks + 7) // 8):
        raise BadEncoding("the record of a link has a bitmap of another length")
    _check_receipt(link)
    for part in (link, order, link.offer.offer, *link.terms):
        check_numbers("link", part)
    return link


def _check_receipt(link: LinkState) -> None:
    """Where there must be a receipt, there is one, with its terms."""
    is_paying = link.at is At.ESTABLISH_PAYMENT_CHANNEL and link.back is At.PAYING
    if (link.at in (At.PAYING, *HELD) or is_paying) and link.receipt is None:
        raise BadEncoding(f"the record of a link in {link.at} has no receipt")
    if bool(link.terms) != (link.receipt is not None):
        raise BadEncoding("the record of a link has a receipt without terms, or terms without it")
    if link.receipt is not None:
        check_numbers("link", link.receipt.terms)
    if (link.at is At.RENEWING) != (link.renewal is not None):
        raise BadEncoding(f"the record of a link in {link.at} has a renewal, or lacks it")
    if link.back not in (At.AGREED, At.SENDING_SEGMENT_MAP, At.PAYING):
        raise BadEncoding(f"a link cannot come back from its payment channel to {link.back}")
