"""A full disk: refused in words, nothing half-written, and deleting still works."""

import errno
import random

import pytest

from quire.base.errors import DiskFull
from quire.base.events import EventBus
from quire.store.ballast import Ballast
from quire.store.files import DirectoryDisk
from quire.store.meta import Meta, connect_file
from quire.store.store import Store
from support.store_kit import BLOCK, PIN, Remote, TurnedClock, assert_sound, get, put, store_in

RNG = random.Random(12)


class SmallDisk(DirectoryDisk):
    """A directory with room for `room` bytes."""

    room = 1 << 40

    def write_at(self, name, offset, segments):
        with self._mapped(name):
            used = sum(self.allocated(each) for each in self.names() if each.startswith("pack"))
            wanted = sum(len(segment) for segment in segments)
            if used + wanted > self.room:
                super().write_at(name, offset, [segments[0][:BLOCK]])
                raise OSError(errno.ENOSPC, "No space left on device")
        super().write_at(name, offset, segments)


async def write_and_commit(upload):
    for _ in range(20):
        await upload.write(RNG.randbytes(1 << 20))
    await upload.commit()


async def put_often(store, times):
    for _ in range(times):
        await put(store, RNG.randbytes(500 * BLOCK))


async def test_an_upload_to_a_full_disk_fails_and_leaves_nothing(tmp_path):
    disk = SmallDisk(tmp_path)
    async with store_in(tmp_path, disk=disk) as store:
        kept = await put(store, RNG.randbytes(100 * BLOCK))
        disk.room = 3 << 20
        upload = store.begin_upload(block_size=BLOCK)
        with pytest.raises(DiskFull, match="no space left"):
            await write_and_commit(upload)
        await assert_sound(store)
        assert store.space().total_blocks == 101
        again = await put(store, RNG.randbytes(100 * BLOCK))
        for dataset in (kept, again):
            assert len(await get(store, dataset)) == 100 * BLOCK
        await store.delete(kept.manifest_cid)
        await assert_sound(store)


async def test_a_fetched_range_to_a_full_disk_is_refused(tmp_path):
    disk = SmallDisk(tmp_path)
    remote = Remote.of(RNG.randbytes(500 * BLOCK))
    async with store_in(tmp_path, disk=disk) as store:
        await store.put_manifest(remote.manifest, PIN)
        disk.room = 1 << 20
        await remote.give(store, 0, 200)
        with pytest.raises(DiskFull):
            await remote.give(store, 200, 300)
        await store.flush()
        disk.room = 1 << 30
        await remote.give(store, 200, 300)
        await store.flush()
        await assert_sound(store)
        assert await store.read_range(remote.root, 0, 500) == remote.data


async def test_a_full_database_refuses_uploads_but_not_deletions(tmp_path):
    """The database may not grow, as on a full disk; throwing the ballast off makes room."""
    disk = DirectoryDisk(tmp_path)
    connection = connect_file(tmp_path / "meta.sqlite")
    meta = Meta(lambda: connection)

    class Thrown(Ballast):
        def drop(self):
            connection.execute("PRAGMA max_page_count = 1000000")
            return True

    store = await Store.open(
        disk,
        meta,
        quota_bytes=1 << 30,
        clock=(clock := TurnedClock()),
        events=EventBus(clock),
        default_ttl=None,
        ballast_bytes=0,
    )
    store._core.committer._ballast = Thrown(disk, 0)
    kept = await put(store, RNG.randbytes(50 * BLOCK))
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskFull):
        await put_often(store, 100)
    await assert_sound(store)
    assert await store.delete(kept.manifest_cid)
    await assert_sound(store)
    await store.close()
    disk.close()


def test_ballast_is_kept_when_there_is_room_and_dropped_once(tmp_path):
    disk = DirectoryDisk(tmp_path)
    ballast = Ballast(disk, 2 << 20)
    assert not ballast.drop()
    ballast.keep()
    ballast.keep()
    assert disk.allocated("ballast") >= 2 << 20
    assert ballast.drop()
    assert not ballast.drop()
    assert disk.allocated("ballast") == 0
    disk.close()


def test_ballast_is_not_taken_from_a_disk_that_is_nearly_full(tmp_path):
    class Nearly(DirectoryDisk):
        def free_bytes(self):
            return 3 << 20

    disk = Nearly(tmp_path)
    Ballast(disk, 2 << 20).keep()
    assert disk.names() == []
