"""Sends the sealed blocks of one link: sealed as they go, few under way, only what is missing.

    missing blocks ─► runs of 4 ─► 2 under way ─► acked ─► told every 64 blocks or second
                          ▲ unanswered for 30 s: sent again, at most 5 times

Source   point.md 6.5 (SENDING_DATA)
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from quire.base.errors import PeerSilent, QuireError
from quire.dataset.envelope.seal import Sealer
from quire.formats.replica_answers import LinkState as LeaseAnswer
from quire.formats.replica_asking import SegmentData, StatusRequest
from quire.point.link import LinkState, bitmap_of
from quire.point.link_effects import SendData
from quire.point.link_events import Acked, LinkEvent, Mapped
from quire.point.values import BLOCK_BYTES, Code
from quire.services.retail.ciphertext import Ciphertext, Extent
from quire.services.retail.link_answers import refused
from quire.services.retail.link_ports import LinkPorts

RUN_BLOCKS = 4  # in one message: 256 KiB
RUNS_UNDER_WAY = 2  # 8 blocks: at most so many are sent again after a crash
RESEND_SECONDS = 30.0
SENDS_MAX = 5  # of one block
TOLD_BLOCKS, TOLD_SECONDS = 64, 1.0  # how often what is acked is written down


@dataclass(slots=True)
class _Flow:
    """One sending: runs (first block, count) that are left, bitmaps of what is acked, and of what
    of it was written down."""

    state: LinkState
    effect: SendData
    ciphertext: Ciphertext
    extent: Extent
    sealer: Sealer
    left: deque[tuple[int, int]]
    acked: int
    told: int
    told_at: float
    refusal: LinkEvent | None = None

    @property
    def have(self) -> bytes:
        return self.acked.to_bytes(-(-self.extent.count // 8), "little")


class LinkSending:
    """`post` hands an event to a link on the way."""

    def __init__(
        self, ports: LinkPorts, post: Callable[[LinkState, LinkEvent], Awaitable[None]]
    ) -> None:
        self._ports = ports
        self._post = post
        self._fresh: dict[bytes, None] = {}  # links whose bitmap the provider has just told
        self.sent_blocks = 0

    def is_fresh(self, link_id: bytes) -> None:
        """The provider has just said what it has of this link."""
        self._fresh[link_id] = None

    async def send(self, state: LinkState, effect: SendData) -> LinkEvent:
        """All that is missing. Raises PeerError; what was acked until then is told."""
        have, link_id = state.acked, state.order.link_id
        if link_id in self._fresh:
            del self._fresh[link_id]
        else:  # a restart, or a connection that was lost
            have = await self._status(state)
            await self._post(state, Mapped(have))
        flow = self._flow(state, effect, have)
        workers = [asyncio.ensure_future(self._work(flow)) for _ in range(RUNS_UNDER_WAY)]
        try:
            await asyncio.gather(*workers)
        except QuireError:
            await self._tell(flow)
            raise
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.wait(workers)
        if flow.refusal is not None:
            await self._tell(flow)
            return flow.refusal
        return Acked(flow.have)

    async def _status(self, state: LinkState) -> bytes:
        """What the provider has now, by its own word."""
        order = state.order
        answer = await self._ports.client.ask(
            order.peer, order.addresses, order.link_id, StatusRequest()
        )
        body = answer.body
        if answer.code is Code.OK and isinstance(body, LeaseAnswer):
            return bitmap_of(body.have.bitmap, order.blocks)
        return bytes(-(-order.blocks // 8))  # sending will tell what is wrong

    def _flow(self, state: LinkState, effect: SendData, have: bytes) -> _Flow:
        order = state.order
        file = self._ports.file(order.upload_id)
        extent = file.ciphertext.extent(order.first_block, order.blocks)
        have = bitmap_of(have, order.blocks)
        acked = int.from_bytes(have, "little")
        runs = deque(_runs([i for i in range(order.blocks) if not acked >> i & 1]))
        now = self._ports.clock.monotonic()
        return _Flow(
            state, effect, file.ciphertext, extent, file.sealer(order), runs, acked, acked, now
        )

    async def _work(self, flow: _Flow) -> None:
        while flow.left and flow.refusal is None:
            start, count = flow.left.popleft()
            data = await flow.ciphertext.sealed(flow.extent, flow.sealer, start, count)
            answer = await self._send_run(flow, SegmentData(start, data))
            if answer is not None:
                flow.refusal = answer
                return
            flow.acked |= ((1 << count) - 1) << start
            await self._tell_sometimes(flow)

    async def _send_run(self, flow: _Flow, body: SegmentData) -> LinkEvent | None:
        """None: acked."""
        order, sends = flow.state.order, 1
        while True:
            self.sent_blocks += len(body.data) // BLOCK_BYTES
            try:
                answer = await self._ports.client.ask(
                    order.peer, order.addresses, order.link_id, body, RESEND_SECONDS
                )
            except PeerSilent:
                if sends == SENDS_MAX:
                    raise
                sends += 1
                continue
            return (
                None
                if answer.code is Code.OK
                else refused(flow.effect, answer, int(self._ports.chain.now()))
            )

    async def _tell_sometimes(self, flow: _Flow) -> None:
        now = self._ports.clock.monotonic()
        if (flow.acked ^ flow.told).bit_count() >= TOLD_BLOCKS or now >= (
            flow.told_at + TOLD_SECONDS
        ):
            await self._tell(flow)

    async def _tell(self, flow: _Flow) -> None:
        if flow.acked != flow.told:
            flow.told, flow.told_at = flow.acked, self._ports.clock.monotonic()
            await self._post(flow.state, Acked(flow.have))


def _runs(missing: list[int]) -> list[tuple[int, int]]:
    """(first, count) of neighbours, none longer than a message."""
    runs: list[tuple[int, int]] = []
    for index in missing:
        if runs and runs[-1][0] + runs[-1][1] == index and runs[-1][1] < RUN_BLOCKS:
            runs[-1] = runs[-1][0], runs[-1][1] + 1
        else:
            runs.append((index, 1))
    return runs
