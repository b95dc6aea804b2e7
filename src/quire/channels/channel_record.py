"""Bytes of channels and bills in the journal, and back. JSON, with bytes as base64."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from quire.base.errors import BadEncoding
from quire.chain.values import ADDRESS_BYTES
from quire.channels.channel import Bill, Channel
from quire.channels.voucher import MAX_CUMULATIVE

FORMAT = 1
_ENDLESS_TIME = 1 << 64


@dataclass(frozen=True, slots=True)
class _ChannelRecord:
    format: int
    channel: Channel


@dataclass(frozen=True, slots=True)
class _BillRecord:
    format: int
    bill: Bill


def encode_channel(channel: Channel) -> bytes:
    return msgspec.json.encode(_ChannelRecord(FORMAT, channel))


def decode_channel(data: bytes) -> Channel:
    """What `encode_channel` was given. Raises BadEncoding."""
    try:
        record = msgspec.json.decode(data, type=_ChannelRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadEncoding(f"the record of a channel cannot be read: {error}") from None
    _check_format(record.format, "channel")
    channel = record.channel
    _check_payee(channel.payee, "channel")
    if channel.newest is not None:
        _check_bill(channel.newest)
    seen = channel.seen
    _check_sums(
        "channel",
        (channel.promised, channel.taken_over, channel.least, channel.want),
        (seen.deposit, seen.claimed),
    )
    if channel.taken_over > channel.promised or not 0 <= seen.close_at < _ENDLESS_TIME:
        raise BadEncoding("the record of a channel has numbers that cannot be")
    return channel


def encode_bill(bill: Bill) -> bytes:
    return msgspec.json.encode(_BillRecord(FORMAT, bill))


def decode_bill(data: bytes) -> Bill:
    """What `encode_bill` was given. Raises BadEncoding."""
    try:
        record = msgspec.json.decode(data, type=_BillRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadEncoding(f"the record of a bill cannot be read: {error}") from None
    _check_format(record.format, "bill")
    _check_bill(record.bill)
    return record.bill


def _check_format(found: int, what: str) -> None:
    if found != FORMAT:
        raise BadEncoding(f"the record of a {what} has format {found}, known is {FORMAT}")


def _check_payee(payee: bytes, what: str) -> None:
    if len(payee) != ADDRESS_BYTES:
        raise BadEncoding(f"the record of a {what} names a payee by {len(payee)} bytes, not 20")


def _check_bill(bill: Bill) -> None:
    _check_payee(bill.payee, "bill")
    _check_sums("bill", (bill.amount, bill.sum))


def _check_sums(what: str, *groups: tuple[int, ...]) -> None:
    for group in groups:
        for each in group:
            if not 0 <= each <= MAX_CUMULATIVE:
                raise BadEncoding(f"the record of a {what} has a sum out of its range")
