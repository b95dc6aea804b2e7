"""One tree, honest manifests and lies over it in any order: what is disputed is never believed."""

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quire.base.errors import BadManifest, BlockMissing
from quire.formats.manifest import decode_manifest
from support.padded import Padded, cid_of
from support.store_kit import BLOCK, PIN, TurnedClock, store_in

TREES = [Padded.of(blocks, 4, 2, is_verifiable=True) for blocks in range(5, 9)]


class PaddingMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="quire-padding-"))
        self.runner = asyncio.Runner()
        self.clock = TurnedClock()
        self.tree = TREES[0]
        self.manifests = []  # of the datasets that are here, in order
        self.known = set()  # leaves whose digests the store must know
        self.run(self.open())

    def run(self, work):
        return self.runner.run(work)

    async def open(self):
        self.stack = AsyncExitStack()
        opening = store_in(self.directory, clock=self.clock, pack_bytes_max=8 * BLOCK)
        self.store = await self.stack.enter_async_context(opening)

    def is_known(self):
        return self.store.tree(self.tree.root) is not None

    @precondition(lambda self: not self.manifests)
    @rule(number=st.integers(0, 3))
    def choose(self, number):
        self.tree = TREES[number]

    @rule(says=st.sampled_from(["plain", "honest", "verifiable", "short", 5, 6, 7, 8]))
    def register(self, says):
        tree = self.tree
        named = {"plain": tree.plain(), "honest": tree.honest, "verifiable": tree.truth.manifest}
        if says == "short":
            manifest = tree.plain(9)
        else:
            manifest = named[says] if isinstance(says, str) else tree.saying(says)
        try:
            self.run(self.store.put_manifest(manifest, PIN))
        except BadManifest:
            assert manifest not in (tree.honest, tree.truth.manifest) or self.is_of_other_shape()
            return
        if manifest not in self.manifests:
            self.manifests.append(manifest)

    def is_of_other_shape(self):
        return self.store.tree(self.tree.root).leaf_count != self.tree.count

    @rule(index=st.integers(0, 9))
    def delete(self, index):
        if self.manifests:
            manifest = self.manifests.pop(index % len(self.manifests))
            assert self.run(self.store.delete(cid_of(manifest)))
        if not self.manifests:
            self.known = set()

    @rule(start=st.integers(0, 11), count=st.integers(1, 6), is_block=st.booleans())
    def learn(self, start, count, is_block):
        """Blocks or digests with a proof."""
        tree = self.tree
        leaves = list(range(start, min(start + count, tree.count)))
        if is_block:
            leaves = [leaf for leaf in leaves if leaf not in tree.pads]
            leaves = [leaf for at, leaf in enumerate(leaves) if leaf == leaves[0] + at]
        if not leaves or not self.is_known() or self.is_of_other_shape():
            return
        start, count = leaves[0], len(leaves)

        async def work():
            if is_block:
                await tree.give(self.store, start, count)
                await self.store.flush()
                assert self.store.tree(tree.root).blocks.covers(start, start + count)
            else:
                part, proof = tree.leaves(start, count), tree.proof(start, count)
                await self.store.put_leaf_range(tree.root, start, part, proof)

        self.run(work())
        self.known |= set(leaves)

    @rule()
    def learn_all(self):
        if self.is_known() and not self.is_of_other_shape():
            self.run(self.store.put_leaves(self.tree.root, self.tree.digests))
            self.known = set(range(self.tree.count))

    @rule(start=st.integers(0, 11))
    def shed(self, start):
        if self.is_known() and not self.is_of_other_shape():
            self.run(self.store.shed(self.tree.root, start, 1))

    @rule()
    def reopen(self):
        async def work():
            await self.stack.aclose()
            await self.open()

        self.run(work())

    def claimed(self):
        """Leaves that every manifest of the true shape calls padding."""
        claims = []
        for manifest in map(decode_manifest, self.manifests):
            if manifest.block_count == self.tree.count:
                rounded = 8 if manifest.is_protected else 0
                claims.append(set(range(manifest.original_block_count, rounded)))
        return set.intersection(*claims) if claims else set()

    @invariant()
    def nothing_is_read_as_what_it_is_not(self):
        if not self.is_known() or self.is_of_other_shape():
            return
        tree, claimed = self.tree, self.claimed()

        async def work():
            present = self.store.tree(tree.root).present
            believed = claimed if claimed <= set(tree.pads) else set()  # lies may be found out
            assert all(leaf in present for leaf in tree.pads if leaf in believed | self.known)
            for leaf in range(tree.count):
                if leaf in present:
                    data = await self.store.read_range(tree.root, leaf, 1)
                    is_lie = leaf in claimed - self.known - set(tree.pads) and data == bytes(BLOCK)
                    assert is_lie or data == tree.blocks(leaf, 1)
                for read, truth in (
                    (self.store.read_leaves, tree.leaves(leaf, 1)),
                    (self.store.prove_range, tree.proof(leaf, 1)),
                ):
                    try:
                        assert await read(tree.root, leaf, 1) == truth
                    except BlockMissing:
                        assert read != self.store.read_leaves or leaf not in self.known
            if present.covers(0, tree.count):
                assert await self.store.leaves(tree.root) == tree.digests
                assert await self.store.read_range(tree.root, 0, tree.count) == tree.truth.blocks

        self.run(work())

    def teardown(self):
        async def work():
            await self.store.reclaimed()
            assert (await self.store.verify()).problems == []
            await self.stack.aclose()

        try:
            self.run(work())
        finally:
            self.runner.close()
            shutil.rmtree(self.directory)


TestPaddingModel = PaddingMachine.TestCase
TestPaddingModel.settings = settings(
    max_examples=40,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
