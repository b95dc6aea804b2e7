"""A coded dataset is looked at: what is right passes, every lie is found and named."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from math import sqrt

import pytest

from quire.aggregation.order import Wrong
from quire.aggregation.streamed_roots import StreamedSlot, StreamedTree
from quire.aggregation.stripes import draw
from quire.base.errors import InputError
from quire.base.rng import seeded_rng
from quire.dataset.slot_tree import padded_leaves
from quire.formats.aggregator_codes import Reason
from quire.kernels import poseidon2
from quire.kernels.hashing import merkle_root
from quire.sim.liar import flipped, with_roots
from support.coded import Coded, coded, looked_at, parity_of, swapped

SECRET = bytes(range(32))
SHAPES = [(12, 4, 2), (13, 6, 3), (5, 5, 1), (1, 1, 1), (7, 3, 3), (40, 2, 1)]


def found(made: Coded, piece: int = 1 << 20) -> Wrong:
    wrong = looked_at(made, draw(SECRET, made.geometry), piece)
    assert isinstance(wrong, Wrong)
    return wrong


@pytest.mark.parametrize(("blocks", "k", "m"), SHAPES)
@pytest.mark.parametrize("piece", [1, 3, 1 << 20])
def test_what_was_coded_right_passes_in_pieces_of_any_size(
    blocks: int, k: int, m: int, piece: int
) -> None:
    made = coded(blocks, k, m)
    words = looked_at(made, draw(SECRET, made.geometry), piece)
    assert isinstance(words, str)
    assert f"{made.geometry.steps} of {made.geometry.steps} columns coded again, 100 %" in words


@pytest.mark.parametrize("leaf", range(13))
def test_a_leaf_that_is_not_the_customers_own_is_found(leaf: int) -> None:
    made = coded(13, 6, 3)
    wrong = found(made.with_leaves(flipped(made.leaves, leaf * 32)), 4)
    assert wrong.reason is Reason.LEAVES
    assert f"block {leaf} " in wrong.why
    assert (
        wrong.evidence
        == made.own[leaf * 32 : leaf * 32 + 32]
        + flipped(made.own, leaf * 32)[leaf * 32 : leaf * 32 + 32]
    )


def test_a_pad_that_is_none_is_found() -> None:
    made = coded(13, 6, 3)  # steps 3: pads from 13 to 17
    wrong = found(made.with_leaves(flipped(made.leaves, 15 * 32)), 4)
    assert (wrong.reason, wrong.stripe) == (Reason.LEAVES, 15)


def test_a_list_of_leaves_of_another_tree_is_found() -> None:
    made = coded(12, 4, 2)
    wrong = found(replace(made, leaves=flipped(made.leaves, made.parity_at(1, 2))))
    assert wrong.reason is Reason.TREE_ROOT


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("column", range(3))
def test_a_parity_block_that_is_not_of_its_code_is_found(number: int, column: int) -> None:
    made = coded(13, 6, 3)
    wrong = found(made.with_leaves(flipped(made.leaves, made.parity_at(number, column))))
    assert (wrong.reason, wrong.stripe) == (Reason.PARITY, column)
    assert len(wrong.evidence) == 64


def test_digests_of_other_slots_than_the_manifest_names_are_found() -> None:
    made = coded(12, 4, 2)
    wrong = found(replace(made, digests=swapped(made.digests, 3, 4)), 2)
    assert wrong.reason is Reason.SLOT_ROOT
    assert "slot 1" in wrong.why


def test_a_wrong_slot_root_is_found() -> None:
    made = coded(12, 4, 2)
    verification = made.manifest.protection.verification
    roots = [root.digest for root in verification.slot_roots]
    roots[5] = roots[4]
    wrong = found(replace(made, manifest=with_roots(made.manifest, roots)))
    assert wrong.reason is Reason.SLOT_ROOT


def test_a_wrong_root_over_the_slots_is_found() -> None:
    made = coded(12, 4, 2)
    roots = [root.digest for root in made.manifest.protection.verification.slot_roots]
    wrong = found(replace(made, manifest=with_roots(made.manifest, roots, over=roots[0])))
    assert wrong.reason is Reason.VERIFY_ROOT


@pytest.mark.parametrize("block", [0, 7, 17])
def test_a_wrong_digest_in_a_slot_tree_that_fits_it_is_found(block: int) -> None:
    made = coded(12, 4, 2)
    other = made.digests[32 * ((block + 1) % 18) :][:32]
    forged = made.digests[: block * 32] + other + made.digests[block * 32 + 32 :]
    wrong = found(made.with_digests(forged))
    assert wrong.reason is Reason.DIGEST
    assert f"block {block} " in wrong.why


def test_a_pad_with_another_digest_than_zeros_is_found() -> None:
    made = coded(13, 6, 3)
    digests = made.digests[: 15 * 32] + made.digests[:32] + made.digests[16 * 32 :]
    assert found(made.with_digests(digests), 4).reason is Reason.DIGEST


def test_a_digest_that_is_no_field_element_is_found() -> None:
    made = coded(12, 4, 2)
    digests = made.digests[:32] + b"\xff" * 32 + made.digests[64:]
    assert found(replace(made, digests=digests)).reason is Reason.DIGEST


RUNS = 2000


def caught_of(made: Coded, spoil: Callable[[random.Random], list[tuple[int, int]]]) -> int:
    """In how many of RUNS the check finds a wrong parity block; `spoil` draws them: (number of
    the parity row, column)."""
    caught = 0
    for seed in range(RUNS):
        rng = seeded_rng(seed)
        leaves, bad = bytearray(made.leaves), spoil(rng)
        for number, column in bad:
            leaves[made.parity_at(number, column)] ^= 1
        drawn = replace(draw(rng.randbytes(32), made.geometry), blocks=())
        wrong = parity_of(made.with_leaves(bytes(leaves)), drawn)
        if wrong is not None:
            assert wrong.reason is Reason.PARITY
            assert wrong.stripe in [column for _, column in bad]
            caught += 1
    return caught


def test_one_wrong_parity_block_in_a_hundred_is_caught_in_99_of_100_runs() -> None:
    """1 000 parity blocks in 500 columns, 10 of them wrong, anywhere."""
    made = coded(1000, 2, 2)

    def spoil(rng: random.Random) -> list[tuple[int, int]]:
        return [divmod(block, 500) for block in rng.sample(range(1000), 10)]

    assert caught_of(made, spoil) >= 0.99 * RUNS


def test_wrong_blocks_that_share_their_columns_are_caught_as_often_as_promised() -> None:
    """The best a cheat can do: 5 columns of 500, all of their parity. It is found in 99.0 % of
    runs, so that the count of 2 000 runs lies around 1 980."""
    made = coded(1000, 2, 1)
    spread = sqrt(RUNS * 0.99 * 0.01)
    caught = caught_of(made, lambda rng: [(0, column) for column in rng.sample(range(500), 5)])
    assert abs(caught - 0.99 * RUNS) <= 3 * spread


@pytest.mark.parametrize("count", [1, 2, 1023, 1024, 1025, 2048, 5000])
def test_roots_of_pieces_are_those_of_the_whole(count: int) -> None:
    leaves = b"".join(number.to_bytes(32, "little") for number in range(1, count + 1))
    zero = poseidon2.zero_block_digest(4096)
    tree, slot = StreamedTree(count), StreamedSlot(count, zero)
    for at in range(0, len(leaves), 700 * 32):
        tree.feed(leaves[at : at + 700 * 32])
        slot.feed(leaves[at : at + 700 * 32])
    assert tree.root() == merkle_root(leaves)
    assert slot.root() == poseidon2.root(padded_leaves(leaves, zero))


def test_a_tree_that_lacks_leaves_has_no_root() -> None:
    tree = StreamedTree(3)
    tree.feed(bytes(64))
    with pytest.raises(InputError, match="3 leaves"):
        tree.root()
