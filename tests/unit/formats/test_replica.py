"""Messages of `/quire/replica/1.0.0`: what is accepted, and what is refused."""

import pytest

from quire.base.errors import BadEncoding
from quire.base.ranges import RangeSet
from quire.formats.amount import decode_amount, encode_amount
from quire.formats.cid import manifest_cid_of
from quire.formats.protobuf import bytes_field, uint_field
from quire.formats.replica import MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES
from quire.formats.replica import decode_answer as answer_of
from quire.formats.replica import decode_request as request_of
from quire.formats.replica_answers import AuditAnswer, BlockRun, Blocks, audit_digest
from quire.formats.replica_blob import MAX_BLOB_BYTES, MapBlob
from quire.formats.replica_parts import (
    BLOCK_BYTES,
    MAX_BLOCKS,
    MAX_READ_BLOCKS,
    MAX_RUN_BLOCKS,
    bitmap_of,
    decode_indices,
    decode_root,
    encode_indices,
    encode_root,
    ranges_of,
)
from support.replica_messages import ACCOUNT, ANSWERS, LINK, REQUESTS, ROOT

TREE = encode_root(ROOT)
BLOCK = bytes(BLOCK_BYTES)
HUGE = MapBlob(ROOT, 1, b"n" * 12, bytes(MAX_BLOB_BYTES + 1), b"s" * 64)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_comes_back_as_it_was(name):
    data = b"".join(REQUESTS[name].segments())
    assert request_of(data) == REQUESTS[name]
    assert request_of(data + bytes_field(99, b"of a later version")) == REQUESTS[name]


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_comes_back_as_it_was(name):
    data = b"".join(ANSWERS[name].segments())
    assert answer_of(data) == ANSWERS[name]
    assert answer_of(data + uint_field(99, 1)) == ANSWERS[name]


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_that_is_cut_short_is_refused(name):
    data = b"".join(REQUESTS[name].segments())
    with pytest.raises(BadEncoding):
        request_of(data[:-1])


def request(number: int, body: bytes, link_id: bytes = LINK) -> bytes:
    return bytes_field(2, link_id) + bytes_field(number, body)


def store(
    size: int, blocks: int, client: bytes = ACCOUNT, introduction: bytes = b"i" * 65
) -> bytes:
    body = uint_field(1, size) + uint_field(2, blocks) + uint_field(3, 1) + bytes_field(4, client)
    return request(11, body + bytes_field(5, ROOT) + bytes_field(6, introduction))


def segment_map(leaves: list[bytes], size: int, tree: bytes = TREE) -> bytes:
    body = bytes_field(1, tree) + b"".join(bytes_field(2, leaf) for leaf in leaves)
    return request(12, body + uint_field(3, size))


def get(indices: bytes, more: bytes = b"") -> bytes:
    return request(16, bytes_field(1, TREE) + bytes_field(2, indices) + more)


