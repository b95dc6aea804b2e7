"""The promises of design section 5, as checks. Each raises `Bug`: a promise was broken."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from quire.base.errors import BlockMissing
from quire.base.invariant import invariant
from quire.formats.cid import Cid
from quire.sim.clock import SimClock
from quire.sim.loop import SimLoop
from quire.sim.node import SimNode
from quire.sim.parts import Parts
from quire.sim.tasks import where

LOOK_SECONDS = 1.0
LATE_SECONDS_MAX = 3.0  # how long a wait may outlast its deadline before it counts as forgotten


async def check_acknowledged(node: SimNode, acknowledged: Mapping[Cid, bytes]) -> None:
    """What a node has said it holds, it still holds: complete, and byte for byte."""
    for cid, content in acknowledged.items():

        async def held(parts: Parts, cid: Cid = cid) -> bytes | None:
            dataset = await parts.store.dataset(cid)
            if dataset is None or not dataset.is_complete:
                return None
            try:
                blocks = await parts.store.read_range(dataset.tree_root, 0, dataset.block_count)
            except BlockMissing:
                return None
            return blocks[: dataset.manifest.original_size]

        found = await node.call(held)
        invariant(
            found is not None,
            f"{node.name} had acknowledged {cid} and does not hold it any more",
        )
        check_bytes(content, found or b"", f"{node.name} after a start")


def check_bytes(expected: bytes, found: bytes, where: str) -> None:
    """What was delivered is what was uploaded."""
    invariant(
        expected == found,
        f"{where}: {len(found)} bytes differ from the {len(expected)} that were uploaded",
    )


async def check_node(node: SimNode) -> None:
    """Counters, index and packs agree; every block reads back; the quota is kept."""

    async def verify(parts: Parts) -> list[str]:
        return (await parts.store.verify()).problems

    problems = await node.call(verify)
    invariant(not problems, f"the store of {node.name} is not sound: {'; '.join(problems)}")
    check_quota(node)
    if node.life is not None and node.life.parts is not None:
        reserved = node.life.parts.store.space().quota_reserved_bytes
        invariant(reserved == 0, f"{node.name} rests and has {reserved} bytes reserved")


def check_quota(node: SimNode) -> None:
    """A running node uses no more than it may."""
    if node.life is None or node.life.parts is None:
        return
    space = node.life.parts.store.space()
    invariant(
        0 <= space.quota_used_bytes <= node.quota_bytes and space.quota_reserved_bytes >= 0,
        f"{node.name} uses {space.quota_used_bytes} of {node.quota_bytes} bytes, "
        f"{space.quota_reserved_bytes} reserved",
    )


def check_nothing_left(loop: SimLoop) -> None:
    """Every task has ended, and no exception was lost on the way."""
    this = asyncio.current_task(loop)
    left = [where(task) for task in loop.tasks() if task is not this]
    invariant(not left, f"tasks are left at the end: {'; '.join(left)}")
    invariant(not loop.failures, f"asyncio reported: {'; '.join(loop.failures)}")


class Watch:
    """Looks, every second of virtual time, at what must hold at all times."""

    def __init__(self, nodes: Mapping[str, SimNode], clock: SimClock) -> None:
        self._nodes = nodes
        self._clock = clock
        self._late: dict[tuple[str, object, float], float] = {}

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for node in self._nodes.values():
                check_quota(node)
                self._check_waits(node)

    def _check_waits(self, node: SimNode) -> None:
        """No wait lasts longer than its deadline."""
        if node.life is None:
            return
        now = self._clock.monotonic()
        for wait in node.life.ground.shared.waits.of():
            if wait["remainingSeconds"] != 0.0:
                continue
            waited = wait["waitedSeconds"]
            since = round(now - (waited if isinstance(waited, float) else 0.0), 1)
            late_since = self._late.setdefault((node.life.owner, wait["subject"], since), now)
            invariant(
                now - late_since <= LATE_SECONDS_MAX,
                f"{node.name} waits past its deadline for {wait['reason']} ({wait['subject']})",
            )
