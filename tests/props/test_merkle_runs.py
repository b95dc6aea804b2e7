"""Proofs of runs of leaves against the slow twin, and false ones of every kind."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracles.hashing import merkle_tree, range_proof
from quire.base.errors import ProofInvalid
from quire.formats.merkle import ZERO, prove
from quire.formats.merkle_run import ProofChecker, leaf_proofs, range_proof_of


def leaves_of(count):
    return b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(count))


@st.composite
def runs(draw):
    count = draw(st.integers(1, 70))
    start = draw(st.integers(0, count - 1))
    return count, start, draw(st.integers(start + 1, count))


@given(runs())
def test_single_proofs_and_range_proofs_say_the_same(run):
    count, start, stop = run
    leaves = leaves_of(count)
    tree, proof = merkle_tree(leaves), range_proof(leaves, start, stop - start)
    single = leaf_proofs(leaves[32 * start : 32 * stop], start, count, proof)
    assert single == [prove(tree, count, index) for index in range(start, stop)]
    assert range_proof_of(single[0], single[-1]) == proof


@given(runs(), st.integers(1, 400))
def test_a_range_proof_of_another_length_does_not_fit(run, extra):
    count, start, stop = run
    leaves = leaves_of(count)
    proof = range_proof(leaves, start, stop - start) + bytes(extra)
    with pytest.raises(ProofInvalid):
        leaf_proofs(leaves[32 * start : 32 * stop], start, count, proof)


@given(st.integers(1, 70), st.data())
def test_a_checker_takes_true_proofs_in_any_order_and_no_false_one(count, data):
    leaves = leaves_of(count)
    tree = merkle_tree(leaves)
    checker = ProofChecker(tree[-32:], count)
    for index in data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=20)):
        proof, leaf = prove(tree, count, index), leaves[32 * index : 32 * index + 32]
        checker.check(proof, leaf, index)
        at = data.draw(st.integers(0, len(proof.path) - 1))
        wrong = bytes([proof.path[at][0] ^ 1]) + proof.path[at][1:]
        path = (*proof.path[:at], wrong, *proof.path[at + 1 :])
        for false, about in (
            (replace(proof, path=path), index),
            (replace(proof, path=proof.path[:-1]), index),
            (replace(proof, path=(*proof.path, ZERO)), index),
            (replace(proof, leaf_count=count + 1), index),
            (replace(proof, hash_code=0), index),
            (proof, index + 1),
            (replace(proof, index=index + 1), index + 1),
        ):
            with pytest.raises(ProofInvalid):
                checker.check(false, leaf, about)
        with pytest.raises(ProofInvalid):
            checker.check(proof, wrong, index)