REFUSED = {
    "nothing": b"",
    "no link id": bytes_field(15, b""),
    "a short link id": request(15, b"", LINK[:15]),
    "a long link id": request(15, b"", LINK + b"x"),
    "no body": bytes_field(2, LINK),
    "two bodies": request(15, b"") + bytes_field(19, b""),
    "an unknown body": request(22, b""),
    "no blocks": store(0, 0),
    "another number of blocks": store(100_000, 3),
    "too many blocks": store((MAX_BLOCKS + 1) * BLOCK_BYTES, MAX_BLOCKS + 1),
    "a short account": store(1, 1, ACCOUNT[:19]),
    "no introduction": store(1, 1, ACCOUNT, b""),
    "no leaves": segment_map([], 0),
    "too few leaves": segment_map([ROOT], 70_000),
    "too many leaves": segment_map([ROOT] * (MAX_BLOCKS + 1), (MAX_BLOCKS + 1) * BLOCK_BYTES),
    "a short leaf": segment_map([ROOT[:31]], 1),
    "a tree that is a manifest": segment_map([ROOT], 1, manifest_cid_of(ROOT).encode()),
    "a tree that is no CID": segment_map([ROOT], 1, b"\x01\x02"),
    "half a block": request(13, uint_field(1, 0) + bytes_field(2, BLOCK[:-1])),
    "no data": request(13, uint_field(1, 0) + bytes_field(2, b"")),
    "more blocks than a run": request(13, bytes_field(2, BLOCK * (MAX_RUN_BLOCKS + 1))),
    "a root of nothing": request(14, b""),
    "no indices": get(b""),
    "indices that do not ascend": get(encode_indices([4, 4])),
    "an index that is too large": get(encode_indices([MAX_BLOCKS])),
    "too many indices": get(encode_indices(range(MAX_READ_BLOCKS + 1))),
    "an introduction without an account": get(b"\x01", bytes_field(4, b"i" * 65)),
    "an account without an introduction": get(b"\x01", bytes_field(3, ACCOUNT)),
    "a short nonce": request(
        17, bytes_field(1, TREE) + bytes_field(2, ROOT[:31]) + bytes_field(3, b"\x01")
    ),
    "no offer to renew on": request(18, uint_field(1, 5)),
    "an empty map": request(20, b""),
    "a map that is too large": request(
        20,
        bytes_field(1, MapBlob(ROOT, 1, b"n" * 12, bytes(MAX_BLOB_BYTES + 1), b"s" * 64).encode()),
    ),
    "a short locator": request(21, bytes_field(1, ROOT[:31])),
    "too large": request(15, b"") + bytes_field(99, bytes(MAX_REQUEST_BYTES)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_request_is_refused(name):
    with pytest.raises(BadEncoding):
        request_of(REFUSED[name])


def answer(number: int, body: bytes) -> bytes:
    return uint_field(2, 0) + bytes_field(number, body)


def runs(*of: BlockRun) -> bytes:
    return b"".join(Blocks(of).segments())


BAD_ANSWERS = {
    "an unknown code": uint_field(2, 18),
    "two bodies": answer(12, b"") + bytes_field(11, b""),
    "a huge offer": answer(10, bytes_field(1, bytes(1025)) + bytes_field(2, b"e" * 65)),
    "a short signature": answer(10, bytes_field(2, b"e" * 64)),
    "a huge bitmap": answer(12, bytes_field(1, bytes(129))),
    "a receipt without signature": answer(14, bytes_field(1, b"typed")),
    "an unknown state": answer(15, uint_field(1, 8)),
    "a padded sum": answer(15, uint_field(1, 1) + bytes_field(5, b"\x00\x01")),
    "too large a sum": answer(15, uint_field(1, 1) + bytes_field(5, b"\x01" * 33)),
    "runs that overlap": answer(16, runs(BlockRun(0, BLOCK * 2, b""), BlockRun(1, BLOCK, b""))),
    "half a block": answer(16, runs(BlockRun(0, BLOCK[1:], b""))),
    "a long proof": answer(16, runs(BlockRun(0, BLOCK, bytes(641)))),
    "too many blocks": answer(16, runs(*(BlockRun(i * 9, BLOCK * 9, b"") for i in range(4)))),
    "blocks beyond the end": answer(16, runs(BlockRun(MAX_BLOCKS, BLOCK, b""))),
    "an audit without digest": answer(17, b""),
    "a map without key": answer(18, b""),
    "too large": bytes_field(99, bytes(MAX_MESSAGE_BYTES)),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_a_bad_answer_is_refused(name):
    with pytest.raises(BadEncoding):
        answer_of(BAD_ANSWERS[name])


@pytest.mark.parametrize("amount", [0, 1, 255, 256, (1 << 256) - 1])
def test_an_amount_comes_back_as_it_was(amount):
    assert decode_amount(encode_amount(amount)) == amount


def test_the_largest_request_and_answer_fit():
    blob = MapBlob(ROOT, 1, b"n" * 12, bytes(MAX_BLOB_BYTES), b"s" * 64)
    put = request(20, bytes_field(1, blob.encode()))
    assert request_of(put).body.blob == blob
    proof = bytes(640)
    most = tuple(BlockRun(2 * i, BLOCK, proof) for i in range(MAX_READ_BLOCKS))
    data = answer(17, b"".join(AuditAnswer(most, ROOT).segments()))
    assert answer_of(data).body.runs == most


def test_a_bitmap_says_which_blocks_are_held():
    held = RangeSet([(0, 3), (9, 11)])
    assert bitmap_of(held, 12) == b"\x07\x06"
    assert ranges_of(b"\x07\x06", 12) == held
    assert ranges_of(b"\xff\xff", 10) == RangeSet([(0, 10)])
    assert ranges_of(b"", 10) == RangeSet()


def test_roots_and_indices_come_back_as_they_were():
    assert decode_root(encode_root(ROOT)) == ROOT
    assert decode_indices(encode_indices([0, 127, 128, 1023])) == (0, 127, 128, 1023)


def test_the_digest_of_an_audit_depends_on_nonce_and_order():
    digests = {
        audit_digest(b"n", [b"a", b"b"]),
        audit_digest(b"n", [b"b", b"a"]),
        audit_digest(b"m", [b"a", b"b"]),
    }
    assert len(digests) == 3


def test_what_proves_who_pays_is_not_shown():
    assert "iiii" not in repr(REQUESTS["store"]) + repr(REQUESTS["get, paid"])
