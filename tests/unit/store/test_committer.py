"""Group commit: one bad change does not take the others with it, nor a committed one back."""

import asyncio
import sqlite3

import pytest

from quire.base.errors import Busy, DiskFull
from quire.store.ballast import Ballast
from quire.store.committer import Change, Committer
from quire.store.files import DirectoryDisk
from quire.store.meta import Meta
from quire.store.packs import Packs
from quire.store.quota import Quota


@pytest.fixture
def committer(tmp_path):
    commits = []
    meta = Meta(
        lambda: sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False),
        on_commit=lambda connection: commits.append(1),
    )
    disk = DirectoryDisk(tmp_path)
    made = Committer(meta, Packs(disk), Ballast(disk, 0), Quota(1000), None)
    made.commits = commits
    made.meta = meta
    yield made
    meta.close()
    disk.close()


def setting(name, done, failed):
    return Change(
        lambda tables: tables.catalog.set_setting(name, 1),
        done=lambda _: done.append(name),
        failed=lambda _: failed.append(name),
    )


async def test_changes_that_wait_together_are_one_transaction(committer):
    done, failed = [], []
    before = len(committer.commits)
    await asyncio.gather(*[committer.run(setting(str(n), done, failed)) for n in range(50)])
    assert done == [str(n) for n in range(50)]
    assert len(committer.commits) - before == 1
    await committer.idle()


async def test_a_change_that_fails_is_undone_alone(committer):
    done, failed = [], []

    def bad(tables):
        tables.catalog.set_setting("bad", 1)
        raise Busy("no")

    futures = [
        committer.hand_in(setting("a", done, failed)),
        committer.hand_in(Change(bad, failed=lambda _: failed.append("bad"))),
        committer.hand_in(setting("b", done, failed)),
    ]
    await asyncio.wait(futures)
    assert isinstance(futures[1].exception(), Busy)
    assert (done, failed) == (["a", "b"], ["bad"])
    catalog = committer.meta.reading.catalog
    assert [catalog.setting(name) for name in ("a", "bad", "b")] == [1, None, 1]


async def test_when_the_disk_is_full_for_one_the_others_are_committed(committer):
    done, failed = [], []

    def full(tables):
        raise DiskFull("no space")

    futures = [
        committer.hand_in(setting("a", done, failed)),
        committer.hand_in(Change(full, failed=lambda _: failed.append("full"))),
        committer.hand_in(setting("b", done, failed)),
    ]
    await asyncio.wait(futures)
    assert isinstance(futures[1].exception(), DiskFull)
    assert (done, failed) == (["a", "b"], ["full"])


async def test_a_mistake_of_ours_is_not_swallowed_and_the_committer_goes_on(committer):
    done, failed = [], []

    def mistake(tables):
        raise KeyError("mistake")

    loop = asyncio.get_running_loop()
    heard = []
    loop.set_exception_handler(lambda _, context: heard.append(context))
    with pytest.raises(KeyError):
        await committer.run(Change(mistake))
    await committer.run(setting("a", done, failed))
    assert done == ["a"]


async def test_the_outcome_is_noted_even_when_nobody_waits_any_more(committer):
    done, failed = [], []
    committer.hand_in(setting("a", done, failed)).cancel()
    await committer.idle()
    assert done == ["a"]
