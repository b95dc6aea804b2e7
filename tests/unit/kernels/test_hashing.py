"""The compiled kernel against its slow twin, at every size where a path changes."""

import hashlib
import os
import random
import threading

import pytest

from oracles import hashing as oracle
from quire.formats.merkle import build_tree, prove
from quire.kernels import hashing
from support.vectors import load

rng = random.Random(1)  # the same data in every run


@pytest.mark.parametrize("block_size", [1, 63, 64, 65, 119, 120, 128, 1000, 4096, 65536])
@pytest.mark.parametrize("blocks", [1, 2, 3, 8, 9, 15, 16, 17, 33])
def test_blocks_have_the_digests_of_the_oracle(block_size, blocks):
    data = rng.randbytes(block_size * blocks)
    assert hashing.sha256_blocks(data, block_size) == oracle.sha256_blocks(data, block_size)
    short = data[: -max(1, block_size // 3)]
    if short:
        assert hashing.sha256_blocks(short, block_size) == oracle.sha256_blocks(short, block_size)


@pytest.mark.parametrize("size", [(2 << 20) - 1, 2 << 20, (2 << 20) + 1, (5 << 20) + 12345])
def test_all_cores_agree_with_the_oracle(size):
    data = rng.randbytes(size)
    assert hashing.sha256_blocks(data, 65536) == oracle.sha256_blocks(data, 65536)


def test_every_kind_of_buffer_is_read():
    data = rng.randbytes(8192)
    expected = oracle.sha256_blocks(data, 4096)
    for kind in (bytes, bytearray, memoryview):
        assert hashing.sha256_blocks(kind(data), 4096) == expected
    assert hashing.sha256_blocks(memoryview(b"x" + data)[1:], 4096) == expected


def test_a_block_size_beyond_the_data_pads_with_zeros():
    assert (
        hashing.sha256_blocks(b"abc", 65536) == hashlib.sha256(b"abc".ljust(65536, b"\0")).digest()
    )


@pytest.mark.parametrize(("data", "size"), [(b"", 64), (b"x", 0)])
def test_no_data_and_no_size_are_refused(data, size):
    with pytest.raises(ValueError, match="empty"):
        hashing.sha256_blocks(data, size)


def test_a_strided_buffer_is_refused():
    with pytest.raises(ValueError, match="contiguous"):
        hashing.sha256_blocks(memoryview(bytes(100))[::2], 10)


def test_the_first_wrong_block_is_found():
    data = rng.randbytes(20 * 4096)
    digests = oracle.sha256_blocks(data, 4096)
    assert hashing.verify_blocks(data, 4096, digests) == -1
    wrong = bytearray(digests)
    wrong[7 * 32] ^= 1
    wrong[9 * 32 + 31] ^= 1
    assert hashing.verify_blocks(data, 4096, wrong) == 7


@pytest.mark.parametrize(
    ("data", "size", "digests"),
    [(bytes(64), 64, b""), (bytes(64), 0, bytes(32)), (bytes(63), 64, bytes(32)), (b"", 64, b"x")],
)
def test_verifying_what_does_not_fit_is_refused(data, size, digests):
    with pytest.raises(ValueError):
        hashing.verify_blocks(data, size, digests)


def test_trees_of_the_reference_are_built():
    for row in load("merkle.json")["accept"]:
        if row["name"].startswith("bytes"):
            leaves = b"".join(hashlib.sha256(bytes([i])).digest() for i in range(row["count"]))
            assert hashing.merkle_root(leaves).hex() == row["root"]


@pytest.mark.parametrize("count", [*range(1, 40), 63, 64, 65, 1000, 70_000])
def test_trees_are_those_of_the_oracle(count):
    leaves = rng.randbytes(32 * count)
    tree = hashing.merkle_tree(leaves)
    assert tree == oracle.merkle_tree(leaves)
    assert hashing.merkle_root(leaves) == tree[-32:]


@pytest.mark.parametrize("leaves", [b"", bytes(31), bytes(33)])
def test_what_is_no_leaves_is_refused(leaves):
    for build in (hashing.merkle_tree, hashing.merkle_root):
        with pytest.raises(ValueError):
            build(leaves)


@pytest.mark.parametrize("count", range(1, 14))
def test_every_range_is_proved_by_the_proof_of_the_oracle(count):
    leaves = rng.randbytes(32 * count)
    tree = hashing.merkle_tree(leaves)
    for start in range(count):
        for stop in range(start + 1, count + 1):
            part = leaves[32 * start : 32 * stop]
            proof = hashing.range_proof(tree, count, start, stop - start)
            assert proof == oracle.range_proof(leaves, start, stop - start)
            assert hashing.verify_leaves(part, start, count, proof, tree[-32:])
            assert not hashing.verify_leaves(part, start, count, proof + bytes(32), tree[-32:])
            assert not hashing.verify_leaves(part, start, count, proof + b"x", tree[-32:])
            assert not hashing.verify_leaves(part, start, count, proof, bytes(32))
            assert not hashing.verify_leaves(part, start, count, proof, tree[-31:])
            if proof:
                assert not hashing.verify_leaves(part, start, count, proof[:-32], tree[-32:])


def test_a_range_at_another_place_is_not_proved():
    leaves = rng.randbytes(32 * 9)
    tree = hashing.merkle_tree(leaves)
    proof = hashing.range_proof(tree, 9, 2, 2)
    assert hashing.verify_leaves(leaves[64:128], 2, 9, proof, tree[-32:])
    for start, count in ((4, 9), (0, 9), (2, 8), (3, 9)):
        assert not hashing.verify_leaves(leaves[64:128], start, count, proof, tree[-32:])


@pytest.mark.parametrize(("count", "start", "size"), [(9, 0, 0), (9, 9, 1), (9, 0, 10), (8, 0, 1)])
def test_a_range_outside_the_tree_is_refused(count, start, size):
    tree = hashing.merkle_tree(bytes(32 * 9))
    with pytest.raises(ValueError):
        hashing.range_proof(tree, count, start, size)


@pytest.mark.parametrize("count", [1 << 40, 1 << 63, (1 << 64) - 1])
def test_a_leaf_count_that_no_tree_has_is_refused(count):
    with pytest.raises(ValueError, match="are not a tree"):
        hashing.range_proof(bytes(64), count, 0, 1)


def test_whole_blocks_are_hashed_and_proved_in_one_call():
    data = rng.randbytes(4096 * 21)
    leaves = oracle.sha256_blocks(data, 4096)
    tree = hashing.merkle_tree(leaves)
    proof = hashing.range_proof(tree, 21, 5, 11)
    part = bytearray(data[4096 * 5 : 4096 * 16])
    assert hashing.verify_range(part, 4096, 5, 21, proof, tree[-32:]) == leaves[160:512]
    part[100] ^= 1
    assert hashing.verify_range(part, 4096, 5, 21, proof, tree[-32:]) is None
    part[100] ^= 1
    assert hashing.verify_range(part, 4096, 5, 21, proof[:-1], tree[-32:]) is None
    assert hashing.verify_range(part, 4096, 5, 21, proof, bytes(32)) is None
    for bad in (b"", part[:-1]):
        with pytest.raises(ValueError, match="not whole blocks"):
            hashing.verify_range(bad, 4096, 5, 21, proof, tree[-32:])
    with pytest.raises(ValueError, match="are not a range"):
        hashing.verify_range(part, 4096, 15, 21, proof, tree[-32:])


def test_a_range_proof_of_one_leaf_is_the_path_without_its_zeros():
    leaves = rng.randbytes(32 * 11)
    tree = hashing.merkle_tree(leaves)
    assert tree == build_tree(leaves)
    for index in range(11):
        path = prove(tree, 11, index).path
        assert hashing.range_proof(tree, 11, index, 1) == b"".join(n for n in path if any(n))


def test_many_threads_share_the_cores():
    data = rng.randbytes(4 << 20)
    expected = oracle.sha256_blocks(data, 65536)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(hashing.sha256_blocks(data, 65536)))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 16


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # fork beside threads
def test_a_forked_child_hashes_alone():
    data = rng.randbytes(4 << 20)
    expected = hashing.sha256_blocks(data, 65536)  # the pool of threads now runs in this process
    child = os.fork()
    if child == 0:
        os._exit(0 if hashing.sha256_blocks(data, 65536) == expected else 1)
    assert os.waitpid(child, 0)[1] == 0
