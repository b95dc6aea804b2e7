"""Block exchange messages: bytes of the reference, and what would end a foreign node."""

import hashlib
from itertools import permutations

import pytest

from quire.base.errors import BadEncoding, Bug
from quire.formats.blockexc import (
    MAX_DATA_BYTES,
    MAX_DELIVERIES,
    MAX_MESSAGE_BYTES,
    MAX_RECEIVED_ENTRIES,
    BlockAddress,
    Delivery,
    Message,
    Presence,
    Want,
    WantKind,
    decode_message,
    encode_message,
    encode_segments,
)
from quire.formats.cid import block_cid, tree_cid
from quire.formats.merkle import build_tree, prove
from quire.formats.protobuf import bytes_field
from support.vectors import accepted, rejected

TREE = tree_cid(bytes([7]) * 32)
LEAF = BlockAddress(TREE, 1)


@accepted("blockexc.json")
def test_known_messages_are_read_and_written_byte_for_byte(row):
    data = bytes.fromhex(row["hex"])
    message = decode_message(data)
    if row.get("canonical", True):
        assert encode_message(message, is_trimmed=row.get("form") == "trimmed") == data
    else:
        assert decode_message(encode_message(message)) == message


@rejected("blockexc.json")
def test_broken_messages_are_refused(row):
    with pytest.raises(BadEncoding):
        decode_message(bytes.fromhex(row["hex"]))


def test_a_live_delivery_of_four_blocks_is_rebuilt_byte_for_byte():
    """262 854 bytes sent by the reference, known by their SHA-256 only."""
    data = bytes((31 * i + 17 * (i >> 8)) & 255 for i in range(65536)) * 4
    data = data[:200_000] + bytes(4 * 65536 - 200_000)
    blocks = [data[at : at + 65536] for at in range(0, len(data), 65536)]
    digests = [hashlib.sha256(block).digest() for block in blocks]
    tree = build_tree(b"".join(digests))
    deliveries = [
        Delivery(
            block_cid(digests[index]),
            blocks[index],
            BlockAddress(tree_cid(tree[-32:]), index),
            prove(tree, 4, index),
        )
        for index in (1, 2, 0, 3)
    ]
    found = {
        hashlib.sha256(encode_message(Message(deliveries=tuple(order)))).hexdigest()
        for order in permutations(deliveries)
    }
    assert "72299ca60807617de1182af39b3595cd80622c47954dcecbc8832597d09f06da" in found
    assert len(encode_message(Message(deliveries=tuple(deliveries)))) == 262_854


def test_a_large_block_has_the_known_bytes():
    """The module's delivery of a 64 KiB block: 65 688 bytes, known by their SHA-256."""
    det2 = bytes((31 * i + 17 * (i >> 8) + 101 * (i >> 16)) & 255 for i in range(2 * 65536))
    blocks = det2[:65536], det2[65536:]
    digests = [hashlib.sha256(block).digest() for block in blocks]
    tree = build_tree(b"".join(digests))
    delivery = Delivery(
        block_cid(digests[1]),
        memoryview(blocks[1]),
        BlockAddress(tree_cid(tree[-32:]), 1),
        prove(tree, 2, 1),
    )
    data = encode_message(Message(deliveries=(delivery,)))
    assert hashlib.sha256(data).hexdigest() == (
        "8517b42b3fa108f7d9cd3bf6579d4b470ee90616b53337a8d092e8d94d777bb5"
    )
    assert decode_message(data).deliveries == (delivery,)


def test_segments_do_not_copy_the_blocks():
    block = bytes(65536)
    segments = encode_segments(Message(deliveries=(Delivery(TREE, block, LEAF),)))
    assert any(segment is block for segment in segments)
    assert b"".join(segments) == encode_message(Message(deliveries=(Delivery(TREE, block, LEAF),)))


def test_received_data_is_a_view_into_the_message():
    data = bytearray(encode_message(Message(deliveries=(Delivery(TREE, b"abc", LEAF),))))
    received = decode_message(data).deliveries[0].data
    data[data.index(b"abc")] = ord("X")
    assert bytes(received) == b"Xbc"


@pytest.mark.parametrize(
    "message",
    [
        Message(wants=(Want(BlockAddress(TREE, 1 << 63)),)),
        Message(wants=(Want(BlockAddress(TREE, -1)),)),
        Message(wants=(Want(LEAF, priority=1 << 31),)),
        Message(wants=(Want(LEAF),) * 1025),
        Message(presences=(Presence(LEAF, True),) * 1025),
        Message(presences=(Presence(LEAF, True, 1 << 256),)),
        Message(presences=(Presence(LEAF, True, -1),)),
        Message(account=bytes(19)),
        Message(deliveries=(Delivery(TREE, bytes(MAX_DATA_BYTES + 1), LEAF),)),
        Message(deliveries=(Delivery(TREE, bytes(MAX_DATA_BYTES), LEAF),) * 26),
        Message(pending_bytes=-1),
    ],
)
def test_what_would_end_a_foreign_node_is_never_sent(message):
    with pytest.raises(Bug):
        encode_segments(message)


def test_a_want_of_another_kind_is_never_sent():
    with pytest.raises(ValueError, match="2 is not a valid WantKind"):
        encode_segments(Message(wants=(Want(LEAF, kind=2),)))  # type: ignore[arg-type]


def test_every_part_comes_back():
    message = Message(
        wants=(
            Want(LEAF, WantKind.HAVE, -5, cancel=True, send_dont_have=True),
            Want(BlockAddress(block_cid(bytes(32)))),
        ),
        full=True,
        deliveries=(Delivery(block_cid(bytes(32)), b"", BlockAddress(block_cid(bytes(32)))),),
        presences=(Presence(LEAF, False, 12345), Presence(LEAF, True)),
        pending_bytes=77,
        account=bytes(range(20)),
        payment=b"{}",
    )
    assert decode_message(encode_message(message)) == message


def test_a_message_above_100_mib_is_refused_unread():
    with pytest.raises(BadEncoding):
        decode_message(bytes(MAX_MESSAGE_BYTES + 1))


def test_too_many_entries_and_deliveries_are_refused():
    data = encode_message(Message(wants=(Want(LEAF),)))
    want = data[2 : 2 + data[1] - 2]  # without the header of the want-list and its flag
    assert len(decode_message(bytes_field(1, want * 2)).wants) == 2
    with pytest.raises(BadEncoding, match="fields"):
        decode_message(bytes_field(1, want * (MAX_RECEIVED_ENTRIES + 17)))
    with pytest.raises(BadEncoding, match="deliveries"):
        decode_message(bytes_field(3, b"") * (MAX_DELIVERIES + 1))
