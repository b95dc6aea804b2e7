"""Slot files keep trees whole, through crashes, and refuse what is not theirs."""

from __future__ import annotations

import errno
import random
from contextlib import suppress
from pathlib import Path

import pytest

from quire.base.errors import (
    DiskFull,
    EnvironmentProblem,
    InputError,
    IntegrityError,
    SlotFileDamaged,
    SlotMissing,
)
from quire.base.events import EventBus
from quire.dataset.slot_tree import tree_bytes
from quire.services.fsck import Fsck, in_words
from quire.sim.disk import SimDisk
from quire.sim.rng import Streams
from quire.store.files import DirectoryDisk
from quire.store.slot_file import HEADER_BYTES, SlotHeader
from quire.store.slot_files import SlotFiles, slot_file_name
from support.store_kit import Inline, TurnedClock, put, store_in

ROOT, OTHER = b"\x01" * 32, b"\x02" * 32


def layers_of(leaf_count: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(tree_bytes(leaf_count))


def files_on(disk: SimDisk | DirectoryDisk) -> SlotFiles:
    return SlotFiles(disk, EventBus(TurnedClock()), Inline())


def disk_of(seed: int = 1) -> SimDisk:
    return SimDisk(Streams(seed).stream("disk"))


@pytest.fixture(params=["real", "simulated"])
def disk(request: pytest.FixtureRequest, tmp_path: Path):
    found = DirectoryDisk(tmp_path) if request.param == "real" else disk_of()
    yield found
    found.close()


async def test_leaves_root_and_paths_are_those_that_were_written(disk) -> None:
    files, layers = files_on(disk), layers_of(8)
    await files.write(ROOT, 3, layers)
    tree = await files.open(ROOT, 3)
    nodes = [layers[at : at + 32] for at in range(0, len(layers), 32)]
    assert [tree.leaf(i) for i in range(8)] == nodes[:8]
    assert (tree.leaves(5), tree.leaves(0)) == (b"".join(nodes[:5]), b"")
    with pytest.raises(InputError):
        tree.leaves(9)
    assert (tree.root, tree.leaf_count) == (nodes[-1], 8)
    assert tree.path(5) == nodes[4] + nodes[8 + 3] + nodes[12]
    tree.check()


async def test_a_single_leaf_has_a_path_of_one_empty_place(disk) -> None:
    files = files_on(disk)
    await files.write(ROOT, 0, layers_of(1))
    assert (await files.open(ROOT, 0)).path(0) == bytes(32)


async def test_a_later_tree_takes_the_place_of_the_first(disk) -> None:
    files = files_on(disk)
    for seed in (1, 2):
        await files.write(ROOT, 0, layers_of(4, seed))
    assert (await files.open(ROOT, 0)).root == layers_of(4, 2)[-32:]
    assert disk.names() == [slot_file_name(ROOT, 0)]


async def test_files_are_listed_and_removed_by_slot_and_by_tree(disk) -> None:
    files = files_on(disk)
    for root, slot in ((OTHER, 0), (ROOT, 10), (ROOT, 2)):
        await files.write(root, slot, layers_of(2))
    disk.create("notes.txt")
    assert await files.held() == [(ROOT, 2), (ROOT, 10), (OTHER, 0)]
    assert await files.held(ROOT) == [(ROOT, 2), (ROOT, 10)]
    assert await files.remove(ROOT, 2)
    assert not await files.remove(ROOT, 2)
    assert await files.held() == [(ROOT, 10), (OTHER, 0)]


async def test_a_sweep_keeps_known_trees_only(disk) -> None:
    files = files_on(disk)
    for root in (ROOT, OTHER):
        await files.write(root, 0, layers_of(2))
    disk.create("7.draft")
    assert await files.sweep(lambda root: root == OTHER) == 2
    assert disk.names() == [slot_file_name(OTHER, 0)]


async def test_files_go_with_the_last_dataset_over_their_tree(tmp_path: Path) -> None:
    disk = disk_of()
    files = files_on(disk)
    async with store_in(tmp_path / "store") as store:
        first = await put(store, b"a" * 10_000)
        second = await put(store, b"a" * 10_000, filename="twin.txt")
        other = await put(store, b"b" * 10_000)
        assert first.tree_root == second.tree_root
        for root in (first.tree_root, other.tree_root, ROOT):
            await files.write(root, 1, layers_of(2))
        await files.follow(store)
        assert await files.held() == sorted([(first.tree_root, 1), (other.tree_root, 1)])
        await store.delete(first.manifest_cid)
        assert len(await files.held(first.tree_root)) == 1
        await store.delete(second.manifest_cid)
        await files.close()
        assert await files.held() == [(other.tree_root, 1)]
        await store.delete(other.manifest_cid)
        assert await files.held() == [(other.tree_root, 1)]  # nobody follows any more


async def test_what_is_not_here_is_said_to_be_missing(disk) -> None:
    files = files_on(disk)
    with pytest.raises(SlotMissing):
        await files.open(ROOT, 0)
    await files.write(ROOT, 0, layers_of(4))
    tree = await files.open(ROOT, 0)
    await files.remove(ROOT, 0)
    with pytest.raises(SlotMissing):
        tree.leaf(0)


@pytest.mark.parametrize("length", [0, 32, 31, 64 * 3, 32 * 6, 32 * 8, 1000])
async def test_what_is_no_slot_tree_is_not_written(length: int) -> None:
    disk = disk_of()
    with pytest.raises(InputError):
        await files_on(disk).write(ROOT, 0, bytes(length))
    assert disk.names() == []


@pytest.mark.parametrize(("root", "slot"), [(b"", 0), (ROOT, -1), (ROOT, 65536)])
async def test_slots_that_cannot_be_are_not_written(root: bytes, slot: int) -> None:
    with pytest.raises(InputError):
        await files_on(disk_of()).write(root, slot, layers_of(2))


@pytest.mark.parametrize("index", [-1, 4, 1 << 70])
async def test_a_leaf_that_does_not_exist_is_an_input_error(index: int) -> None:
    files = files_on(disk_of())
    await files.write(ROOT, 0, layers_of(4))
    tree = await files.open(ROOT, 0)
    with pytest.raises(InputError):
        tree.leaf(index)
    with pytest.raises(InputError):
        tree.path(index)


@pytest.mark.parametrize("at", range(HEADER_BYTES))
async def test_any_changed_byte_of_the_header_is_found_at_once(at: int) -> None:
    disk = disk_of()
    files = files_on(disk)
    await files.write(ROOT, 0, layers_of(4))
    disk.corrupt(slot_file_name(ROOT, 0), at)
    with pytest.raises(SlotFileDamaged, match="slot file"):
        await files.open(ROOT, 0)


@pytest.mark.parametrize("at", [0, 100, 3 * 32, 6 * 32 + 31])
async def test_a_changed_byte_of_the_layers_is_found_by_a_check(at: int) -> None:
    disk = disk_of()
    files = files_on(disk)
    await files.write(ROOT, 0, layers_of(4))
    disk.corrupt(slot_file_name(ROOT, 0), HEADER_BYTES + at)
    with pytest.raises(SlotFileDamaged, match="what was written"):
        (await files.open(ROOT, 0)).check()


@pytest.mark.parametrize("size", [0, 1, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 200, 5000])
async def test_a_file_of_another_length_is_refused(size: int) -> None:
    disk = disk_of()
    files = files_on(disk)
    await files.write(ROOT, 0, layers_of(4))
    disk.truncate(slot_file_name(ROOT, 0), size)
    with pytest.raises(SlotFileDamaged):
        await files.open(ROOT, 0)


async def test_a_file_that_is_cut_while_it_is_open_is_refused() -> None:
    disk = disk_of()
    files = files_on(disk)
    await files.write(ROOT, 0, layers_of(4))
    tree = await files.open(ROOT, 0)
    disk.truncate(slot_file_name(ROOT, 0), HEADER_BYTES + 40)
    with pytest.raises(SlotFileDamaged):
        tree.leaf(1)
    with pytest.raises(SlotFileDamaged):
        tree.check()


@pytest.mark.parametrize("content", [b"x" * 400, b"%PDF-1.7" + bytes(392), bytes(400)])
async def test_a_foreign_file_is_refused(content: bytes) -> None:
    disk = disk_of()
    disk.create(slot_file_name(ROOT, 0))
    disk.write_at(slot_file_name(ROOT, 0), 0, [content])
    with pytest.raises(SlotFileDamaged, match="no slot file"):
        await files_on(disk).open(ROOT, 0)


@pytest.mark.parametrize(("root", "slot"), [(OTHER, 0), (ROOT, 1)])
async def test_the_file_of_another_slot_is_refused(root: bytes, slot: int) -> None:
    disk = disk_of()
    files = files_on(disk)
    await files.write(root, slot, layers_of(4))
    disk.rename(slot_file_name(root, slot), slot_file_name(ROOT, 0))
    with pytest.raises(SlotFileDamaged, match="belongs to slot"):
        await files.open(ROOT, 0)


@pytest.mark.parametrize("leaf_count", [0, 3, 1 << 28, 1 << 63])
async def test_a_sound_header_with_an_impossible_count_is_refused(leaf_count: int) -> None:
    disk = disk_of()
    disk.create(slot_file_name(ROOT, 0))
    header = SlotHeader(ROOT, 0, leaf_count, bytes(32), bytes(32)).encode()
    disk.write_at(slot_file_name(ROOT, 0), 0, [header, bytes(7 * 32)])
    with pytest.raises(SlotFileDamaged, match="cannot be"):
        await files_on(disk).open(ROOT, 0)


async def test_a_bad_sector_is_damage() -> None:
    disk = disk_of()
    files = files_on(disk)
    await files.write(ROOT, 0, layers_of(4))
    disk.lose_sector(slot_file_name(ROOT, 0), 0)
    with pytest.raises(SlotFileDamaged, match="cannot be read"):
        await files.open(ROOT, 0)


async def test_a_check_of_everything_deletes_what_is_damaged_and_no_more(tmp_path: Path) -> None:
    disk = disk_of()
    files = files_on(disk)
    for slot in range(4):
        await files.write(ROOT, slot, layers_of(4, slot))
    disk.corrupt(slot_file_name(ROOT, 1), HEADER_BYTES + 40)
    disk.corrupt(slot_file_name(ROOT, 2), 3)
    async with store_in(tmp_path) as store:
        clock = TurnedClock()
        fsck = Fsck(store, None, clock, EventBus(clock), files)
        report = fsck.start()
        await fsck.wait()
    assert (report.state, report.dropped_slot_trees) == ("done", 2)
    assert "slot trees: 2 were damaged" in "\n".join(in_words(report, str))
    assert await files.held() == [(ROOT, 0), (ROOT, 3)]
    assert await files.drop_damaged() == 0


async def test_a_missing_damaged_or_wrong_tree_is_made_anew_once() -> None:
    disk, layers, made = disk_of(), layers_of(4), []
    files = files_on(disk)

    async def rebuild() -> bytes:
        made.append(1)
        return layers

    async def root() -> bytes:
        return (await files.open_or_rebuild(ROOT, 0, layers[-32:], rebuild)).root

    assert await root() == layers[-32:]  # was missing
    assert await root() == layers[-32:]  # is there
    assert len(made) == 1
    disk.corrupt(slot_file_name(ROOT, 0), 5)
    assert await root() == layers[-32:]
    assert len(made) == 2
    await files.write(ROOT, 0, layers_of(4, seed=9))
    assert await root() == layers[-32:]
    assert len(made) == 3


async def test_blocks_that_do_not_give_the_slot_root_leave_no_file() -> None:
    disk = disk_of()

    async def rebuild() -> bytes:
        return layers_of(4)

    with pytest.raises(IntegrityError, match="slot root"):
        await files_on(disk).open_or_rebuild(ROOT, 0, bytes(32), rebuild)
    assert disk.names() == []


@pytest.mark.parametrize("operation", ["create", "write", "sync", "rename"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
async def test_a_failing_write_leaves_the_old_tree_and_nothing_else(
    operation: str, code: int
) -> None:
    disk = disk_of()
    files = files_on(disk)
    await files.write(ROOT, 0, layers_of(4, 1))
    disk.fail_next(operation, code)
    with pytest.raises(DiskFull if code == errno.ENOSPC else EnvironmentProblem):
        await files.write(ROOT, 0, layers_of(4, 2))
    assert disk.names() == [slot_file_name(ROOT, 0)]
    tree = await files.open(ROOT, 0)
    tree.check()
    assert tree.root == layers_of(4, 1)[-32:]


class Killed(BaseException):
    pass


async def test_after_a_crash_at_any_step_the_tree_is_the_old_or_the_new_one() -> None:
    old, new = layers_of(256, 1), layers_of(256, 2)
    seen = []
    for step in range(5):
        for seed in range(20):
            disk, left = disk_of(seed), [step]
            await files_on(disk).write(ROOT, 0, old)

            def count_down(_operation: str, left: list[int] = left) -> None:
                left[0] -= 1
                if left[0] < 0:
                    raise Killed

            disk.connect(count_down)
            with suppress(Killed):
                await files_on(disk).write(ROOT, 0, new)
            found = files_on(disk.crash())
            await found.sweep(lambda _: True)
            tree = await found.open(ROOT, 0)
            tree.check()
            assert await found.held() == [(ROOT, 0)]
            seen.append((step, tree.root == new[-32:]))
    assert set(seen) == {(0, False), (1, False), (2, False), (3, False), (4, True)}
