"""A protected dataset is given away, read and rebuilt under everything that can go wrong.

QUIRE_SEEDS sets how many seeds are run (default 20).
"""

from __future__ import annotations

import os

import pytest

from quire.base.errors import Bug
from quire.flow.slots import SlotHolds
from quire.sim.run import run_seed
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.leaflists import LeafLists
from quire.store.store import Store

SEEDS = int(os.environ.get("QUIRE_SEEDS", "20"))
CHUNK = 5  # seeds of one test, so that processes can share the work
MUTANT_SEEDS = range(1, 21)


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
@pytest.mark.timeout(300)
def test_slots_outlive_any_three_nodes(first: int) -> None:
    for seed in range(first, first + CHUNK):
        outcome = run_seed(seed, "dispersal")
        assert outcome.error is None, (
            f"seed {seed}: {outcome.error!r}\nrepeat with: {outcome.reproduce}\n"
            + "\n".join(outcome.lines[-20:])
        )


def test_the_same_seed_gives_the_same_dispersal() -> None:
    first = [run_seed(seed, "dispersal").lines for seed in (1, 2)]
    assert first == [run_seed(seed, "dispersal").lines for seed in (1, 2)]


def test_every_slot_is_taken_in_spite_of_crashes() -> None:
    """Otherwise the seeds would prove less than they seem to."""
    seen = "\n".join(line for seed in range(1, 16) for line in run_seed(seed, "dispersal").lines)
    wanted = (
        "power of host",
        "kill of host",
        "power-at-step of",
        "restart of host",
        "partition of",
        "slot.failed",
        "slot.cancelled",
        "slot.dropped",
        "dataset.decoding",
        "in the middle of a read",
        "rebuild.complete",
        "store.recovered",
    )
    assert [each for each in wanted if each not in seen] == []


def _first_error() -> BaseException | None:
    outcomes = (run_seed(seed, "dispersal") for seed in MUTANT_SEEDS)
    return next((each.error for each in outcomes if each.error is not None), None)


def test_a_slot_that_is_held_in_words_only_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    retain = Store.retain

    async def forgetful(self: Store, cid: object, root: RetentionRoot) -> None:
        if root.kind != "slot":
            await retain(self, cid, root)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "retain", forgetful)
    assert isinstance(_first_error(), Bug)


def test_a_slot_without_its_last_blocks_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = SlotHolds._fetch

    async def hasty(self: SlotHolds, dataset: Dataset, row: range) -> None:
        await fetch(self, dataset, row[:-1])

    async def digests(*_: object) -> bytes:
        return bytes(32)

    monkeypatch.setattr(SlotHolds, "_fetch", hasty)
    monkeypatch.setattr(SlotHolds, "_digests", digests)
    monkeypatch.setattr("quire.flow.slots.check_slot_root", lambda *_: None)
    assert isinstance(_first_error(), Bug)


def test_a_list_of_leaves_that_is_not_kept_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def forgetful(*_: object) -> None:
        """As if it were kept."""

    monkeypatch.setattr(LeafLists, "put_range", forgetful)
    assert isinstance(_first_error(), Bug)
