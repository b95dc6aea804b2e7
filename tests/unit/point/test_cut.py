"""Chunks of a dataset of ciphertext."""

from __future__ import annotations

from itertools import pairwise

import pytest

from quire.base.errors import InputError
from quire.base.rng import seeded_rng
from quire.point.audit import AUDIT_BLOCKS, detection, pick_blocks
from quire.point.cut import cut
from quire.point.values import BLOCK_BYTES

SCENARIO_BYTES = 42_991_616 + 657 * 16  # 40 MiB, padded, in 657 records with a tag each


def test_forty_mebibytes_are_three_chunks() -> None:
    chunks = cut(SCENARIO_BYTES)
    assert [chunk.blocks for chunk in chunks] == [256, 256, 145]
    assert [chunk.first_block for chunk in chunks] == [0, 256, 512]
    assert sum(chunk.blocks for chunk in chunks) == 657
    assert sum(chunk.sealed_bytes for chunk in chunks) == SCENARIO_BYTES


@pytest.mark.parametrize("size", [1, BLOCK_BYTES, BLOCK_BYTES + 1, 4 * BLOCK_BYTES, 1_000_003])
@pytest.mark.parametrize("chunk_blocks", [4, 5, 1024])
def test_chunks_follow_one_another_without_a_gap(size: int, chunk_blocks: int) -> None:
    chunks = cut(size, chunk_blocks)
    assert sum(chunk.sealed_bytes for chunk in chunks) == size
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    for before, after in pairwise(chunks):
        assert before.first_block + before.blocks == after.first_block
        assert before.sealed_bytes == before.blocks * BLOCK_BYTES == chunk_blocks * BLOCK_BYTES
    last = chunks[-1]
    assert 0 <= last.blocks * BLOCK_BYTES - last.sealed_bytes < BLOCK_BYTES


@pytest.mark.parametrize(("size", "blocks"), [(0, 256), (-1, 256), (1, 3), (1, 1025)])
def test_nothing_and_other_sizes_are_refused_in_words(size: int, blocks: int) -> None:
    with pytest.raises(InputError, match=r"empty|4 to 1024"):
        cut(size, blocks)


def test_an_audit_shows_three_different_blocks() -> None:
    rng = seeded_rng(1)
    picks = [pick_blocks(rng, 256) for _ in range(2000)]
    assert all(len(set(pick)) == AUDIT_BLOCKS and list(pick) == sorted(pick) for pick in picks)
    assert {index for pick in picks for index in pick} == set(range(256))
    assert pick_blocks(rng, 2) == (0, 1)
    assert pick_blocks(rng, 1) == (0,)


def test_a_twentieth_lost_is_found_within_a_day() -> None:
    assert round(detection(0.05, 24 * AUDIT_BLOCKS), 3) == 0.975
    assert detection(0.0, 72) == 0.0
    assert detection(1.0, 1) == 1.0
