"""Blocks that the disk has lost are found, noted, and taken off the list when they come back."""

import errno
import random
import sqlite3

import pytest

from quire.base.errors import BlockMissing, EnvironmentProblem
from quire.base.events import EventBus
from quire.services.fsck import Fsck
from quire.store.files import DirectoryDisk
from support.store_kit import BLOCK, PIN, Remote, TurnedClock, assert_sound, get, put, store_in

RNG = random.Random(21)


async def scan_all(store, step_bytes=64 * BLOCK):
    """(bytes read, leaves lost) of a whole pass."""
    position, read, lost = 0, 0, 0
    while position is not None:
        step = await store.scan(position, step_bytes)
        position, read, lost = step.position, read + step.read_bytes, lost + step.lost_leaves
    return read, lost


async def check(store):
    fsck = Fsck(store, None, TurnedClock(), EventBus(TurnedClock()))
    report = fsck.start()
    await fsck.wait()
    return report


def damage(path, offset, length=1):
    """Turn every bit of these bytes of a file."""
    data = bytearray(path.read_bytes())
    data[offset : offset + length] = bytes(b ^ 0xFF for b in data[offset : offset + length])
    path.write_bytes(data)


async def test_a_scan_reads_every_present_block_once(tmp_path):
    remote = Remote.of(RNG.randbytes(50 * BLOCK))
    async with store_in(tmp_path) as store:
        await put(store, RNG.randbytes(1500 * BLOCK))
        await store.put_manifest(remote.manifest, PIN)
        await remote.give(store, 10, 20)
        await store.flush()
        assert await store.present_bytes() == 1520 * BLOCK
        assert await scan_all(store) == (1520 * BLOCK, 0)
        assert await scan_all(store, step_bytes=1) == (1520 * BLOCK, 0)


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_byte_is_wrong_its_block_is_found_and_no_other(tmp_path, seed):
    rng = random.Random(seed)
    content = rng.randbytes(300 * BLOCK)
    async with store_in(tmp_path) as store:
        dataset = await put(store, content)
        wrong = sorted({rng.randrange(len(content)) // BLOCK for _ in range(rng.randrange(1, 6))})
        (pack,) = tmp_path.glob("pack-*")
        for block in wrong:
            damage(pack, block * BLOCK + rng.randrange(BLOCK))
        assert (await scan_all(store))[1] == len(wrong)
        assert (await scan_all(store))[1] == 0
        (wound,) = await store.wounds()
        assert [leaf for a, b in wound.leaves for leaf in range(a, b)] == wrong
        assert wound.byte_ranges() == [(a * BLOCK, b * BLOCK) for a, b in wound.leaves]
        with pytest.raises(BlockMissing):
            await store.read_range(dataset.tree_root, wrong[0], 1)
        remote = Remote.of(content)
        for block in wrong:
            await remote.give(store, block, 1)
        await store.flush()
        assert await store.wounds() == []
        assert await get(store, dataset) == content
        await assert_sound(store)


async def test_a_bad_block_that_datasets_share_is_missing_in_all_of_them(tmp_path):
    shared = RNG.randbytes(30 * BLOCK)
    async with store_in(tmp_path) as store:
        first = await put(store, shared)
        second = await put(store, RNG.randbytes(7 * BLOCK) + shared + shared)
        for block in range(3, 15):
            damage(tmp_path / "pack-000001", block * BLOCK + 5)
        assert (await scan_all(store))[1] == 36
        wounds = {w.dataset.manifest_cid: w for w in await store.wounds()}
        assert list(wounds[first.manifest_cid].leaves) == [(3, 15)]
        assert list(wounds[second.manifest_cid].leaves) == [(10, 22), (40, 52)]
        await put(store, shared)
        assert await get(store, first) == shared
        await store.delete(second.manifest_cid)
        await assert_sound(store)
        assert await store.wounds() == []


@pytest.mark.parametrize("harm", ["truncated", "deleted", "emptied"])
async def test_fsck_lists_what_a_harmed_pack_has_lost(tmp_path, harm):
    lost = RNG.randbytes(256 * BLOCK)
    whole = RNG.randbytes(100 * BLOCK)
    async with store_in(tmp_path) as store:
        first = await put(store, lost)
        second = await put(store, whole)
    pack = tmp_path / "pack-000001"
    if harm == "deleted":
        pack.unlink()
    else:
        with pack.open("r+b") as file:
            file.truncate(200 * BLOCK + 100 if harm == "truncated" else 0)
    async with store_in(tmp_path) as store:
        report = await check(store)
        assert report.state == "done"
        assert not report.is_good
        start = 200 if harm == "truncated" else 0
        (entry,) = report.lost
        assert entry.cid == str(first.manifest_cid)
        assert entry.byte_ranges == ((start * BLOCK, 256 * BLOCK),)
        assert report.damaged_blocks == 256 - start
        assert await get(store, second) == whole
        again = await put(store, lost)
        assert await get(store, again) == lost
        assert (await check(store)).is_good
        await assert_sound(store)


class FailingDisk(DirectoryDisk):
    """Cannot read some bytes."""

    def __init__(self, directory):
        super().__init__(directory)
        self.bad = range(0)
        self.code = errno.EIO

    def _fails(self, offset, length):
        if offset < self.bad.stop and self.bad.start < offset + length:
            raise OSError(self.code, "cannot be read")

    def read_at(self, name, offset, length):
        self._fails(offset, length)
        return super().read_at(name, offset, length)

    def read_medium(self, name, offset, length):
        self._fails(offset, length)
        return super().read_medium(name, offset, length)


async def test_what_the_disk_cannot_read_counts_as_damaged(tmp_path):
    disk = FailingDisk(tmp_path)
    async with store_in(tmp_path, disk=disk) as store:
        dataset = await put(store, RNG.randbytes(100 * BLOCK))
        disk.bad = range(40 * BLOCK + 10, 42 * BLOCK)
        report = await check(store)
        assert report.damaged_blocks == 2
        assert report.lost[0].byte_ranges == ((40 * BLOCK, 42 * BLOCK),)
        assert len(await store.read_range(dataset.tree_root, 42, 58)) == 58 * BLOCK


async def test_a_disk_that_fails_for_another_reason_condemns_nothing(tmp_path):
    disk = FailingDisk(tmp_path)
    async with store_in(tmp_path, disk=disk) as store:
        dataset = await put(store, RNG.randbytes(100 * BLOCK))
        disk.bad, disk.code = range(1 << 30), errno.EMFILE
        report = await check(store)
        assert (report.state, report.damaged_blocks) == ("failed", 0)
        with pytest.raises(EnvironmentProblem):
            await store.read_range(dataset.tree_root, 0, 5)
        disk.bad = range(0)
        assert (await check(store)).is_good


DISAGREEMENTS = {
    "counter": "UPDATE counter SET blocks = blocks + 7, block_bytes = 3",
    "manifests": "UPDATE counter SET manifests = 0, manifest_bytes = 0",
    "refs": "UPDATE block SET refs = refs + 2 WHERE rowid_of(digest)",
    "pack": "UPDATE pack SET live = live - 4096",
    "present": "UPDATE tree SET present_count = present_count - 1 WHERE id = 1",
    "kept": "UPDATE dataset SET kept_until = 5",
    "lost rows": "DELETE FROM block WHERE rowid_of(digest)",
    "orphans": (
        "INSERT INTO block SELECT randomblob(32), place + 67108864, length, 1 FROM block LIMIT 1"
    ),
}


@pytest.mark.parametrize("kind", DISAGREEMENTS)
async def test_fsck_puts_the_index_right(tmp_path, kind):
    content = RNG.randbytes(40 * BLOCK)
    async with store_in(tmp_path) as store:
        dataset = await put(store, content)
    connection = sqlite3.connect(tmp_path / "meta.sqlite")
    connection.create_function("rowid_of", 1, lambda digest: digest[0] < 64)
    with connection:
        assert connection.execute(DISAGREEMENTS[kind]).rowcount > 0
    connection.close()
    async with store_in(tmp_path) as store:
        assert (await store.verify()).problems
        report = await check(store)
        assert report.index_problems
        assert report.index_left == []
        if kind == "lost rows":
            assert [each.cid for each in report.lost] == [str(dataset.manifest_cid)]
            await put(store, content)
        assert (await check(store)).is_good
        assert await get(store, dataset) == content
        assert (await store.dataset(dataset.manifest_cid)).kept_until is None
        await store.reclaimed()
        assert (await store.verify()).problems == []


async def test_fsck_of_a_store_in_good_order_changes_and_finds_nothing(tmp_path):
    async with store_in(tmp_path) as store:
        await put(store, RNG.randbytes(100 * BLOCK))
        report = await check(store)
        assert report.is_good
        assert report.read_bytes == report.total_bytes == 100 * BLOCK
        assert (report.index_problems, report.damaged, report.lost) == ([], [], [])
