"""A manifest CID becomes a dataset in the background."""

import asyncio

import pytest

from quire.base.errors import DeadlineExceeded
from quire.base.waits import Waits
from quire.flow.assemble import Assembler
from quire.flow.delete import delete_dataset
from quire.flow.fetch import KEPT_JOBS, Fetches, NotAManifest
from quire.formats.cid import block_cid, manifest_cid, tree_cid
from quire.store.dataset import RetentionRoot
from support.fakes import FakeExchange, FakeStore, make_dataset, make_ground


def make(*datasets: bytes):
    clock, events = make_ground()
    store = FakeStore()
    exchange = FakeExchange(store)
    made = []
    for data in datasets:
        dataset, blocks = make_dataset(data)
        exchange.world[dataset.manifest_cid.encode()] = (dataset, blocks)
        made.append(dataset)
    assembler = Assembler(store, exchange, clock, events, Waits(clock))
    fetches = Fetches(store, exchange, assembler, events, clock, idle_seconds=0.05)
    return fetches, store, exchange, events, made


async def until(fact):
    async with asyncio.timeout(5):
        while not fact():
            await asyncio.sleep(0)


async def test_a_fetch_finds_the_manifest_then_gets_the_blocks():
    fetches, store, exchange, events, (dataset,) = make(b"abc")
    fetch = fetches.start(dataset.manifest_cid, 5)
    assert fetch.state == "searching"
    await until(lambda: exchange.jobs)
    assert fetch.state == "fetching"
    exchange.jobs[0].finish()
    await until(lambda: fetch.has_ended)
    assert fetch.state == "complete"
    assert [e.kind for e in events.history(str(dataset.manifest_cid))] == [
        "fetch.started",
        "fetch.complete",
    ]
    assert (await store.dataset(dataset.manifest_cid)).is_complete
    assert fetches.of(dataset.manifest_cid) is fetch


async def test_a_second_start_joins_the_job_that_runs():
    fetches, _, exchange, _, (dataset,) = make(b"abc")
    fetch = fetches.start(dataset.manifest_cid, 5)
    assert fetches.start(dataset.manifest_cid, 5) is fetch
    await until(lambda: exchange.jobs)
    exchange.jobs[0].finish()
    await until(lambda: fetch.has_ended)
    assert fetches.start(dataset.manifest_cid, 5) is not fetch
    await fetches.stop()


async def test_an_unknown_cid_ends_in_words_within_its_deadline():
    fetches, _, _, events, _ = make()
    fetch = fetches.start(manifest_cid(b"nobody has this"), 5)
    await until(lambda: fetch.has_ended)
    assert fetch.state == "failed"
    assert isinstance(fetch.error, DeadlineExceeded)
    assert events.history()[-1].kind == "fetch.failed"


@pytest.mark.parametrize("cid", [tree_cid(bytes(32)), block_cid(bytes(32))])
async def test_a_cid_that_names_no_dataset_is_refused_before_anybody_is_asked(cid):
    fetches, _, _, _, _ = make()
    with pytest.raises(NotAManifest, match="not a manifest CID"):
        fetches.start(cid, 5)
    with pytest.raises(NotAManifest):
        await fetches.manifest(cid, 5)
    assert fetches.all() == []


async def test_cancelling_stops_the_job_and_says_whether_there_was_one():
    fetches, _, exchange, _, (dataset,) = make(b"abc")
    assert not await fetches.cancel(dataset.manifest_cid)
    fetch = fetches.start(dataset.manifest_cid, 5)
    await until(lambda: exchange.jobs)
    assert await fetches.cancel(dataset.manifest_cid)
    assert fetch.state == "cancelled"
    assert exchange.jobs[0].was_cancelled
    assert not await fetches.cancel(dataset.manifest_cid)


async def test_a_fetch_cancelled_before_it_began_ends_too():
    fetches, _, _, _, (dataset,) = make(b"abc")
    fetch = fetches.start(dataset.manifest_cid, 5)
    assert await fetches.cancel(dataset.manifest_cid)
    assert fetch.state == "cancelled"


async def test_a_fetch_that_gains_nothing_fails_with_the_reason():
    fetches, _, exchange, _, (dataset,) = make(b"abc")
    fetch = fetches.start(dataset.manifest_cid, 5)
    await until(lambda: fetch.state == "fetching" and exchange.jobs)
    await until(lambda: fetch.has_ended)
    assert fetch.state == "failed"
    assert "asking 1 peer" in fetch.error.message


async def test_a_complete_dataset_needs_no_job():
    fetches, store, exchange, _, (dataset,) = make(b"abc")
    store.add(*exchange.world[dataset.manifest_cid.encode()])
    fetch = fetches.start(dataset.manifest_cid, 5)
    await until(lambda: fetch.has_ended)
    assert fetch.state == "complete"
    assert exchange.jobs == []


async def test_old_jobs_are_forgotten():
    fetches, _, _, _, _ = make()
    for serial in range(KEPT_JOBS + 10):
        fetch = fetches.start(manifest_cid(b"%d" % serial), 5)
        await until(lambda fetch=fetch: fetch.has_ended)
    assert len(fetches.all()) <= KEPT_JOBS + 1


async def test_deleting_cancels_the_fetch_and_takes_the_dataset_out():
    fetches, store, exchange, events, (dataset,) = make(b"abc")
    fetches.start(dataset.manifest_cid, 5)
    await until(lambda: exchange.jobs)
    parts = {"store": store, "fetches": fetches, "events": events}
    assert await delete_dataset(dataset.manifest_cid, **parts)
    assert fetches.of(dataset.manifest_cid).state == "cancelled"
    assert not await delete_dataset(dataset.manifest_cid, **parts)
    assert not await delete_dataset(dataset.manifest.tree_cid, **parts)
    assert await store.datasets() == []


DAY = 86_400.0


@pytest.mark.parametrize(
    ("pinned_days", "asked_for", "is_kept_too"),
    [(1, True, True), (60, True, False), (None, True, False), (1, False, False)],
)
async def test_what_was_asked_for_outlasts_a_shorter_pin(pinned_days, asked_for, is_kept_too):
    fetches, store, _, _, (dataset,) = make(b"abc")
    fetches._keep_seconds = 30 * DAY
    store.add(*make_dataset(b"abc"))
    end = None if pinned_days is None else fetches._clock.now() + pinned_days * DAY
    await store.retain(dataset.manifest_cid, RetentionRoot("pin", "", end))
    await fetches.keep(await store.dataset(dataset.manifest_cid), is_asked_for=asked_for)
    roots = (await store.dataset(dataset.manifest_cid)).roots
    assert any(root.name == "fetch" for root in roots) is is_kept_too
