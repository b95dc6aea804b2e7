"""The simulated disk keeps the port's promises and breaks everything else at a loss of power."""

from __future__ import annotations

import errno

import pytest

from quire.base.errors import DiskFull
from quire.sim.disk import PAGE_BYTES, SECTOR_BYTES, SimDisk
from quire.sim.machine import Machine
from quire.sim.rng import Streams


def disk_of(seed: int = 1, capacity_bytes: int = 1 << 20) -> SimDisk:
    return SimDisk(Streams(seed).stream("disk"), capacity_bytes=capacity_bytes)


def test_what_is_written_reads_back_with_holes_as_zeros() -> None:
    disk = disk_of()
    disk.create("a")
    disk.write_at("a", 10, [b"one", memoryview(b"two")])
    assert disk.read_at("a", 8, 100) == b"\0\0onetwo"
    assert (disk.size("a"), disk.allocated("a"), disk.names()) == (16, PAGE_BYTES, ["a"])


def test_what_was_synced_survives_every_loss_of_power() -> None:
    for seed in range(50):
        disk = disk_of(seed)
        disk.create("a")
        disk.write_at("a", 0, [b"x" * 10_000])
        disk.sync("a")
        disk.write_at("a", 10_000 // PAGE_BYTES * PAGE_BYTES + PAGE_BYTES, [b"y" * 9000])
        assert disk.crash().read_at("a", 0, 10_000)[: 2 * PAGE_BYTES] == b"x" * 2 * PAGE_BYTES


def test_pages_that_were_not_synced_are_kept_lost_or_torn() -> None:
    seen: dict[str, None] = {}
    for seed in range(60):
        disk = disk_of(seed)
        disk.create("a")
        disk.write_at("a", 0, [b"o" * PAGE_BYTES])
        disk.sync("a")
        disk.write_at("a", 0, [b"n" * PAGE_BYTES])
        page = disk.crash().read_at("a", 0, PAGE_BYTES)
        sectors = {page[at : at + SECTOR_BYTES] for at in range(0, PAGE_BYTES, SECTOR_BYTES)}
        assert sectors <= {b"o" * SECTOR_BYTES, b"n" * SECTOR_BYTES}
        seen["torn" if len(sectors) == 2 else page[:1].decode()] = None
    assert sorted(seen) == ["n", "o", "torn"]


def test_a_length_that_was_not_synced_may_be_found_old_new_or_between() -> None:
    found = {}
    for seed in range(60):
        disk = disk_of(seed)
        disk.create("a")
        disk.write_at("a", 0, [b"n" * 4 * PAGE_BYTES])
        found[disk.crash().size("a")] = None
    assert 0 in found
    assert 4 * PAGE_BYTES in found
    assert any(0 < size < 4 * PAGE_BYTES for size in found)


def test_names_are_durable_at_once_both_ways() -> None:
    disk = disk_of()
    disk.create("kept")
    disk.create("gone")
    disk.remove("gone")
    disk.create("old")
    disk.rename("old", "new")
    assert disk.crash().names() == ["kept", "new"]


def test_a_process_that_dies_loses_nothing_until_power_goes_too() -> None:
    disk = disk_of(3)
    disk.create("a")
    disk.write_at("a", 0, [b"n" * 64 * PAGE_BYTES])
    after_kill = disk.crash(loses_power=False)
    assert after_kill.read_at("a", 0, 64 * PAGE_BYTES) == b"n" * 64 * PAGE_BYTES
    assert after_kill.crash().read_at("a", 0, 64 * PAGE_BYTES) != b"n" * 64 * PAGE_BYTES


def test_a_full_disk_takes_what_fits_and_says_so() -> None:
    disk = disk_of(capacity_bytes=2 * PAGE_BYTES)
    disk.create("a")
    with pytest.raises(DiskFull):
        disk.write_at("a", 0, [b"x" * 3 * PAGE_BYTES])
    assert disk.size("a") == 2 * PAGE_BYTES
    disk.punch("a", 0, PAGE_BYTES)
    assert disk.free_bytes() == PAGE_BYTES
    disk.write_at("a", 0, [b"y" * PAGE_BYTES])
    assert disk.read_at("a", 0, 1) == b"y"


def test_a_punched_range_reads_as_zeros_and_keeps_the_length() -> None:
    disk = disk_of()
    disk.create("a")
    disk.write_at("a", 0, [b"x" * 3 * PAGE_BYTES])
    disk.punch("a", 100, 2 * PAGE_BYTES)
    assert disk.read_at("a", 99, 3) == b"x\0\0"
    assert (disk.size("a"), disk.allocated("a")) == (3 * PAGE_BYTES, 2 * PAGE_BYTES)


def test_truncating_cuts_and_grows() -> None:
    disk = disk_of()
    disk.create("a")
    disk.write_at("a", 0, [b"x" * 2 * PAGE_BYTES])
    disk.truncate("a", 10)
    disk.truncate("a", 20)
    assert disk.read_at("a", 0, 99) == b"x" * 10 + bytes(10)
    assert disk.allocated("a") == PAGE_BYTES


def test_planned_failures_come_once() -> None:
    disk = disk_of()
    disk.create("a")
    disk.fail_next("sync", errno.EIO)
    disk.fail_next("write", errno.ENOSPC)
    with pytest.raises(OSError, match="EIO"):
        disk.sync("a")
    with pytest.raises(DiskFull):
        disk.write_at("a", 0, [b"x"])
    disk.write_at("a", 0, [b"x"])
    disk.sync("a")
    assert disk.counts == {"create": 1, "sync": 2, "write": 2}


def test_a_corrupted_byte_stays_corrupted() -> None:
    disk = disk_of()
    disk.create("a")
    disk.write_at("a", 0, [b"abc"])
    disk.sync("a")
    disk.corrupt("a", 1)
    assert disk.crash().read_at("a", 0, 3) == b"a\x9dc"


@pytest.mark.parametrize(
    "call",
    [
        lambda disk: disk.read_at("none", 0, 1),
        lambda disk: disk.write_at("none", 0, [b"x"]),
        lambda disk: disk.sync("none"),
        lambda disk: disk.remove("none"),
        lambda disk: disk.size("none"),
    ],
)
def test_a_file_that_does_not_exist_is_not_found(call: object) -> None:
    with pytest.raises(FileNotFoundError):
        call(disk_of())  # type: ignore[operator]


def test_a_file_is_created_once() -> None:
    disk = disk_of()
    disk.create("a")
    with pytest.raises(FileExistsError):
        disk.create("a")


def test_power_goes_before_the_named_step_and_later_steps_do_not_matter() -> None:
    rng = Streams(1).stream("machine")
    machine = Machine.blank(rng, capacity_bytes=1 << 20)
    cut: list[int] = []
    machine.cut_power_at(3, lambda: cut.append(machine.steps))
    machine.disk.create("a")
    machine.disk.write_at("a", 0, [b"x" * 100])
    machine.disk.sync("a")  # power goes just before
    machine.disk.create("b")
    image = machine.cut(loses_power=True)
    assert cut == [3]
    assert image.disk.names() == ["a"]


def test_the_database_survives_as_last_committed() -> None:
    rng = Streams(1).stream("machine")
    machine = Machine.blank(rng, capacity_bytes=1 << 20)
    connection = machine.connect()
    connection.execute("CREATE TABLE t (n)")
    connection.execute("INSERT INTO t VALUES (1)")
    machine.committed(connection)
    connection.execute("INSERT INTO t VALUES (2)")
    again = Machine(machine.cut(loses_power=True), rng)
    assert again.connect().execute("SELECT n FROM t").fetchall() == [(1,)]
    machine.close()
    again.close()
