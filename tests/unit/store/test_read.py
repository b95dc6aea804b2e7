"""Reading: verified bytes or an error, never anything else."""

import asyncio
import errno
import random

import pytest

from quire.base.errors import BlockMissing, InputError
from quire.base.events import EventBus
from quire.formats.cid import Cid, block_cid, tree_cid
from quire.kernels.hashing import range_proof, verify_range
from quire.store.files import DirectoryDisk
from quire.store.shape import EMPTY_DIGEST
from support.store_kit import BLOCK, Remote, TurnedClock, assert_sound, get, put, store_in

RNG = random.Random(8)


def corrupt(directory, block):
    """Flip a byte of the block wherever it is in the packs."""
    for path in sorted(directory.glob("pack-*")):
        data = bytearray(path.read_bytes())
        at = data.find(block)
        if at >= 0:
            data[at + 100] ^= 1
            path.write_bytes(data)
            return
    raise AssertionError("the block is in no pack")


async def test_every_range_of_a_dataset_reads_and_proves(tmp_path):
    data = RNG.randbytes(2100 * BLOCK + 5)
    remote = Remote.of(data)
    async with store_in(tmp_path) as store:
        await put(store, data)
        ranges = [(0, 1), (0, 2101), (1023, 2), (1024, 1), (2047, 54), (2100, 1)]
        ranges += [(start, RNG.randrange(1, 2102 - start)) for start in RNG.sample(range(2101), 40)]
        for start, count in ranges:
            got = await store.read_range(remote.root, start, count)
            assert got == remote.blocks(start, count)
            proof = await store.prove_range(remote.root, start, count)
            assert proof == remote.proof(start, count)
            assert verify_range(got, BLOCK, start, remote.count, proof, remote.root) is not None


async def test_many_ranges_are_read_at_once_and_all_of_them_or_none(tmp_path):
    data = RNG.randbytes(50 * BLOCK)
    remote = Remote.of(data)
    ranges = [(49, 1), (0, 3), (7, 1), (2, 5)]
    async with store_in(tmp_path) as store:
        await put(store, data)
        assert await store.read_ranges(remote.root, ranges) == [
            remote.blocks(*each) for each in ranges
        ]
        assert await store.read_ranges(remote.root, []) == []
        with pytest.raises(InputError):
            await store.read_ranges(remote.root, [(0, 1), (50, 1)])
        corrupt(tmp_path, remote.blocks(4, 1))
        with pytest.raises(BlockMissing) as caught:
            await store.read_ranges(remote.root, ranges)
        assert caught.value.facts["missing"] == [4]
        assert await store.read_ranges(remote.root, ranges[:3])


