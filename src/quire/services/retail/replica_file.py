"""A file at the holders of its replicas: its ciphertext, block by block, wherever it is quickest.

    run of blocks ─► best holder ──500 ms──► second best      first that verifies counts
                       └─ proof against the sealed root ─► unsealed ─► paid

Nothing is unsealed, handed out or paid before its proof is checked against the root that the
uploader signed in the map.
Source   point.md 6.5
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeVar

from quire.base.clock import Clock
from quire.base.errors import (
    BlockMissing,
    InputError,
    InsufficientFunds,
    NotFound,
    PeerError,
    PeerGone,
    PeerLied,
    PeerRefused,
    PeerSilent,
    QuireError,
    Refused,
    VoucherRefused,
)
from quire.base.events import EventBus
from quire.channels.port import Payments
from quire.dataset.envelope.seal import Sealer, seal_key
from quire.formats.holders import ChunkPlace, Holder, Holders
from quire.formats.manifest import Manifest
from quire.formats.peer_id import decode_peer_id
from quire.formats.replica_answers import BlockRun, Blocks
from quire.formats.replica_asking import GetRequest
from quire.point.choice_port import Choice, Outcome
from quire.point.values import BLOCK_BYTES, Code
from quire.services.retail.holder_pace import FAILURES_MAX, Paces
from quire.services.retail.replica_client import ReplicaClient
from quire.services.retail.served import open_served
from quire.services.retail.tab import Purse, Tab

T = TypeVar("T")

RUN_BLOCKS = 8  # asked in one request: 512 KiB
RUNS_AHEAD = 12
HEDGE_SECONDS = 0.5
AT_ONCE = 2  # holders asked for the same run


@dataclass(frozen=True, slots=True)
class _Run:
    """Blocks [start, start + count) of a chunk."""

    chunk: int
    start: int
    count: int
    size: int  # whole blocks, in bytes


@dataclass(slots=True)
class _Attempt:
    """Of a run at one holder. `is_sent`: he may be at it, and what he serves is paid."""

    is_sent: bool = False


@dataclass(frozen=True, slots=True)
class ReadPorts:
    """What reading from holders stands on. `payments`: None where the node has no account."""

    client: ReplicaClient
    choice: Choice
    payments: Payments | None
    clock: Clock
    events: EventBus
    executor: Executor | None


class ReplicaFile:
    """One reading of one file. To be closed, which pays what is owed."""

    def __init__(
        self, holders: Holders, manifest: Manifest, seal_root: bytes, ports: ReadPorts, purse: Purse
    ) -> None:
        self.manifest = manifest
        self._holders = holders
        self._ports = ports
        self._purse = purse
        self._seal_root = seal_root
        self._paces = Paces()
        self._tabs: dict[str, Tab] = {}
        self._sealers: dict[tuple[str, int, int], Sealer] = {}  # by peer, replica, epoch
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._of_chunk: dict[int, list[Holder]] = {}
        for each in holders.replicas:
            self._of_chunk.setdefault(each.chunk, []).append(each)
        for peer in holders.addresses:
            if ports.choice.shuns(peer):
                self._paces.of(peer).failures = FAILURES_MAX
        self.asked_blocks = 0  # of all holders, hedged ones too
        self.lied: dict[str, None] = {}  # peers that served what does not verify
        self._has_served: dict[str, bool] = {}  # peers that were asked: well, every time

    # ---- reading ----

    async def stream(self, offset: int, length: int) -> AsyncGenerator[memoryview, None]:
        """The bytes [offset, offset + length) of the ciphertext, in order. Raises as `_fetch`."""
        size = self.manifest.dataset_size
        if not 0 <= offset <= offset + length <= size:
            raise InputError(f"bytes {offset} to {offset + length} are not inside the {size}")
        runs = deque(self._cut(offset // BLOCK_BYTES, -(-(offset + length) // BLOCK_BYTES)))
        ahead: deque[tuple[_Run, asyncio.Task[bytes]]] = deque()
        try:
            while runs or ahead:
                while runs and len(ahead) < RUNS_AHEAD:
                    run = runs.popleft()
                    ahead.append((run, self._spawn(self._fetch(run))))
                run, task = ahead.popleft()
                data = await task
                begin = self._place(run).first * BLOCK_BYTES + run.start * BLOCK_BYTES
                yield memoryview(data)[max(0, offset - begin) : offset + length - begin]
        finally:
            for _, task in ahead:
                task.cancel()

    async def blocks(self, first: int, count: int) -> bytes:
        """Whole blocks of the ciphertext, zeros behind its end."""
        runs = self._cut(first, first + count)
        return b"".join(await asyncio.gather(*(self._fetch(run) for run in runs)))

    async def close(self) -> None:
        """Let what is under way end, pay for it, and speak well of who served. Raises DiskFull."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

        async def settle(peer: str, tab: Tab) -> None:
            try:
                await tab.close()
            except QuireError as error:
                self._tell_unpaid(peer, error)

        await asyncio.gather(*(settle(*each) for each in self._tabs.items()))
        for peer, is_good in self._has_served.items():
            if is_good:
                await self._ports.choice.report(peer, Outcome.KEPT)
        self._has_served.clear()

    # ---- one run ----

    async def _fetch(self, run: _Run) -> bytes:
        """Raises BlockMissing when nobody serves it, or what kept us from paying for it."""
        holders = self._of_chunk.get(run.chunk, [])
        tried: dict[str, None] = {}
        asked: dict[asyncio.Task[bytes], _Attempt] = {}
        problems: list[QuireError] = []
        while True:
            holder = None
            if len(asked) < AT_ONCE:
                ready = [each for each in holders if not self._waits_for_chain(each)]
                is_alone = not asked
                holder = self._paces.next(ready, tried, run.size, is_alone=is_alone)
                holder = holder or self._paces.next(holders, tried, run.size, is_alone=is_alone)
            if holder is not None:
                tried[holder.peer] = None
                self._paces.began(holder.peer, run.size)
                attempt = _Attempt()
                asked[self._spawn(self._ask(run, holder, attempt))] = attempt
            elif not asked:
                raise self._nobody(run, problems)
            may_hedge = len(asked) < AT_ONCE and len(tried) < len(holders)
            done, _ = await asyncio.wait(
                asked, timeout=HEDGE_SECONDS if may_hedge else None,
                return_when=asyncio.FIRST_COMPLETED,
            )  # fmt: skip
            for task in [each for each in asked if each in done]:
                del asked[task]
                error = task.exception()
                if error is None:
                    _call_off(asked)
                    return task.result()
                if not isinstance(error, QuireError):
                    raise error
                problems.append(error)

    async def _ask(self, run: _Run, holder: Holder, attempt: _Attempt) -> bytes:
        """The run from one holder, unsealed. Raises QuireError."""
        peer = holder.peer
        try:
            tab = await self._tab(holder)
            await tab.admit(run.size)
            attempt.is_sent = True
            self.asked_blocks += run.count
            began = self._ports.clock.monotonic()
            try:
                data = await self._get(run, holder, self._place(run), tab)
            except BaseException:
                tab.dropped(run.size)
                raise
        except QuireError as error:
            self._has_served[peer] = False
            self._paces.failed(peer, run.size, is_out=isinstance(error, PeerLied))
            await self._report(peer, error)
            raise
        except BaseException:
            if attempt.is_sent:
                self._paces.failed(peer, run.size)
            else:
                self._paces.called_off(peer, run.size)
            raise
        self._has_served.setdefault(peer, True)
        self._paces.served(peer, run.size, self._ports.clock.monotonic() - began)
        self._spawn(self._pay(peer, tab, run.size))
        return data

    async def _get(self, run: _Run, holder: Holder, place: ChunkPlace, tab: Tab) -> bytes:
        indexes = range(run.start, run.start + run.count)
        runs = await self._served(holder, indexes, tab)
        return await asyncio.get_running_loop().run_in_executor(
            self._ports.executor, open_served, runs, indexes, holder.sealed_root, place.count,
            self._sealer(holder), place.first + run.start,
        )  # fmt: skip

    async def _served(self, holder: Holder, indexes: range, tab: Tab) -> Sequence[BlockRun]:
        """What the holder answers, not checked. Raises QuireError when it does not serve."""
        addresses = self._holders.addresses.get(holder.peer, ())
        session = bytes.fromhex(self._purse.session)
        request = GetRequest(holder.sealed_root, tuple(indexes), *await tab.introduction())
        for is_last in (False, True):
            answer = await self._ports.client.ask(holder.peer, addresses, session, request)
            if answer.code is Code.OK and isinstance(answer.body, Blocks):
                return answer.body.runs
            if answer.code is not Code.PAYMENT_REQUIRED or is_last:
                break
            await tab.settle()  # it counts what we are about to pay
        words = f"{holder.peer} does not serve: {answer.text or answer.code.name}"
        if answer.code in (Code.NOT_FOUND, Code.LOST, Code.EXPIRED):
            raise NotFound(words)
        raise PeerRefused(words)

    async def _pay(self, peer: str, tab: Tab, size: int) -> None:
        try:
            await tab.verified(size)
        except QuireError as error:
            # It is asked for no more, as it would serve no more; the data is here all the same.
            self._paces.of(peer).is_out = True
            self._tell_unpaid(peer, error)

    def _waits_for_chain(self, holder: Holder) -> bool:
        tab = self._tabs.get(holder.peer)
        return tab is not None and tab.waits_for_chain

    async def _tab(self, holder: Holder) -> Tab:
        tab = self._tabs.get(holder.peer)
        if tab is None:
            addresses = self._holders.addresses.get(holder.peer, ())
            offer = (await self._ports.choice.offer(holder.peer, addresses)).offer
            tab = self._tabs.get(holder.peer) or Tab(
                self._ports.payments, holder.peer, offer, self._purse
            )
            self._tabs[holder.peer] = tab
        return tab

    # ---- odds ----

    def _cut(self, first: int, stop: int) -> list[_Run]:
        """The runs that make blocks [first, stop), none of them over the end of a chunk."""
        runs = []
        for number, place in enumerate(self._holders.chunks):
            at, upto = max(first, place.first), min(stop, place.first + place.count)
            while at < upto:
                count = min(RUN_BLOCKS, upto - at)
                runs.append(_Run(number, at - place.first, count, count * BLOCK_BYTES))
                at += count
        return runs

    def _sealer(self, holder: Holder) -> Sealer:
        of = holder.peer, holder.replica, holder.epoch
        sealer = self._sealers.get(of)
        if sealer is None:
            key = seal_key(self._seal_root, decode_peer_id(holder.peer), *of[1:])
            sealer = self._sealers[of] = Sealer(key, self.manifest.dataset_size)
        return sealer

    def _place(self, run: _Run) -> ChunkPlace:
        return self._holders.chunks[run.chunk]

    def _nobody(self, run: _Run, problems: Sequence[QuireError]) -> QuireError:
        money = (InsufficientFunds, VoucherRefused, Refused)
        for error in problems:
            if isinstance(error, money) and not isinstance(error, PeerError):
                return error
        said = "; ".join(dict.fromkeys(each.message for each in problems)) or "nobody holds it"
        return BlockMissing(f"chunk {run.chunk} cannot be had from its holders: {said}")

    async def _report(self, peer: str, error: QuireError) -> None:
        """What the others of this node are to know about a holder that failed."""
        outcomes: list[tuple[type[QuireError], Outcome]] = [
            (PeerLied, Outcome.BAD_DATA),
            (NotFound, Outcome.LOST),
            (PeerSilent, Outcome.SILENT),
            (PeerGone, Outcome.SILENT),
        ]
        for kind, outcome in outcomes:
            if isinstance(error, kind):
                if outcome is Outcome.BAD_DATA:
                    self.lied[peer] = None
                self._ports.events.publish(f"replica.{outcome.value}", peer, error.message)
                await self._ports.choice.report(peer, outcome, error.message)
                return

    def _tell_unpaid(self, peer: str, error: QuireError) -> None:
        self._ports.events.publish(
            "replica.unpaid", peer, f"what it served could not be paid: {error.message}"
        )

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        del self._tasks[task]
        if not task.cancelled():
            task.exception()  # seen: who asked for it may be gone


def _call_off(asked: Mapping[asyncio.Task[bytes], _Attempt]) -> None:
    """The run is here. Who was asked as well ends, and is paid, behind; who was not, is not."""
    for task, attempt in asked.items():
        if not attempt.is_sent:
            task.cancel()
