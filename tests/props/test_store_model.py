"""The store against a dict: whatever is done in whatever order, it holds what the dict holds."""

import asyncio
import random
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from quire.base.errors import BlockMissing, IntegrityError, QuotaExceeded
from quire.store.dataset import RetentionRoot
from support.store_kit import BLOCK, Remote, TurnedClock, get, store_in

QUOTA_BLOCKS = 60
TTL = 100.0
BLOCKS = [random.Random(number).randbytes(BLOCK) for number in range(12)]

contents = st.builds(
    lambda blocks, tail: b"".join(BLOCKS[b] for b in blocks) + BLOCKS[0][:tail],
    st.lists(st.integers(0, 11), max_size=8),
    st.integers(1, BLOCK),
)
names = st.sampled_from([None, "one", "two"])


class StoreMachine(RuleBasedStateMachine):
    data = Bundle("data")

    def __init__(self):
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="quire-model-"))
        self.runner = asyncio.Runner()
        self.clock = TurnedClock()
        self.stack = None
        # manifest digest -> (manifest, content, present blocks, expiry)
        self.model = {}
        self.run(self.open())

    def run(self, work):
        return self.runner.run(work)

    async def open(self):
        self.stack = AsyncExitStack()
        options = {"clock": self.clock, "default_ttl": TTL, "pack_bytes_max": 8 * BLOCK}
        opening = store_in(self.directory, quota_bytes=QUOTA_BLOCKS * BLOCK, **options)
        self.store = await self.stack.enter_async_context(opening)

    def used(self):
        """Bytes that the quota counts, by the model."""
        blocks = set()
        for _, content, present, _ in self.model.values():
            remote = Remote.of(content)
            blocks.update(remote.leaves(i, 1) for i in present)
        return len(blocks) * BLOCK + sum(len(manifest) for manifest, *_ in self.model.values())

    def completed(self, content):
        """The datasets of the same tree have the same blocks."""
        root, count = Remote.of(content).root, Remote.of(content).count
        for cid, (manifest, other, _, expiry) in self.model.items():
            if Remote.of(other).root == root:
                self.model[cid] = (manifest, other, set(range(count)), expiry)

    @rule(target=data, content=contents)
    def think_of(self, content):
        return content

    @rule(content=data, name=names, is_announced=st.booleans())
    def upload(self, content, name, is_announced):
        async def work():
            expected = len(content) if is_announced else None
            upload = self.store.begin_upload(block_size=BLOCK, expected_bytes=expected)
            await upload.write(content)
            return await upload.commit(filename=name)

        try:
            dataset = self.run(work())
        except QuotaExceeded:
            assert self.used() + Remote.of(content).count * BLOCK + 512 > QUOTA_BLOCKS * BLOCK
            return
        assert dataset.is_complete
        expiry = self.clock.seconds + TTL
        self.model[dataset.manifest_cid.digest] = (dataset.manifest_bytes, content, set(), expiry)
        self.completed(content)

    @rule(content=data)
    def abort(self, content):
        async def work():
            upload = self.store.begin_upload(block_size=BLOCK)
            await upload.write(content)
            await upload.abort()

        self.run(work())

    @rule(content=data, start=st.integers(0, 8), count=st.integers(1, 9))
    def fetch(self, content, start, count):
        remote = Remote.of(content)
        start = min(start, remote.count - 1)
        count = min(count, remote.count - start)

        async def work():
            root = RetentionRoot("pin", "", self.clock.seconds + TTL)
            dataset = await self.store.put_manifest(remote.manifest, root)
            held = {i for a, b in self.store.tree(remote.root).present for i in range(a, b)}
            cid, expiry = dataset.manifest_cid.digest, self.clock.seconds + TTL
            self.model[cid] = (remote.manifest, content, held, expiry)
            await remote.give(self.store, start, count)
            await self.store.flush()
            held = {i for a, b in self.store.tree(remote.root).present for i in range(a, b)}
            assert held >= set(range(start, start + count))
            for cid, (manifest, other, _, expiry) in self.model.items():
                if Remote.of(other).root == remote.root:
                    self.model[cid] = (manifest, other, held, expiry)

        try:
            self.run(work())
        except QuotaExceeded:
            return

    @rule(content=data, start=st.integers(0, 8), count=st.integers(1, 9), in_parts=st.booleans())
    def learn(self, content, start, count, in_parts):
        """A list of leaves changes nothing of what is held; blocks come by their digests alone."""
        remote = Remote.of(content)
        start = min(start, remote.count - 1)
        count = min(count, remote.count - start)

        async def work():
            tree = self.store.tree(remote.root)
            if tree is None:
                with pytest.raises(BlockMissing):
                    await self.store.put_leaves(remote.root, remote.digests)
                return
            if in_parts:
                leaves, proof = remote.leaves(start, count), remote.proof(start, count)
                await self.store.put_leaf_range(remote.root, start, leaves, proof)
                assert not (await self.store.unknown_leaves(remote.root)).within(
                    start, start + count
                )
                assert await self.store.prove_range(remote.root, start, count) == proof
            else:
                await self.store.put_leaves(remote.root, remote.digests)
                assert await self.store.leaves(remote.root) == remote.digests
            assert self.store.tree(remote.root).present == tree.present

        self.run(work())

    @rule(content=data, start=st.integers(0, 8), count=st.integers(1, 9), is_true=st.booleans())
    def rebuild(self, content, start, count, is_true):
        remote = Remote.of(content)
        start = min(start, remote.count - 1)
        count = min(count, remote.count - start)

        async def work():
            if self.store.tree(remote.root) is None:
                return
            await self.store.put_leaves(remote.root, remote.digests)
            blocks = bytearray(remote.blocks(start, count))
            if not is_true:
                blocks[-1] ^= 1
                with pytest.raises(IntegrityError):
                    await self.store.put_block_range(remote.root, start, blocks)
                return
            await self.store.put_block_range(remote.root, start, blocks)
            await self.store.flush()
            held = {i for a, b in self.store.tree(remote.root).present for i in range(a, b)}
            assert held >= set(range(start, start + count))
            for cid, (manifest, other, _, expiry) in self.model.items():
                if Remote.of(other).root == remote.root:
                    self.model[cid] = (manifest, other, held, expiry)

        try:
            self.run(work())
        except QuotaExceeded:
            return

    @rule(content=data, start=st.integers(0, 8), count=st.integers(1, 9))
    def shed(self, content, start, count):
        remote = Remote.of(content)
        start = min(start, remote.count - 1)
        count = min(count, remote.count - start)
        gone = set(range(start, start + count))
        same = [cid for cid, entry in self.model.items() if Remote.of(entry[1]).root == remote.root]
        held = len(self.model[same[0]][2] & gone) if same else 0
        assert self.run(self.store.shed(remote.root, start, count)) == held
        for cid in same:
            manifest, other, present, expiry = self.model[cid]
            self.model[cid] = (manifest, other, present - gone, expiry)

    @rule(index=st.integers(0, 20))
    def delete(self, index):
        if not self.model:
            return
        cid = sorted(self.model)[index % len(self.model)]

        async def work():
            for dataset in await self.store.datasets():
                if dataset.manifest_cid.digest == cid:
                    assert await self.store.delete(dataset.manifest_cid)

        self.run(work())
        del self.model[cid]

    @rule(seconds=st.sampled_from([1.0, 60.0, 101.0]))
    def let_time_pass(self, seconds):
        self.clock.seconds += seconds
        expired = [cid for cid, entry in self.model.items() if entry[3] <= self.clock.seconds]
        assert self.run(self.store.collect()) == len(expired)
        for cid in expired:
            del self.model[cid]

    @rule()
    def reopen(self):
        async def work():
            await self.stack.aclose()
            await self.open()

        self.run(work())

    @rule(index=st.integers(0, 20))
    def read_back(self, index):
        if not self.model:
            return
        cid = sorted(self.model)[index % len(self.model)]
        _, content, present, _ = self.model[cid]

        async def work():
            (dataset,) = [
                each for each in await self.store.datasets() if each.manifest_cid.digest == cid
            ]
            assert dataset.present_count == len(present)
            if dataset.is_complete:
                assert await get(self.store, dataset) == content
            else:
                with pytest.raises(BlockMissing):
                    await get(self.store, dataset)

        self.run(work())

    @invariant()
    def the_store_holds_what_the_model_holds(self):
        async def work():
            await self.store.reclaimed()
            assert {d.manifest_cid.digest for d in await self.store.datasets()} == set(self.model)
            assert self.store.space().quota_used_bytes == self.used()
            assert self.store.space().quota_reserved_bytes == 0

        self.run(work())

    def teardown(self):
        async def work():
            report = await self.store.verify()
            assert report.problems == []
            assert report.allocated_bytes == report.block_bytes
            await self.stack.aclose()

        try:
            self.run(work())
        finally:
            self.runner.close()
            shutil.rmtree(self.directory)


TestStoreModel = StoreMachine.TestCase
TestStoreModel.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
