"""The tree and its proofs: roots of the reference, and every way to lie."""

import hashlib
from dataclasses import replace

import pytest

from quire.base.errors import BadEncoding, Bug, ProofInvalid
from quire.formats.cid import tree_cid
from quire.formats.merkle import (
    MAX_PROOF_BYTES,
    ZERO,
    InclusionProof,
    build_tree,
    decode_proof,
    decode_tree,
    depth,
    encode_tree,
    layer_sizes,
    prove,
    tree_root,
)
from quire.formats.protobuf import bytes_field, uint_field
from support.vectors import accepted, rejected


def leaves_of(row):
    if row["name"].startswith("bytes"):
        return b"".join(hashlib.sha256(bytes([i])).digest() for i in range(row["count"]))
    if row["name"].startswith("digits"):
        return b"".join(b"%032d" % (i + 1) for i in range(row["count"]))
    period = bytes((31 * i + 17 * (i >> 8)) & 255 for i in range(65536))
    rest = row["size"] % 65536
    last = period[:rest] + bytes(65536 - rest) if rest else period
    full = hashlib.sha256(period).digest()
    return full * (row["count"] - 1) + hashlib.sha256(last).digest()


@accepted("merkle.json")
def test_known_trees_have_their_roots_and_proofs(row):
    leaves, index, count = leaves_of(row), row["index"], row["count"]
    tree = build_tree(leaves)
    root = bytes.fromhex(row["root"])
    assert tree[-32:] == root == tree_root(leaves)
    assert str(tree_cid(root)) == row["cid"]
    proof = prove(tree, count, index)
    assert proof.encode().hex() == row["proof"]
    assert decode_proof(proof.encode()) == proof
    proof.check(leaves[32 * index :][:32], root, index=index, leaf_count=count)
    assert decode_tree(encode_tree(tree, count)) == (tree, count)


@rejected("merkle.json")
def test_wrong_proofs_are_refused(row):
    with pytest.raises((BadEncoding, ProofInvalid)):
        decode_proof(bytes.fromhex(row["proof"])).check(
            bytes.fromhex(row["leaf"]),
            bytes.fromhex(row["root"]),
            index=row["index"],
            leaf_count=row["count"],
        )


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33])
def test_every_leaf_is_proved_and_no_other_place_is(count):
    leaves = [hashlib.sha256(b"%d" % i).digest() for i in range(count)]
    tree = build_tree(b"".join(leaves))
    for index, leaf in enumerate(leaves):
        proof = prove(tree, count, index)
        proof.check(leaf, tree[-32:], index=index, leaf_count=count)
        proof.check(leaf, tree[-32:], index=index)
        for other in {(index + 1) % count, count - 1, 0} - {index}:
            with pytest.raises(ProofInvalid):
                replace(proof, index=other).check(leaf, tree[-32:], index=other)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"index": 5}, "no such leaf"),
        ({"leaf_count": 4}, "no such leaf"),
        ({"hash_code": 0}, "its hash is 0x0"),
        ({"path": (b"\1" * 32, b"\0" * 32, b"\2" * 32)}, "a missing sibling is not zero"),
        ({"path": (ZERO, ZERO)}, "2 steps, not 3"),
        ({"path": (ZERO, b"", ZERO)}, "not 32 bytes"),
        ({"path": (ZERO, ZERO, ZERO)}, "another root"),
    ],
)
def test_the_reason_is_said(change, reason):
    tree = build_tree(bytes(32 * 5))
    proof = replace(prove(tree, 5, 4), **change)
    with pytest.raises(ProofInvalid, match=reason):
        proof.check(ZERO, tree[-32:], index=proof.index)


def test_the_manifest_decides_the_number_of_leaves():
    tree = build_tree(bytes(32 * 5))
    proof = prove(tree, 5, 2)
    with pytest.raises(ProofInvalid, match="a tree of 5 leaves, not 6"):
        proof.check(ZERO, tree[-32:], index=2, leaf_count=6)


def test_a_leaf_or_root_of_another_length_is_refused():
    tree = build_tree(bytes(64))
    proof = prove(tree, 2, 0)
    for leaf, root in ((bytes(31), tree[-32:]), (ZERO, tree[-31:])):
        with pytest.raises(ProofInvalid):
            proof.check(leaf, root, index=0)


def test_the_deepest_proof_has_room():
    proof = InclusionProof((1 << 63) - 2, (1 << 63) - 1, (ZERO,) * 63)
    assert len(proof.encode()) <= MAX_PROOF_BYTES
    assert decode_proof(proof.encode()) == proof


def test_layers_and_depth_agree():
    assert layer_sizes(1) == [1, 1]
    assert layer_sizes(5) == [5, 3, 2, 1]
    for count in range(1, 200):
        assert depth(count) == len(layer_sizes(count)) - 1


def good_tree():
    return encode_tree(build_tree(bytes(32 * 3)), 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        good_tree()[:-1],
        good_tree()[:-36],
        good_tree() + good_tree()[-36:],
        uint_field(1, 0x13) + good_tree()[2:],
        good_tree()[:2] + uint_field(2, 2) + good_tree()[4:],
        good_tree()[:2] + uint_field(2, 1 << 62) + good_tree()[4:],
        good_tree()[:2] + uint_field(2, 0) + good_tree()[4:],
        uint_field(1, 0x12) + uint_field(2, 1) + bytes_field(3, bytes_field(1, bytes(31))) * 2,
    ],
)
def test_broken_trees_are_refused(data):
    with pytest.raises(BadEncoding):
        decode_tree(data)


def test_a_tree_with_one_wrong_node_is_refused():
    data = bytearray(good_tree())
    data[-1] ^= 1
    with pytest.raises(ProofInvalid):
        decode_tree(data)


@pytest.mark.parametrize("leaves", [b"", bytes(31), bytes(33)])
def test_leaves_that_are_no_digests_are_a_mistake_of_the_caller(leaves):
    with pytest.raises(Bug):
        build_tree(leaves)
