"""A dataset that its customer does not keep is pushed block by block, and is there when all are."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from quire.aggregation.values import Service
from quire.formats.aggregator import AggregatorAnswer
from quire.formats.aggregator_answers import Progress
from quire.formats.aggregator_asking import PushBlocks, QuoteRequest, Seal, StatusRequest
from quire.formats.aggregator_codes import Code, Stage
from quire.formats.cid import manifest_cid, tree_cid
from quire.formats.manifest import Manifest, decode_manifest, encode_manifest
from quire.kernels.hashing import merkle_root, sha256_blocks
from quire.services.aggregating import pushed
from support.aggregator_kit import JOB, SECOND, Patron
from support.coding_kit import PUSHED_BLOCK as BLOCK
from support.coding_kit import CodingScene, Gate, coding_scene
from support.protect_kit import det, expected
from support.store_kit import assert_sound

SIZE = 13 * BLOCK + 1000  # 14 blocks
BLOCKS = 14


@dataclass(frozen=True)
class Stream:
    """A dataset as a customer pushes it: whole blocks, and its manifest."""

    data: bytes
    manifest: bytes

    @classmethod
    def of(cls, data: bytes, **names: str) -> Stream:
        padded = data + bytes(-len(data) % BLOCK)
        root = merkle_root(sha256_blocks(padded, BLOCK))
        return cls(padded, encode_manifest(Manifest(tree_cid(root), BLOCK, len(data), **names)))

    def run(self, index: int, count: int) -> PushBlocks:
        return PushBlocks(index, self.data[index * BLOCK : (index + count) * BLOCK])


STREAM = Stream.of(det(SIZE))


async def begun(at: CodingScene, patron: Patron | None = None, job_id: bytes = JOB) -> Patron:
    patron = patron or await at.place.patron()
    body = await at.accept(patron, SIZE, None, block_size=BLOCK)
    answer = await patron.ask(job_id, body)
    assert here(answer) == 0
    return patron


def here(answer: AggregatorAnswer) -> int:
    """How many blocks an aggregator says that it has."""
    assert answer.code is Code.OK, answer
    assert isinstance(answer.body, Progress)
    assert answer.body.stage is Stage.ACCEPTED
    assert answer.body.permille == answer.body.blocks * 1000 // BLOCKS
    return answer.body.blocks


async def pushed_all(patron: Patron, stream: Stream = STREAM) -> None:
    for index in range(0, BLOCKS, 4):
        answer = await patron.ask(JOB, stream.run(index, min(4, BLOCKS - index)))
        assert here(answer) == min(BLOCKS, index + 4)


async def test_a_pushed_dataset_is_coded_as_any_other(tmp_path):
    async with coding_scene(tmp_path) as at:
        patron = await begun(at)
        await pushed_all(patron)
        assert (await patron.ask(JOB, Seal(STREAM.manifest))).code is Code.OK
        receipt = await at.receipt(patron)
        assert receipt.original == manifest_cid(STREAM.manifest)
        assert await at.data(receipt.original) == det(SIZE)
        root, _ = expected(det(SIZE), 4, 2, BLOCK)
        assert decode_manifest(receipt.manifest).tree_cid.digest == root
        assert (await patron.ask(JOB, Seal(STREAM.manifest))).code is Code.OK
        assert len(await at.kept()) == 4


async def test_names_in_the_manifest_are_the_customers(tmp_path):
    async with coding_scene(tmp_path) as at:
        patron = await begun(at)
        named = Stream.of(det(SIZE), filename="holiday.tar", mimetype="application/x-tar")
        await pushed_all(patron, named)
        await patron.ask(JOB, Seal(named.manifest))
        receipt = await at.receipt(patron)
        assert receipt.original == manifest_cid(named.manifest)
        assert decode_manifest(receipt.manifest).filename == "holiday.tar"
        assert len(await at.kept()) == 4


async def test_runs_may_come_in_any_order_and_more_than_once(tmp_path):
    async with coding_scene(tmp_path) as at:
        patron = await begun(at)
        runs = [(8, 4), (2, 3), (12, 2), (0, 2), (0, 4), (5, 3), (8, 2), (7, 4), (0, 2)]
        answers = await asyncio.gather(*(patron.ask(JOB, STREAM.run(*run)) for run in runs))
        for (index, count), answer in zip(runs, answers, strict=True):
            assert here(answer) >= index + count
        assert here(await patron.ask(JOB, StatusRequest())) == BLOCKS
        assert (await patron.ask(JOB, Seal(STREAM.manifest))).code is Code.OK
        assert await at.data((await at.receipt(patron)).original) == det(SIZE)


async def test_after_a_restart_it_says_how_far_it_is_and_goes_on_from_there(tmp_path):
    async with coding_scene(tmp_path) as at:
        patron = await begun(at)
        assert here(await patron.ask(JOB, STREAM.run(0, 5))) == 5
        await at.restart()
        assert here(await patron.ask(JOB, StatusRequest())) == 5
        assert here(await patron.ask(JOB, STREAM.run(3, 8))) == 11
        await at.restart()
        assert here(await patron.ask(JOB, STREAM.run(11, 3))) == BLOCKS
        await at.restart()
        assert here(await patron.ask(JOB, StatusRequest())) == BLOCKS
        assert (await patron.ask(JOB, Seal(STREAM.manifest))).code is Code.OK
        assert await at.data((await at.receipt(patron)).original) == det(SIZE)
        await assert_sound(at.store)


async def test_a_crash_between_the_blocks_and_the_seal_loses_nothing(tmp_path):
    async with coding_scene(tmp_path) as at:
        patron = await begun(at)
        await pushed_all(patron)
        job = at.place.job()
        assert await at.pushed._made(job, pushed._work(job)) is not None
        await at.restart(Gate(1 << 30))
        assert here(await patron.ask(JOB, StatusRequest())) == BLOCKS
        assert here(await patron.ask(JOB, STREAM.run(0, 8))) == BLOCKS
        assert (await patron.ask(JOB, Seal(STREAM.manifest))).code is Code.OK
        assert await at.data((await at.receipt(patron)).original) == det(SIZE)


async def test_a_manifest_that_comes_too_early_is_refused_with_what_is_missing(tmp_path):
    async with coding_scene(tmp_path) as at:
        patron = await begun(at)
        await patron.ask(JOB, STREAM.run(0, 6))
        answer = await patron.ask(JOB, Seal(STREAM.manifest))
        assert (answer.code, "6 of 14 blocks are here" in answer.text) == (Code.INCOMPLETE, True)
        assert here(await patron.ask(JOB, StatusRequest())) == 6


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (b"no manifest", "that is no manifest"),
        (encode_manifest(Manifest(tree_cid(bytes(32)), BLOCK, SIZE - 1)), f"offer is for {SIZE}"),
        (encode_manifest(Manifest(tree_cid(bytes(32)), 4096, SIZE)), "in blocks of 4096"),
    ],
)
async def test_a_manifest_of_something_else_is_refused_and_the_blocks_stay(
    tmp_path, manifest, words
):
    async with coding_scene(tmp_path) as at:
        patron = await begun(at)
        await pushed_all(patron)
        answer = await patron.ask(JOB, Seal(manifest))
        assert (answer.code, words in answer.text) == (Code.REFUSED, True)
        assert here(await patron.ask(JOB, StatusRequest())) == BLOCKS


async def test_blocks_that_are_not_those_of_the_manifest_are_dropped_and_may_be_pushed_again(
    tmp_path,
):
    async with coding_scene(tmp_path) as at:
        patron = await begun(at)
        wrong = bytearray(STREAM.data)
        wrong[3 * BLOCK] ^= 1
        await pushed_all(patron, Stream(bytes(wrong), STREAM.manifest))
        answer = await patron.ask(JOB, Seal(STREAM.manifest))
        assert (answer.code, "push them again" in answer.text) == (Code.REFUSED, True)
        assert here(await patron.ask(JOB, StatusRequest())) == 0
        assert await at.kept() == []
        await pushed_all(patron)
        assert (await patron.ask(JOB, Seal(STREAM.manifest))).code is Code.OK
        assert await at.data((await at.receipt(patron)).original) == det(SIZE)


async def test_what_is_never_sealed_is_dropped_at_the_deadline(tmp_path):
    async with coding_scene(tmp_path) as at:
        before = at.store.space()
        patron = await begun(at)
        await pushed_all(patron)
        assert at.store.space().quota_reserved_bytes > before.quota_reserved_bytes
        at.place.advance(3601)
        job = await at.place.until_dropped()
        assert (job.at, job.why) == (Stage.FAILED, "the dataset was not pushed in time")
        answer = await patron.ask(JOB, STREAM.run(0, 2))
        assert isinstance(answer.body, Progress)
        assert answer.body.stage is Stage.FAILED
        await at.store.reclaimed()
        assert at.store.space() == before
        assert await at.store.resumables.every() == []
        await assert_sound(at.store)


async def test_room_is_kept_only_as_long_as_blocks_come(tmp_path):
    async with coding_scene(tmp_path) as at:
        patron = await begun(at)
        for index in range(3):
            at.place.advance(1000)
            assert here(await patron.ask(JOB, STREAM.run(index, 1))) == index + 1
        assert at.place.job().until == at.place.now + 600  # the deadline
        at.place.advance(300)
        assert at.place.job().at is Stage.ACCEPTED
        patron = await begun(at, patron, SECOND)
        at.place.advance(1801)
        assert (await at.place.until_dropped(SECOND)).why == "the dataset was not pushed in time"


async def test_what_a_forgotten_job_left_behind_is_dropped_at_the_start(tmp_path):
    async with coding_scene(tmp_path) as at:
        await at.pushed.expect(SECOND, SIZE)
        patron = await begun(at)
        await patron.ask(JOB, STREAM.run(0, 3))
        await at.restart()
        assert [row.id for row in await at.store.resumables.every()] == [f"job-{JOB.hex()}"]
        assert here(await patron.ask(JOB, StatusRequest())) == 3


async def test_blocks_too_far_ahead_or_beyond_the_end_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pushed, "WINDOW_BLOCKS", 6)
    async with coding_scene(tmp_path) as at:
        patron = await begun(at)
        answer = await patron.ask(JOB, STREAM.run(4, 3))
        assert (answer.code, "at most 6 beyond them" in answer.text) == (Code.BUSY, True)
        assert answer.retry_after_ms > 0
        assert here(await patron.ask(JOB, STREAM.run(0, 6))) == 6
        answer = await patron.ask(JOB, PushBlocks(13, bytes(2 * BLOCK)))
        assert (answer.code, "has 14 blocks; block 14" in answer.text) == (Code.REFUSED, True)


async def test_a_run_does_not_wait_for_ever_for_those_before_it(tmp_path, monkeypatch):
    monkeypatch.setattr(pushed, "GAP_SECONDS", 0.05)
    async with coding_scene(tmp_path) as at:
        patron = await begun(at)
        answer = await patron.ask(JOB, STREAM.run(4, 4))
        assert (answer.code, "there are 0" in answer.text) == (Code.BUSY, True)
        assert here(await patron.ask(JOB, STREAM.run(0, 4))) == 8  # it had been taken


async def test_who_fills_the_window_with_the_same_bytes_does_not_fill_the_memory(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(pushed, "WINDOW_BLOCKS", 8)
    monkeypatch.setattr(pushed, "GAP_SECONDS", 0.05)
    async with coding_scene(tmp_path) as at:
        patron = await begun(at)
        asks = (patron.ask(JOB, STREAM.run(at, 4)) for at in range(1, 5))
        answers = await asyncio.gather(*asks)
        assert [each.code for each in answers] == [Code.BUSY] * 4
        assert max(push.waiting_bytes for push in at.pushed._open.values()) <= 8 * BLOCK


async def test_only_whole_blocks_of_the_usual_size_can_be_pushed(tmp_path):
    async with coding_scene(tmp_path) as at:
        patron = await at.place.patron()
        body = await at.accept(patron, SIZE, None, block_size=4096)
        answer = await patron.ask(JOB, body)
        assert (answer.code, "not 4096" in answer.text) == (Code.REFUSED, True)
        assert await at.store.resumables.every() == []


async def test_what_does_not_fit_is_refused_before_anything_is_pushed(tmp_path):
    async with coding_scene(tmp_path) as at:
        patron = await at.place.patron()
        quote = QuoteRequest(Service.ENCODE, SIZE, BLOCK, 4, 2)
        body = await at.accept(patron, SIZE, None, block_size=BLOCK)
        space = at.store.space()
        at.store.offer(space.quota_max_bytes - SIZE)
        answer = await patron.ask(JOB, body)
        assert (answer.code, "would fit" in answer.text) == (Code.NOT_OFFERED, True)
        assert (await patron.ask(bytes(16), quote)).code is Code.NOT_OFFERED
        assert await at.store.resumables.every() == []