@pytest.mark.parametrize("block_count", [1, 2, 3, 5, 1023, 1024, 1025, 2048, 2049, 3073])
async def test_proofs_of_trees_of_any_shape_are_those_of_the_kernel(tmp_path, block_count):
    data = b"".join(number.to_bytes(4, "big") * (BLOCK // 4) for number in range(block_count))
    remote = Remote.of(data)
    async with store_in(tmp_path) as store:
        assert (await put(store, data)).tree_root == remote.root
        for start in {0, block_count // 2, block_count - 1}:
            for count in {1, block_count - start}:
                proof = await store.prove_range(remote.root, start, count)
                assert proof == range_proof(remote.tree, block_count, start, count)


@pytest.mark.parametrize(("start", "count"), [(-1, 1), (0, 0), (0, 4), (3, 1), (2, 2), (0, -1)])
async def test_a_range_outside_the_tree_is_refused(tmp_path, start, count):
    async with store_in(tmp_path) as store:
        dataset = await put(store, RNG.randbytes(3 * BLOCK))
        with pytest.raises(InputError, match="not in a tree"):
            await store.read_range(dataset.tree_root, start, count)
        with pytest.raises(InputError, match="not in a tree"):
            await store.prove_range(dataset.tree_root, start, count)


async def test_an_unknown_tree_is_missing(tmp_path):
    async with store_in(tmp_path) as store:
        assert store.tree(bytes(32)) is None
        with pytest.raises(BlockMissing):
            await store.read_range(bytes(32), 0, 1)
        with pytest.raises(BlockMissing):
            await store.prove_range(bytes(32), 0, 1)


async def test_single_blocks_and_manifests_are_read_by_their_cid(tmp_path):
    remote = Remote.of(RNG.randbytes(3 * BLOCK))
    async with store_in(tmp_path) as store:
        dataset = await put(store, remote.data)
        assert await store.read_block(dataset.manifest_cid) == dataset.manifest_bytes
        assert await store.read_block(block_cid(remote.leaves(1, 1))) == remote.blocks(1, 1)
        assert await store.read_block(block_cid(EMPTY_DIGEST)) == b""
        others = [block_cid(bytes(32)), tree_cid(remote.root)]
        others.append(Cid(1, dataset.manifest_cid.codec, 0x12, bytes(32)))
        for cid in others:
            with pytest.raises(BlockMissing):
                await store.read_block(cid)


async def test_a_corrupt_block_counts_as_missing_in_every_dataset_and_for_good(tmp_path):
    clock = TurnedClock()
    events = EventBus(clock)
    bad = RNG.randbytes(BLOCK)
    one, two = RNG.randbytes(3 * BLOCK) + bad + bad, bad + RNG.randbytes(BLOCK)
    async with store_in(tmp_path, clock=clock, events=events) as store:
        first, second = await put(store, one), await put(store, two)
        corrupt(tmp_path, bad)
        with pytest.raises(BlockMissing) as caught:
            await store.read_range(first.tree_root, 1, 4)
        assert caught.value.facts["missing"] == [3, 4]
        assert [e.kind for e in events.history(str(block_cid(Remote.of(bad).digests)))] == [
            "store.block-corrupt"
        ]
        assert list(store.tree(first.tree_root).present) == [(0, 3)]
        assert list(store.tree(second.tree_root).present) == [(1, 2)]
        await assert_sound(store)
    async with store_in(tmp_path) as store:
        assert not (await store.dataset(first.manifest_cid)).is_complete
        assert (await store.dataset(second.manifest_cid)).present_count == 1
        with pytest.raises(BlockMissing):
            await store.read_range(second.tree_root, 0, 2)
        assert await store.read_range(first.tree_root, 0, 3) == one[: 3 * BLOCK]
        # The same upload, or a fetch, repairs it.
        await put(store, one)
        await Remote.of(two).give(store, 0, 1)
        await store.flush()
        assert await get(store, first) == one
        assert await get(store, second) == two
        await assert_sound(store)


async def test_a_corrupt_block_that_is_read_by_its_cid_counts_as_missing(tmp_path):
    remote = Remote.of(RNG.randbytes(2 * BLOCK))
    async with store_in(tmp_path) as store:
        dataset = await put(store, remote.data)
        corrupt(tmp_path, remote.blocks(1, 1))
        with pytest.raises(BlockMissing):
            await store.read_block(block_cid(remote.leaves(1, 1)))
        assert not (await store.dataset(dataset.manifest_cid)).is_complete
        await assert_sound(store)


@pytest.mark.parametrize("damage", ["cut", "removed"])
async def test_a_pack_that_is_cut_or_gone_is_missing_blocks(tmp_path, damage):
    data = RNG.randbytes(10 * BLOCK)
    async with store_in(tmp_path) as store:
        dataset = await put(store, data)
    (pack,) = tmp_path.glob("pack-*")
    if damage == "cut":
        with pack.open("r+b") as file:
            file.truncate(7 * BLOCK + 9)
    else:
        pack.unlink()
    async with store_in(tmp_path) as store:
        with pytest.raises(BlockMissing):
            await store.read_range(dataset.tree_root, 0, 10)
        left = 7 if damage == "cut" else 0
        assert store.tree(dataset.tree_root).present.count() == left
        await put(store, data)
        assert await get(store, dataset) == data
        assert (await store.verify()).problems == []


async def test_reads_beside_a_deletion_return_the_bytes_or_say_missing(tmp_path):
    data = RNG.randbytes(600 * BLOCK)
    async with store_in(tmp_path) as store:
        for _ in range(5):
            dataset = await put(store, data)
            started = asyncio.Event()

            async def read(root, started):
                outcomes = set()
                while True:
                    started.set()
                    try:
                        assert await store.read_range(root, 0, 600) == data
                        outcomes.add("read")
                    except BlockMissing:
                        return outcomes

            readers = [asyncio.create_task(read(dataset.tree_root, started)) for _ in range(3)]
            await started.wait()
            await store.delete(dataset.manifest_cid)
            await asyncio.gather(*readers)
        await assert_sound(store)


class FailingDisk(DirectoryDisk):
    """Fails the next reads, or every read that touches a bad byte."""

    fails = 0
    bad: tuple[str, int] | None = None

    def read_at(self, name, offset, length):
        if self.fails:
            self.fails -= 1
            raise OSError(errno.EIO, "Input/output error", name)
        if self.bad is not None and self.bad[0] == name and 0 <= self.bad[1] - offset < length:
            raise OSError(errno.EIO, "Input/output error", name)
        return super().read_at(name, offset, length)


async def test_a_disk_that_fails_to_read_once_loses_nothing(tmp_path):
    data = RNG.randbytes(20 * BLOCK)
    disk = FailingDisk(tmp_path)
    async with store_in(tmp_path, disk=disk) as store:
        dataset = await put(store, data)
        disk.fails = 1
        assert await get(store, dataset) == data
        await assert_sound(store)


async def test_a_block_that_the_disk_cannot_read_is_missing_and_only_that_one(tmp_path):
    data = RNG.randbytes(20 * BLOCK)
    disk = FailingDisk(tmp_path)
    async with store_in(tmp_path, disk=disk) as store:
        dataset = await put(store, data)
        disk.bad = ("pack-000001", 7 * BLOCK + 5)
        with pytest.raises(BlockMissing) as caught:
            await get(store, dataset)
        assert caught.value.facts["missing"] == [7]
        assert (await store.dataset(dataset.manifest_cid)).present_count == 19
        again = await put(store, data)  # the same bytes once more make it whole
        assert await get(store, again) == data
