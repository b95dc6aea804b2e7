"""CIDs: texts and bytes of the reference, and all that is no CID."""

import hashlib

import pytest

from quire.base.errors import BadCid
from quire.formats.cid import (
    CODEC_BLOCK,
    Cid,
    block_cid,
    is_block,
    is_manifest,
    is_tree,
    manifest_cid,
    tree_cid,
)
from support.vectors import accepted, rejected


@accepted("cid.json")
def test_known_texts_and_bytes_agree(row):
    cid = Cid.parse(row["text"])
    data = bytes.fromhex(row["hex"])
    assert (cid.version, cid.codec, cid.hash_code, cid.digest.hex()) == (
        row["version"],
        row["codec"],
        row["hash"],
        row["digest"],
    )
    assert cid.encode() == data
    assert Cid.decode(memoryview(data)) == cid
    if row["text"][0] in "zQ":
        assert str(cid) == row["text"]


@rejected("cid.json")
def test_other_texts_are_refused(row):
    with pytest.raises(BadCid):
        Cid.parse(row["text"])


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x12\x20", bytes(38), b"\x12\x20" + bytes(33)])
def test_other_bytes_are_refused(data):
    with pytest.raises(BadCid):
        Cid.decode(data)


def test_the_version_does_not_count_in_equality():
    old = Cid.parse("QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n")
    new = Cid(1, old.codec, old.hash_code, old.digest)
    assert old == new
    assert hash(old) == hash(new)
    assert str(new).startswith("z")
    assert Cid.decode(old.encode()) == old


def test_kinds_are_told_apart():
    digest = hashlib.sha256(b"x").digest()
    assert is_block(block_cid(digest))
    assert is_tree(tree_cid(digest))
    assert is_manifest(manifest_cid(b"x"))
    assert manifest_cid(b"x").digest == digest
    assert not is_manifest(block_cid(digest))
    assert not is_tree(block_cid(digest))
    assert not is_block(tree_cid(digest))


def test_the_message_shows_a_long_text_by_its_length_only():
    with pytest.raises(BadCid, match="a text of 100000 characters is not a CID"):
        Cid.parse("z" * 100_000)


def test_it_shows_itself_as_its_text():
    assert repr(Cid(1, CODEC_BLOCK, 0x12, bytes(32))).startswith("Cid(zDx")
