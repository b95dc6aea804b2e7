"""Exchange messages: what is sent is what is read, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.base.errors import BadEncoding, Bug
from quire.base.ranges import RangeSet
from quire.formats.charge import Charge, Purse
from quire.formats.cid import block_cid, manifest_cid
from quire.formats.exchange import (
    MAX_BLOCKS,
    MAX_DATA_BYTES,
    MAX_LEAVES,
    MAX_MESSAGE_BYTES,
    MAX_PROOF_BYTES,
    BlockReply,
    BlockRequest,
    Cancel,
    ExchangeMessage,
    HaveReply,
    HaveRequest,
    HaveUpdate,
    LeavesReply,
    LeavesRequest,
    RangeReply,
    RangeRequest,
    Status,
    decode_message,
)
from quire.formats.exchange_ranges import MAX_RANGES, decode_ranges, encode_ranges, first_ranges
from quire.formats.protobuf import bytes_field, uint_field
from quire.formats.varint import encode_varint

ROOT = bytes(range(32))
SOME = RangeSet([(0, 3), (5, 6), (100, 200)])
PAYEE, HUB = bytes([0xAA]) * 20, bytes([0xBB]) * 20
DUE = Charge(7, 0, 1 << 70, PAYEE, 31337, HUB)

GOOD: dict[str, ExchangeMessage] = {
    "have request": HaveRequest(1, ROOT),
    "have reply of a part": HaveReply(2, Status.OK, 200, SOME, 65536),
    "have reply of nothing yet": HaveReply(2, Status.OK, 200, RangeSet()),
    "have reply of an unknown tree": HaveReply(2, Status.NOT_HAVE),
    "have update": HaveUpdate(ROOT, 300, SOME),
    "range request": RangeRequest(3, ROOT, 16, 16),
    "range request of the most": RangeRequest(3, ROOT, (1 << 62) - 1, MAX_BLOCKS),
    "range reply": RangeReply(3, Status.OK, 16, b"p" * 64, b"d" * 4096),
    "range reply without need of a proof": RangeReply(3, Status.OK, 0, b"", b"d"),
    "range reply busy": RangeReply(3, Status.BUSY),
    "range reply cancelled": RangeReply(3, Status.CANCELLED),
    "manifest request": BlockRequest(4, manifest_cid(b"m")),
    "block request": BlockRequest((1 << 63) - 1, block_cid(ROOT)),
    "block reply": BlockReply(4, Status.OK, b"manifest"),
    "block reply refused": BlockReply(4, Status.REFUSED),
    "cancel": Cancel(5),
    "leaves request": LeavesRequest(6, ROOT, 0, 1),
    "leaves request of the most": LeavesRequest(6, ROOT, (1 << 62) - 1, MAX_LEAVES),
    "leaves reply": LeavesReply(6, Status.OK, 32, b"p" * 64, ROOT * 3),
    "leaves reply without need of a proof": LeavesReply(6, Status.OK, 0, b"", ROOT),
    "leaves reply of one who does not know them": LeavesReply(6, Status.NOT_HAVE),
    "range request of one who pays": RangeRequest(
        3, ROOT, 16, 16, Purse(1000, PAYEE, bytes(range(65)))
    ),
    "range request of one who pays nothing": RangeRequest(3, ROOT, 16, 16, Purse()),
    "range request of one who pays all": RangeRequest(3, ROOT, 16, 16, Purse((1 << 128) - 1)),
    "block request of one who pays": BlockRequest(4, block_cid(ROOT), Purse(7)),
    "have reply with a price": HaveReply(2, Status.OK, 200, SOME, 65536, Charge(7)),
    "range reply with a price": RangeReply(3, Status.OK, 16, b"p", b"d" * 9, Charge(7, 5)),
    "range reply that wants to be paid": RangeReply(3, Status.PAYMENT_DUE, charge=DUE),
    "block reply with a price": BlockReply(4, Status.OK, b"d", Charge(7, 1)),
    "block reply that wants to be paid": BlockReply(4, Status.PAYMENT_DUE, charge=DUE),
    "ranges up to the limit": HaveUpdate(
        ROOT, 2 * MAX_RANGES, RangeSet((2 * n, 2 * n + 1) for n in range(MAX_RANGES))
    ),
}


def message(kind: int, *fields: bytes) -> bytes:
    return uint_field(1, kind) + b"".join(fields)


ID = uint_field(2, 1)
OK = uint_field(6, 1)
TREE = bytes_field(3, ROOT)


def ranges_of(*numbers: int) -> bytes:
    return bytes_field(8, b"".join(map(encode_varint, numbers)))


BAD: dict[str, bytes] = {
    "nothing": b"",
    "garbage": b"\xff" * 40,
    "an unknown kind": message(11, ID),
    "kind zero": message(0, ID),
    "a kind above 32 bits": message(1 << 40, ID),
    "no id": message(8),
    "an id above 63 bits": message(8, uint_field(2, 1 << 63)),
    "a root of 31 bytes": message(1, ID, bytes_field(3, ROOT[:31])),
    "no root": message(4, ID, uint_field(5, 1)),
    "a request for no block": message(4, ID, TREE, uint_field(5, 0)),
    "a request for too many blocks": message(4, ID, TREE, uint_field(5, MAX_BLOCKS + 1)),
    "a start above 62 bits": message(4, ID, TREE, uint_field(4, 1 << 62), uint_field(5, 1)),
    "no status": message(5, ID, bytes_field(15, b"d")),
    "an unknown status": message(5, ID, uint_field(6, 9)),
    "OK without data": message(5, ID, OK, bytes_field(10, bytes(32))),
    "NOT_HAVE with data": message(7, ID, uint_field(6, 2), bytes_field(15, b"d")),
    "a proof too long": message(
        5, ID, OK, bytes_field(10, bytes(MAX_PROOF_BYTES + 1)), bytes_field(15, b"d")
    ),
    "a payload too long": message(7, ID, OK, bytes_field(15, bytes(MAX_DATA_BYTES + 1))),
    "a payload cut short": message(7, ID, OK, b"\x7a\x80\x01", b"short"),
    "a broken CID": message(6, ID, bytes_field(9, b"\x01\x02")),
    "no CID": message(6, ID),
    "an empty range": message(3, TREE, uint_field(7, 10), ranges_of(0, 0)),
    "adjacent ranges": message(3, TREE, uint_field(7, 10), ranges_of(0, 1, 0, 1)),
    "a range behind the tree": message(3, TREE, uint_field(7, 10), ranges_of(5, 6)),
    "half a range": message(3, TREE, uint_field(7, 10), ranges_of(0, 1, 1)),
    "too many ranges": message(
        3, TREE, uint_field(7, 10**6), ranges_of(0, 1, *([1, 1] * MAX_RANGES))
    ),
    "a block size above 32 bits": message(2, ID, OK, uint_field(7, 1), uint_field(11, 1 << 32)),
    "a request for no leaf": message(9, ID, TREE, uint_field(5, 0)),
    "a request for too many leaves": message(9, ID, TREE, uint_field(5, MAX_LEAVES + 1)),
    "leaves of no tree": message(9, ID, uint_field(5, 1)),
    "leaves from above 62 bits on": message(9, ID, TREE, uint_field(4, 1 << 62), uint_field(5, 1)),
    "leaves without an id": message(9, TREE, uint_field(5, 1)),
    "OK without digests": message(10, ID, OK, bytes_field(10, bytes(32))),
    "half a digest": message(10, ID, OK, bytes_field(15, bytes(48))),
    "too many digests": message(10, ID, OK, bytes_field(15, bytes(32 * (MAX_LEAVES + 1)))),
    "BUSY with digests": message(10, ID, uint_field(6, 3), bytes_field(15, ROOT)),
    "digests with a proof too long": message(
        10, ID, OK, bytes_field(10, bytes(MAX_PROOF_BYTES + 1)), bytes_field(15, ROOT)
    ),
    "a payment is due, of nothing": message(5, ID, uint_field(6, 6)),
    "a payment is due to nobody": message(
        5, ID, uint_field(6, 6), bytes_field(12, bytes_field(3, b"\1"))
    ),
    "a payment is due at no hub": message(
        7, ID, uint_field(6, 6), bytes_field(12, bytes_field(3, b"\1") + bytes_field(4, PAYEE))
    ),
    "a payment is due with data": message(
        5, ID, uint_field(6, 6), bytes_field(12, DUE.encode()), bytes_field(15, b"d")
    ),
    "a price above 128 bits": message(
        5, ID, OK, bytes_field(12, bytes_field(1, bytes(17))), bytes_field(15, b"d")
    ),
    "a payee of 19 bytes": message(
        5, ID, OK, bytes_field(12, bytes_field(4, bytes(19))), bytes_field(15, b"d")
    ),
    "charged bytes above 32 bits": message(
        7, ID, OK, bytes_field(12, uint_field(2, 1 << 32)), bytes_field(15, b"d")
    ),
    "a charge too long": message(7, ID, OK, bytes_field(12, bytes(300)), bytes_field(15, b"d")),
    "a broken charge": message(2, ID, OK, uint_field(7, 1), bytes_field(12, b"\x0a\xff")),
    "a purse pays above 128 bits": message(
        4, ID, TREE, uint_field(5, 1), bytes_field(13, bytes_field(1, bytes(17)))
    ),
    "a purse of a payer who is not introduced": message(
        4, ID, TREE, uint_field(5, 1), bytes_field(13, bytes_field(2, PAYEE))
    ),
    "a purse with an introduction of nobody": message(
        4, ID, TREE, uint_field(5, 1), bytes_field(13, bytes_field(3, bytes(65)))
    ),
    "a purse of a short payer": message(
        6,
        ID,
        bytes_field(9, block_cid(ROOT).encode()),
        bytes_field(13, bytes_field(2, bytes(19)) + bytes_field(3, bytes(65))),
    ),
    "a message too long": message(8, ID, bytes_field(14, bytes(MAX_MESSAGE_BYTES))),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_message_survives_the_wire(name: str) -> None:
    sent = GOOD[name]
    assert decode_message(b"".join(sent.segments())) == sent


def test_what_is_not_ok_has_no_place_in_the_tree() -> None:
    reply = decode_message(bytes.fromhex("08051005100120098030033003"))
    assert reply == RangeReply(1, Status.BUSY)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_message_is_refused(name: str) -> None:
    with pytest.raises(BadEncoding):
        decode_message(BAD[name])


def test_the_payload_is_sent_as_it_is_and_read_as_a_view() -> None:
    data = bytes(65536)
    head, payload = RangeReply(1, Status.OK, 0, b"", data).segments()
    assert payload is data
    wire = memoryview(bytes(head) + data)
    reply = decode_message(wire)
    assert isinstance(reply, RangeReply)
    assert isinstance(reply.data, memoryview)
    assert reply.data.obj is wire.obj


def test_more_ranges_than_the_limit_are_told_in_part() -> None:
    many = RangeSet((2 * n, 2 * n + 1) for n in range(MAX_RANGES + 10))
    told = first_ranges(many)
    assert decode_ranges(encode_ranges(told), 10**6) == told
    assert len(told) == MAX_RANGES
    assert first_ranges(SOME) is SOME
    with pytest.raises(Bug):
        encode_ranges(many)
    assert not told.minus(many)


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(1, 10**6)), max_size=50))
def test_any_ranges_survive(pairs: list[tuple[int, int]]) -> None:
    ranges = RangeSet((start, start + length) for start, length in pairs)
    assert decode_ranges(encode_ranges(ranges), 2 * 10**12) == ranges


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    try:
        decoded = decode_message(data)
    except BadEncoding:
        return
    assert decode_message(b"".join(decoded.segments())) == decoded


def test_the_wire_format_does_not_change_unnoticed() -> None:
    path = Path(__file__).parents[3] / "vectors" / "exchange.json"
    vectors = json.loads(path.read_text())
    assert len(vectors["accept"]) >= 14
    for row in vectors["accept"]:
        assert b"".join(GOOD[row["name"]].segments()).hex() == row["hex"]
    for row in vectors["reject"]:
        assert BAD[row["name"]].hex() == row["hex"]
