"""Manifests: bytes and CIDs of the reference, both dialects, and all that is refused."""

import pytest

from quire.base.errors import BadManifest
from quire.formats.cid import block_cid, manifest_cid, tree_cid
from quire.formats.manifest import (
    MAX_MANIFEST_BYTES,
    MAX_PLAIN_BYTES,
    Manifest,
    Protection,
    decode_manifest,
    encode_manifest,
)
from quire.formats.merkle import EMPTY_TREE_ROOT
from quire.formats.protobuf import bytes_field
from support.vectors import accepted, load, rejected

TREE = tree_cid(bytes([1]) * 32)
ORIGINAL = tree_cid(bytes([2]) * 32)


def named(name):
    return next(row for row in load("manifest.json")["accept"] if row["name"] == name)


@accepted("manifest.json")
def test_known_manifests_are_read_and_written_byte_for_byte(row):
    data = bytes.fromhex(row["hex"])
    manifest = decode_manifest(data)
    assert str(manifest_cid(data)) == row["cid"]
    assert str(manifest.tree_cid) == row["treeCid"]
    assert (manifest.block_size, manifest.dataset_size) == (row["blockSize"], row["datasetSize"])
    assert (manifest.block_count, manifest.original_size) == (
        row["blockCount"],
        row["originalSize"],
    )
    assert (manifest.filename, manifest.mimetype) == (row["filename"], row["mimetype"])
    assert manifest.is_protected == ("k" in row)
    assert manifest.is_verifiable == ("verifyRoot" in row)
    if manifest.protection is not None:
        protection = manifest.protection
        assert (protection.k, protection.m) == (row["k"], row["m"])
        assert str(protection.original_tree_cid) == row["originalTreeCid"]
        if protection.verification is not None:
            assert str(protection.verification.verify_root) == row["verifyRoot"]
            assert len(protection.verification.slot_roots) == row["slotRoots"]
            assert protection.verification.cell_size == row["cellSize"]
    if row["dialect"] == "C":
        assert encode_manifest(manifest) == data
    else:
        assert decode_manifest(encode_manifest(manifest)) == manifest


@rejected("manifest.json")
def test_broken_manifests_are_refused(row):
    with pytest.raises(BadManifest):
        decode_manifest(bytes.fromhex(row["hex"]))


def test_a_plain_manifest_above_64_kib_is_refused():
    data = bytes.fromhex(named("hello")["hex"])
    assert decode_manifest(data + bytes_field(99, bytes(MAX_PLAIN_BYTES - len(data) - 6)))
    with pytest.raises(BadManifest, match="above 65536"):
        decode_manifest(data + bytes_field(99, bytes(MAX_PLAIN_BYTES)))


def test_a_manifest_above_every_limit_is_refused_unread():
    with pytest.raises(BadManifest):
        decode_manifest(bytes(MAX_MANIFEST_BYTES + 1))


def test_the_largest_protection_has_room():
    row = named("verifiable 131072 2+1")
    small = decode_manifest(bytes.fromhex(row["hex"]))
    protection = small.protection
    assert protection is not None
    assert protection.verification is not None
    root = protection.verification.slot_roots[0]
    k, m = 40_000, 25_536
    large = Manifest(
        TREE,
        65536,
        65536 * (k + m),
        protection=Protection(
            k,
            m,
            ORIGINAL,
            65536 * k,
            verification=type(protection.verification)(
                protection.verification.verify_root, (root,) * (k + m), 2048
            ),
        ),
    )
    assert decode_manifest(encode_manifest(large)) == large


@pytest.mark.parametrize(
    "change",
    [
        {"block_size": 65537},
        {"block_size": 0},
        {"dataset_size": 0},  # of a tree that has leaves
        {"tree_cid": tree_cid(EMPTY_TREE_ROOT)},  # of 100 bytes
        {"dataset_size": -1},
        {"tree_cid": block_cid(bytes(32))},
        {"filename": "a\nb"},
        {"filename": ""},
        {"mimetype": "text"},
        {"protection": Protection(0, 1, ORIGINAL, 100)},
        {"protection": Protection(2, 1, ORIGINAL, 100, strategy=7)},
    ],
)
def test_a_manifest_that_contradicts_itself_cannot_be_built(change):
    fields = {"tree_cid": TREE, "block_size": 65536, "dataset_size": 100}
    with pytest.raises(BadManifest):
        Manifest(**{**fields, **change})


def test_a_dataset_without_bytes_has_one_tree_and_no_blocks():
    tree = tree_cid(EMPTY_TREE_ROOT)
    assert str(tree) == "zDzSvJTf16ybMqC2FqXjAKjSSk72V7KEWLD5Tp62XdQgGDtDHG6K"
    empty = Manifest(tree, 65536, 0)
    assert (empty.block_count, empty.original_block_count, empty.original_size) == (0, 0, 0)
    assert decode_manifest(encode_manifest(empty)) == empty
    cid = manifest_cid(encode_manifest(empty))
    assert str(cid) == "zDvZRwzkxiLvo2qrK9a74T9meg7wuk7q436Lb8GxT6HcZeu95eZF"


def test_a_protected_dataset_returns_its_original_bytes():
    manifest = Manifest(TREE, 4096, 4096 * 6, protection=Protection(2, 1, ORIGINAL, 4096 * 3 + 1))
    assert manifest.block_count == 6
    assert manifest.original_block_count == 4
    assert manifest.original_size == 12289
