"""Sends the sealed blocks of one link: sealed as they go, few under way, only what is missing.

    missing blocks ─► sealed 16 at a time ─► sent 8 at a time ─► acked ─► told every 64 or second
                         one piece ahead          ▲ unanswered for 30 s: again, at most 5 times

Source   point.md 6.5 (SENDING_DATA)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from quire.base.errors import DiskFull, PeerSilent, QuireError
from quire.dataset.envelope.seal import Sealer
from quire.formats.replica_answers import LinkState as LeaseAnswer
from quire.formats.replica_asking import SegmentData, StatusRequest
from quire.point.link import LinkState, fitted_bitmap
from quire.point.link_effects import SendData
from quire.point.link_events import Acked, LinkEvent, Mapped
from quire.point.values import BLOCK_BYTES, Code
from quire.services.retail.ciphertext import PIECE_BLOCKS, Ciphertext, Extent
from quire.services.retail.link_answers import refused
from quire.services.retail.link_ports import LinkPorts

RUN_BLOCKS = 8  # in one message, and under way: at most so many are sent again after a crash
RESEND_SECONDS = 30.0
SENDS_MAX = 5  # of one block
TOLD_BLOCKS, TOLD_SECONDS = 64, 1.0  # how often what is acked is written down


@dataclass(slots=True)
class _Flow:
    """One sending: bitmaps of what is acked, and of what of it was written down."""

    state: LinkState
    effect: SendData
    ciphertext: Ciphertext
    extent: Extent
    sealer: Sealer
    acked: int
    told: int
    told_at: float

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
        missing = [i for i in range(flow.extent.count) if not flow.acked >> i & 1]
        try:
            refusal = await self._send_pieces(flow, _runs(missing, PIECE_BLOCKS))
        except QuireError:
            await self._tell(flow)
            raise
        if refusal is not None:
            await self._tell(flow)
            return refusal
        return Acked(flow.have)

    async def _status(self, state: LinkState) -> bytes:
        """What the provider has now, by its own word."""
        order = state.order
        answer = await self._ports.client.ask(
            order.peer, order.addresses, order.link_id, StatusRequest()
        )
        body = answer.body
        if answer.code is Code.OK and isinstance(body, LeaseAnswer):
            return fitted_bitmap(body.have.bitmap, order.blocks)
        return bytes(-(-order.blocks // 8))  # sending will tell what is wrong

    def _flow(self, state: LinkState, effect: SendData, have: bytes) -> _Flow:
        order = state.order
        file = self._ports.file(order.upload_id)
        extent = file.ciphertext.extent(order.first_block, order.blocks)
        have = fitted_bitmap(have, order.blocks)
        acked = int.from_bytes(have, "little")
        now = self._ports.clock.monotonic()
        return _Flow(state, effect, file.ciphertext, extent, file.sealer(order), acked, acked, now)

    async def _send_pieces(
        self, flow: _Flow, pieces: Sequence[tuple[int, int]]
    ) -> LinkEvent | None:
        """None: all were acked."""
        loop = asyncio.get_running_loop()

        def begin(number: int) -> asyncio.Task[bytes]:
            sealed = flow.ciphertext.sealed(flow.extent, flow.sealer, *pieces[number])
            return loop.create_task(sealed)

        ahead = begin(0) if pieces else None
        try:
            for number, (start, count) in enumerate(pieces):
                assert ahead is not None
                data = memoryview(await ahead)
                ahead = begin(number + 1) if number + 1 < len(pieces) else None
                for at in range(0, count, RUN_BLOCKS):
                    part = data[at * BLOCK_BYTES : (at + RUN_BLOCKS) * BLOCK_BYTES]
                    refusal = await self._send_run(flow, SegmentData(start + at, part))
                    if refusal is not None:
                        return refusal
                    flow.acked |= ((1 << len(part) // BLOCK_BYTES) - 1) << (start + at)
                    await self._tell_sometimes(flow)
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.wait([ahead])
        return None

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
            told, flow.told = flow.told, flow.acked
            flow.told_at = self._ports.clock.monotonic()
            try:
                await self._post(flow.state, Acked(flow.have))
            except DiskFull:
                flow.told = told  # sending goes on; after a crash more would be sent again


def _runs(missing: Sequence[int], most: int) -> list[tuple[int, int]]:
    """(first, count) of neighbours, at most so many together."""
    runs: list[tuple[int, int]] = []
    for index in missing:
        if runs and runs[-1][0] + runs[-1][1] == index and runs[-1][1] < most:
            runs[-1] = runs[-1][0], runs[-1][1] + 1
        else:
            runs.append((index, 1))
    return runs
