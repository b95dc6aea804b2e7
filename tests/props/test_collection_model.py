"""Uploads, fetches, reads, deletions, expiry and collection, interleaved in any order.

Whatever happens at the same time: a read that began while the dataset was here returns its bytes,
what is being fetched stays, an upload that shares blocks with what goes keeps them, and at the end
index, counters and files agree and nothing that should be gone takes space.
"""

import asyncio
import random
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule

from quire.base.errors import BlockMissing
from quire.store.dataset import RetentionRoot
from support.store_kit import BLOCK, PIN, Inline, Remote, TurnedClock, get, store_in

TTL = 100.0
BLOCKS = [random.Random(number).randbytes(BLOCK) for number in range(9)]

contents = st.builds(
    lambda blocks: b"".join(BLOCKS[b] for b in blocks),
    st.lists(st.integers(0, 8), min_size=1, max_size=9),
)


class CollectionMachine(RuleBasedStateMachine):
    """Steps begin work and go on without waiting for it; `settle` and the end wait."""

    data = Bundle("data")

    def __init__(self):
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="quire-collection-"))
        self.runner = asyncio.Runner()
        self.clock = TurnedClock()
        self.uploads = []  # (upload, content), written and not ended
        self.readers = []  # (exit stack with the hold, dataset, content)
        self.running = []  # tasks
        self.deletions = 0  # begun
        self.opening = store_in(
            self.directory,
            clock=self.clock,
            default_ttl=TTL,
            pack_bytes_max=8 * BLOCK,
            executor=Inline(),
        )
        self.store = self.runner.run(self.opening.__aenter__())

    def run(self, work):
        return self.runner.run(work)

    def begin(self, work):
        """Let it run beside everything that follows."""

        async def start():
            self.running.append(asyncio.get_running_loop().create_task(work))
            await asyncio.sleep(0)

        self.run(start())

    @rule(target=data, content=contents)
    def think_of(self, content):
        return content

    @rule(content=data)
    def upload(self, content):
        async def work():
            upload = self.store.begin_upload(block_size=BLOCK)
            await upload.write(content)
            await upload.commit()

        self.begin(work())

    @rule(content=data)
    def begin_upload(self, content):
        """Its blocks may be those of a dataset that goes before it ends."""

        async def work():
            upload = self.store.begin_upload(block_size=BLOCK)
            await upload.write(content)
            self.uploads.append((upload, content))

        self.run(work())

    @rule(is_aborted=st.booleans())
    def end_upload(self, is_aborted):
        if not self.uploads:
            return
        upload, content = self.uploads.pop(0)

        async def work():
            if is_aborted:
                await upload.abort()
                return
            dataset = await upload.commit(root=PIN)
            assert await get(self.store, dataset) == content

        self.run(work())

    @rule(content=data, start=st.integers(0, 8), count=st.integers(1, 9))
    def fetch(self, content, start, count):
        """As the exchange does: the manifest passes through, the blocks come while it is held."""
        remote = Remote.of(content)
        start = min(start, remote.count - 1)
        count = min(count, remote.count - start)

        async def work():
            deletions = self.deletions
            # The manifest's own time is over already: only the fetch itself keeps it.
            root = RetentionRoot("cache", "fetch", self.clock.seconds)
            await self.store.put_manifest(remote.manifest, root)
            with self.store.holding(remote.root):
                if self.store.tree(remote.root) is None:
                    return  # it was collected before anybody could hold it
                await self.store.collect()
                try:
                    await remote.give(self.store, start, count)
                except BlockMissing:
                    assert self.deletions > deletions  # it was deleted on request meanwhile
                    return
                await self.store.flush()
                if self.deletions == deletions:
                    state = self.store.tree(remote.root)
                    assert state.present.covers(start, start + count)

        self.begin(work())

    @rule(index=st.integers(0, 20))
    def begin_read(self, index):
        async def work():
            whole = [d for d in await self.store.datasets() if d.is_complete]
            if not whole:
                return
            dataset = whole[index % len(whole)]
            stack = ExitStack()
            stack.enter_context(self.store.holding(dataset.tree_root))
            if self.store.tree(dataset.tree_root) is None:
                stack.close()
                return
            self.readers.append((stack, dataset, await get(self.store, dataset)))

        self.run(work())

    @rule(is_last=st.booleans())
    def go_on_reading(self, is_last):
        if not self.readers:
            return
        stack, dataset, content = self.readers[0]

        async def work():
            assert await get(self.store, dataset) == content
            if is_last:
                self.readers.pop(0)
                stack.close()

        self.run(work())

    @rule(index=st.integers(0, 20))
    def delete(self, index):
        self.deletions += 1

        async def work():
            datasets = await self.store.datasets()
            if datasets:
                await self.store.delete(datasets[index % len(datasets)].manifest_cid)

        self.begin(work())

    @rule(seconds=st.sampled_from([1.0, 101.0]))
    def let_time_pass(self, seconds):
        self.clock.seconds += seconds
        self.begin(self.store.collect(batch=2))

    @rule()
    def settle(self):
        async def work():
            running, self.running = self.running, []
            await asyncio.gather(*running)
            await self.store.reclaimed()
            held = {dataset.tree_root for _, dataset, _ in self.readers}
            now = self.clock.seconds
            await self.store.collect()
            for dataset in await self.store.datasets():
                until = dataset.kept_until
                assert until is None or until > now or dataset.tree_root in held
                if dataset.is_complete:
                    await get(self.store, dataset)

        self.run(work())

    def teardown(self):
        async def work():
            await asyncio.gather(*self.running)
            for upload, _ in self.uploads:
                await upload.abort()
            for stack, _, _ in self.readers:
                stack.close()
            for dataset in await self.store.datasets():
                await self.store.delete(dataset.manifest_cid)
            report = await self.store.verify()
            assert report.problems == []
            assert (report.blocks, report.allocated_bytes) == (0, 0)
            space = self.store.space()
            assert (space.quota_used_bytes, space.quota_reserved_bytes) == (0, 0)
            await self.opening.__aexit__(None, None, None)

        try:
            self.run(work())
        finally:
            self.runner.close()
            shutil.rmtree(self.directory)


TestCollectionModel = CollectionMachine.TestCase
TestCollectionModel.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
