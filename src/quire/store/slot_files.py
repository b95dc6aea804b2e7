"""The slot trees of a node: one flat file for each slot that it holds.

`<tree root>-<slot>.tree`. A file is written under another name, made durable, then renamed, so that
what bears the name is whole. Files go when the last dataset over their tree goes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, TypeVar

from quire.base.errors import (
    DiskFull,
    EnvironmentProblem,
    IntegrityError,
    SlotFileDamaged,
    SlotMissing,
)
from quire.base.events import EventBus
from quire.store.dataset import Dataset
from quire.store.disk import Buffer, Disk
from quire.store.port import BlockStore
from quire.store.slot_file import SlotHeader, SlotTree

T = TypeVar("T")

Rebuild = Callable[[], Awaitable[Buffer]]

_NAME = re.compile(r"([0-9a-f]{64})-(0|[1-9][0-9]{0,4})\.tree")
_DRAFT = ".draft"


class SlotFiles:
    """Made over a directory of its own. May be called from one event loop only."""

    def __init__(self, disk: Disk, events: EventBus, executor: Executor | None = None) -> None:
        self._disk = disk
        self._events = events
        self._executor = executor
        self._drafts = 0
        self._removing: dict[asyncio.Future[int], None] = {}
        self._unfollow: Callable[[], None] | None = None

    async def write(self, tree_root: bytes, slot: int, layers: Buffer) -> None:
        """Keep the tree of a slot, in place of one that is there. Durable when this returns.

        layers   all layers, leaves first, as kernels.poseidon2.tree gives them
        Raises   InputError  these are no layers of a slot tree
                 DiskFull, EnvironmentProblem
        """
        self._drafts += 1
        await self._off_loop(self._write, tree_root, slot, layers, f"{self._drafts}{_DRAFT}")

    async def open(self, tree_root: bytes, slot: int) -> SlotTree:
        """The tree of a slot. Raises SlotMissing, SlotFileDamaged."""
        name = slot_file_name(tree_root, slot)
        return await self._off_loop(SlotTree.open, self._disk, name, tree_root, slot)

    async def open_or_rebuild(
        self, tree_root: bytes, slot: int, slot_root: bytes, rebuild: Rebuild
    ) -> SlotTree:
        """The tree of a slot whose root is known; made anew by `rebuild`, which gives its layers,
        when it is missing, damaged, or has another root.

        Raises   IntegrityError  what was made anew does not have the root either
                 what `rebuild` raises
        """
        with suppress(SlotMissing, SlotFileDamaged):
            tree = await self.open(tree_root, slot)
            if tree.root == slot_root:
                return tree
        return await self.rebuild(tree_root, slot, slot_root, rebuild)

    async def rebuild(
        self, tree_root: bytes, slot: int, slot_root: bytes, rebuild: Rebuild
    ) -> SlotTree:
        """As `open_or_rebuild`, when what is there is known to be of no use."""
        layers = await rebuild()
        if bytes(layers[-len(slot_root) :]) != slot_root:
            raise IntegrityError(
                f"the blocks of slot {slot} do not give the slot root of the manifest; the dataset"
                " was protected wrongly, or the manifest is not its own"
            )
        await self.write(tree_root, slot, layers)
        self._events.publish(
            "slot.rebuilt", "", f"the tree of slot {slot} of {tree_root.hex()[:16]}… was made anew"
        )
        return await self.open(tree_root, slot)

    async def remove(self, tree_root: bytes, slot: int) -> bool:
        """Delete the tree of a slot; False when there was none."""
        return await self._off_loop(self._remove, slot_file_name(tree_root, slot))

    async def held(self, tree_root: bytes | None = None) -> list[tuple[bytes, int]]:
        """(tree root, slot) of every file, or of those of one tree, in order."""
        return await self._off_loop(self._held, tree_root)

    async def drop_damaged(self) -> int:
        """Read every file and delete those that are damaged, so that they are made anew when they
        are needed; how many."""
        dropped = 0
        for tree_root, slot in await self.held():
            try:
                tree = await self.open(tree_root, slot)
                await self._off_loop(tree.check)
            except SlotMissing:
                continue
            except SlotFileDamaged as error:
                self._events.publish("slot.file-damaged", "", error.message)
                dropped += await self.remove(tree_root, slot)
        return dropped

    async def sweep(self, is_known: Callable[[bytes], bool]) -> int:
        """Delete what a crash left, and the files of trees that are not known; how many."""
        drafts = await self._off_loop(self._remove_drafts)
        roots = dict.fromkeys(root for root, _ in await self.held())
        gone = [root for root in roots if not is_known(root)]
        return drafts + await self._off_loop(self._remove_trees, gone)

    async def follow(self, store: BlockStore) -> None:
        """Delete the files of trees that the store does not know, now and whenever the last
        dataset over a tree is deleted; until `close`."""
        await self.sweep(lambda root: store.tree(root) is not None)

        def changed(kind: str, dataset: Dataset) -> None:
            if kind == "deleted" and store.tree(dataset.tree_root) is None:
                self._tree_gone(dataset.tree_root)

        self._unfollow = store.on_change(changed)

    async def close(self) -> None:
        """Follow no more, and wait for what is being deleted."""
        if self._unfollow is not None:
            self._unfollow()
            self._unfollow = None
        await asyncio.gather(*self._removing, return_exceptions=True)

    def _tree_gone(self, tree_root: bytes) -> None:
        loop = asyncio.get_running_loop()
        removing = loop.run_in_executor(self._executor, self._remove_trees, [tree_root])
        self._removing[removing] = None
        removing.add_done_callback(self._removed)

    # ---- blocking ----

    def _write(self, tree_root: bytes, slot: int, layers: Buffer, draft: str) -> None:
        header = SlotHeader.of(tree_root, slot, layers)
        try:
            self._disk.create(draft)
            self._disk.write_at(draft, 0, [header.encode(), layers])
            self._disk.sync(draft)
            self._disk.rename(draft, slot_file_name(tree_root, slot))
        except (DiskFull, OSError) as error:
            with suppress(OSError):
                self._disk.remove(draft)
            if isinstance(error, DiskFull):
                raise
            raise EnvironmentProblem(
                f"the tree of slot {slot} cannot be written: {error}; check the disk"
            ) from error

    def _remove(self, name: str) -> bool:
        try:
            self._disk.remove(name)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise EnvironmentProblem(f"{name} cannot be deleted: {error}") from error
        return True

    def _held(self, tree_root: bytes | None) -> list[tuple[bytes, int]]:
        try:
            names = [_NAME.fullmatch(name) for name in self._disk.names()]
        except OSError as error:
            raise EnvironmentProblem(f"the slot files cannot be listed: {error}") from error
        found = [(bytes.fromhex(match[1]), int(match[2])) for match in names if match]
        return sorted(each for each in found if tree_root in (None, each[0]))

    def _remove_drafts(self) -> int:
        return sum(self._remove(name) for name in self._disk.names() if name.endswith(_DRAFT))

    def _remove_trees(self, roots: Iterable[bytes]) -> int:
        wanted = frozenset(roots)
        found = [each for each in self._held(None) if each[0] in wanted]
        return sum(self._remove(slot_file_name(root, slot)) for root, slot in found)

    async def _off_loop(self, work: Callable[..., T], *values: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work, *values)

    def _removed(self, removing: asyncio.Future[int]) -> None:
        del self._removing[removing]
        error = removing.exception()
        if error is not None:
            self._events.publish("slot.not-removed", "", f"slot files stay behind: {error}")


def slot_file_name(tree_root: bytes, slot: int) -> str:
    return f"{tree_root.hex()}-{slot}.tree"
