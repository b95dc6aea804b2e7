"""Churn notices mistakes too: each test breaks one part of the production code on purpose."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from quire.flow.download import _Ahead
from quire.kernels.hashing import sha256_blocks
from quire.net.exchange.by_cid import Hunt
from quire.sim.manners import Lie, Manners
from quire.sim.run import run_seed
from quire.sim.tally import Tally
from quire.store.blocks import BlockTable
from quire.store.catalog import CatalogTable, Due
from quire.store.dataset import RetentionRoot
from quire.store.packs import Packs
from quire.store.pins import Pins
from quire.store.quota import Quota

SEEDS_MAX = 40


def expect_failure(*words: str) -> None:
    """Some seed fails, with one of these texts in its error."""
    for seed in range(1, SEEDS_MAX + 1):
        outcome = run_seed(seed, "churn")
        if outcome.error is not None:
            message = str(outcome.error)
            assert any(word in message for word in words), f"seed {seed}: {outcome.error!r}"
            return
    raise AssertionError(f"{SEEDS_MAX} seeds did not notice")


def test_a_store_that_acknowledges_before_it_syncs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Packs, "sync", lambda self, packs: None)
    expect_failure("had acknowledged", "not sound")


def test_a_deletion_that_takes_what_an_upload_counts_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def pin(self: Pins, digests: Iterable[bytes]) -> list[bytes]:
        return list(digests)

    monkeypatch.setattr("quire.sim.scenarios.users.RUSH_CHANCE", 1.0)
    monkeypatch.setattr("quire.sim.scenarios.pool.SHARED_CHANCE", 0.9)
    monkeypatch.setattr(Pins, "pin", pin)
    monkeypatch.setattr(Pins, "unpin", lambda self, digests: None)
    expect_failure("went bad")


def test_a_deletion_that_takes_blocks_that_others_have(monkeypatch: pytest.MonkeyPatch) -> None:
    release = BlockTable.release

    def greedy(self: BlockTable, counts, length, pinned):  # type: ignore[no-untyped-def]
        all_leaves = {digest: (place, 1 << 30) for digest, (place, _) in counts.items()}
        release(self, all_leaves, length, pinned)

    monkeypatch.setattr(BlockTable, "release", greedy)
    expect_failure("lacks some of it", "not sound")


def test_an_exchange_that_accepts_whatever_a_peer_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    def believe(data, block_size, start, leaf_count, proof, root):  # type: ignore[no-untyped-def]
        return sha256_blocks(data, block_size)

    monkeypatch.setattr("quire.net.exchange.pump.verify_range", believe)
    expect_failure("wrong bytes", "lacks", "not sound", "differ")


def test_a_manifest_that_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Anything:
        """Equal to every digest."""

        def __eq__(self, other: object) -> bool:
            return True

        def __ne__(self, other: object) -> bool:
            return False

        __hash__ = object.__hash__

    class Unchecked:
        def sha256(self, data: bytes) -> Unchecked:
            return self

        def digest(self) -> Anything:
            return Anything()

    def of_liar(cls: type[Manners], rng: random.Random, tally: Tally) -> Manners:
        return cls(rng, tally, (Lie.MANIFEST,), 1.0)

    monkeypatch.setattr("quire.net.exchange.by_cid.hashlib", Unchecked())
    monkeypatch.setattr(Manners, "of_liar", classmethod(of_liar))
    expect_failure("wrong bytes", "lacks it", "which nobody has", "was not found")


def test_a_store_that_reads_without_verifying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quire.store.read.verify_blocks", lambda data, size, digests: -1)
    expect_failure("wrong bytes", "not sound", "never lied is banned")


def test_a_collection_that_takes_what_is_retained(monkeypatch: pytest.MonkeyPatch) -> None:
    def due(self: CatalogTable, now: float, after: tuple[float, int], limit: int) -> list[Due]:
        rows = self.every() if after == (-1.0, 0) else []
        return [Due((0.0, row.id), row.cid) for row in rows if row.roots]

    monkeypatch.setattr(CatalogTable, "due", due)
    monkeypatch.setattr("quire.store.retention.is_due", lambda row, now: True)
    expect_failure("has lost it", "lacks")


def test_a_pin_that_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    retain = CatalogTable.retain

    def forget(self: CatalogTable, dataset_id: int, root: RetentionRoot) -> None:
        if root.kind == "cache":
            retain(self, dataset_id, root)
            return
        self._rows.run("DELETE FROM root WHERE dataset = ? AND kind = ?", dataset_id, root.kind)
        retain(self, dataset_id, root)

    monkeypatch.setattr(CatalogTable, "retain", forget)
    expect_failure("has lost it")


def test_a_quota_that_never_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def reserve(self: Quota, size_bytes: int) -> None:
        self._reserved_bytes += size_bytes

    monkeypatch.setattr(Quota, "reserve", reserve)
    expect_failure(" uses ")


def test_a_deletion_that_is_only_said_to_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quire.store.retention.Retention._delete", _said_to_be_done)
    expect_failure("still has it", "has it again", "is empty and uses")


async def _said_to_be_done(self, digest, expired_at):  # type: ignore[no-untyped-def]
    return True


def test_a_download_that_outlasts_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    ensure = _Ahead._ensure

    async def patient(self: _Ahead, start: int, count: int) -> None:
        self._idle_seconds = 3000.0
        await ensure(self, start, count)

    monkeypatch.setattr(_Ahead, "_ensure", patient)
    expect_failure("an answer of", "no answer of")


def test_a_search_that_outlasts_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    wait = Hunt.wait

    async def patient(self: Hunt, deadline: float) -> bytes:
        return await wait(self, deadline + 20)

    monkeypatch.setattr(Hunt, "wait", patient)
    expect_failure("a manifest of", "an answer of")
