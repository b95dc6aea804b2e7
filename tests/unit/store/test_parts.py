"""Pins, quota, extents, the bounded memory, and the real disk."""

import os
import random
import sqlite3

import pytest

from quire.base.errors import (
    Bug,
    DiskFull,
    EnvironmentProblem,
    QuotaExceeded,
    StoreCorrupt,
    StoreLocked,
)
from quire.store.catalog import Counts
from quire.store.extents import Extent, PackRow, merge
from quire.store.files import DirectoryDisk
from quire.store.lru import Lru
from quire.store.packs import Packs, pack_name, pack_number
from quire.store.pins import Pins
from quire.store.quota import Quota
from quire.store.rows import mapped

RNG = random.Random(14)


def test_a_pinned_block_is_spared_and_a_dying_one_cannot_be_pinned():
    pins = Pins()
    assert pins.pin([b"a", b"a", b"b"]) == [b"a", b"a", b"b"]
    assert pins.condemn([b"a", b"c"]) == {b"a"}
    assert pins.pin([b"a", b"c"]) == [b"a"]
    pins.spare()
    assert pins.pin([b"c"]) == [b"c"]
    pins.unpin([b"a", b"a", b"a", b"b", b"c"])
    assert pins.condemn([b"a", b"b", b"c"]) == set()


def test_quota_counts_what_is_used_and_what_is_promised():
    quota = Quota(1000)
    quota.update(Counts(blocks=2, block_bytes=500, manifests=1, manifest_bytes=100))
    quota.reserve(400)
    with pytest.raises(QuotaExceeded) as caught:
        quota.reserve(1)
    assert caught.value.facts["free_bytes"] == 0
    space = quota.space()
    assert (space.total_blocks, space.quota_used_bytes, space.quota_reserved_bytes) == (3, 600, 400)
    quota.release(400)
    with pytest.raises(Bug):
        quota.release(1)


def test_equal_pieces_merge_into_extents_within_a_pack():
    places = [1 << 32, (1 << 32) + 10, (1 << 32) + 30, 2 << 32]
    assert merge(reversed(places), 10) == [Extent(1, 0, 20), Extent(1, 30, 10), Extent(2, 0, 10)]
    assert merge([], 10) == []


def test_pack_names_and_numbers():
    assert pack_name(7) == "pack-000007"
    assert pack_number("pack-000007") == 7
    for name in ("ballast", "pack-", "pack-x", "pack-1.tmp", "7"):
        assert pack_number(name) is None


def test_a_value_loaded_while_something_was_forgotten_is_not_kept():
    lru = Lru(10, len)
    epoch = lru.epoch
    lru.forget(lambda key: True)
    lru.put("a", "aaa", epoch)
    assert lru.get("a") is None
    lru.put("a", "aaa", lru.epoch)
    lru.put("b", "bbbb", lru.epoch)
    assert lru.get("a") == "aaa"
    lru.put("c", "cccc", lru.epoch)
    assert lru.get("b") is None
    assert lru.get("a") == "aaa"


def test_extents_never_overlap_and_packs_are_sealed_when_settled(tmp_path):
    disk = DirectoryDisk(tmp_path)
    packs = Packs(disk, 64 * 1024)
    packs.adopt([])
    extents = [packs.write([RNG.randbytes(n)], n) for n in (8192, 4096, 61_440, 4096)]
    assert [(e.pack, e.offset) for e in extents] == [(1, 0), (1, 8192), (2, 0), (2, 61_440)]
    assert packs.sealable() == []
    packs.settle(extents[:2])
    packs.sync([1, 2])
    assert packs.sealable() == [1]
    packs.sealed([1])
    packs.discard(extents[2:])
    assert packs.sealable() == []
    assert disk.allocated(pack_name(2)) == 0
    again = Packs(disk, 64 * 1024)
    again.adopt([PackRow(1, 12_288, 0, True), PackRow(2, 20_000, 0, False)])
    assert again.write([b"x"], 1) == Extent(2, 20_480, 1)
    disk.close()


def test_extents_begin_at_pages_whatever_their_length(tmp_path):
    disk = DirectoryDisk(tmp_path)
    packs = Packs(disk)
    assert [packs.write([bytes(n)], n).offset for n in (1, 5000, 4096)] == [0, 4096, 12_288]
    disk.close()


def test_a_pack_whose_sync_failed_takes_no_more(tmp_path):
    class Failing(DirectoryDisk):
        def sync(self, name):
            raise OSError("Input/output error")

    disk = Failing(tmp_path)
    packs = Packs(disk)
    first = packs.write([b"x"], 1)
    for _ in range(2):
        with pytest.raises(EnvironmentProblem, match="failed to keep"):
            packs.sync([first.pack])
    assert packs.write([b"x"], 1).pack != first.pack
    disk.close()


def test_the_real_disk_writes_reads_punches_and_removes(tmp_path):
    disk = DirectoryDisk(tmp_path)
    disk.create("file")
    with pytest.raises(FileExistsError):
        disk.create("file")
    pieces = [RNG.randbytes(RNG.randrange(0, 50)) for _ in range(3000)]
    disk.write_at("file", 10, [bytearray(pieces[0]), *pieces[1:-1], memoryview(pieces[-1])])
    joined = b"".join(pieces)
    assert disk.read_at("file", 10, len(joined)) == joined
    assert disk.read_at("file", 10, len(joined) + 99) == joined
    assert disk.read_at("file", 1 << 30, 5) == b""
    disk.start_writeback("file", 0, 1 << 16)
    disk.sync("file")
    before = disk.allocated("file")
    disk.punch("file", 0, 8192)
    disk.sync("file")
    assert disk.read_at("file", 0, 8192) == bytes(8192)
    assert disk.size("file") == 10 + len(joined)
    assert disk.allocated("file") < before
    disk.truncate("file", 5)
    assert disk.size("file") == 5
    assert disk.names() == ["file"]
    assert disk.free_bytes() > 0
    disk.remove("file")
    with pytest.raises(FileNotFoundError):
        disk.read_at("file", 0, 1)
    disk.close()


def test_files_beyond_the_limit_are_closed_and_opened_again(tmp_path, monkeypatch):
    monkeypatch.setattr("quire.store.files.OPEN_FILES_MAX", 4)
    disk = DirectoryDisk(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(20):
        disk.create(f"f{number}")
        disk.write_at(f"f{number}", 0, [bytes([number])])
    assert len(os.listdir("/proc/self/fd")) <= before + 2 * 4  # each is open by two ways
    assert [disk.read_at(f"f{number}", 0, 9)[0] for number in range(20)] == list(range(20))
    disk.close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_FULL, DiskFull),
        (sqlite3.SQLITE_BUSY, StoreLocked),
        (sqlite3.SQLITE_CORRUPT, StoreCorrupt),
        (sqlite3.SQLITE_NOTADB, StoreCorrupt),
        (sqlite3.SQLITE_IOERR, EnvironmentProblem),
        (sqlite3.SQLITE_READONLY, EnvironmentProblem),
    ],
)
def test_errors_of_sqlite_become_errors_of_quire(code, expected):
    error = sqlite3.DatabaseError("reason")
    error.sqlite_errorcode = code
    with pytest.raises(expected), mapped():
        raise error
