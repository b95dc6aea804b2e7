"""Brings proofs that are made into the chain before their time is over.

add -> [ ready ] -> policy: each alone, or a batch -> transaction -> sent
          ^------------- tried again, later and later ----'    `-> given up: why

A batch that the contract refuses is tried again in halves, so that a single bad one does not cost
the others their period: it is tried before it is sent, so that finding it costs calls and no gas.

Read next: quire.market.submit_policy
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from quire.base.clock import Clock
from quire.base.errors import Bug, DeadlineExceeded, QuireError, Reverted
from quire.base.waits import Waits
from quire.chain.port import Market, Receipt
from quire.chain.values import SlotId
from quire.market.block_pace import BlockPace
from quire.market.period_plan import send_seconds
from quire.market.submit_policy import ALONE, Patience, Ready, plan_sending

RETRY_SECONDS_FIRST = 0.5
RETRY_SECONDS_MAX = 8.0
ALREADY = "Proofs_ProofAlreadySubmitted"
# An invalid proof is none of these: a node that is behind checks it in the period before.
HOPELESS = ("Marketplace_ProofNotSubmittedByHost", "Marketplace_UnknownRequest")


class SenderEar(Protocol):
    """Who asked for proofs to be sent. Must not raise or wait."""

    def proofs_coming(self) -> int:
        """Proofs of the period that are being made."""

    async def proofs_sent(self, ready: Sequence[Ready], receipt: Receipt | None) -> None:
        """They are in the chain; without a receipt: they were there already."""

    def proof_refused(self, ready: Ready, error: QuireError, *, is_final: bool) -> None:
        """It could not be sent. Tried again, unless that is final."""


@dataclass(slots=True)
class _Entry:
    ready: Ready
    tries: int = 0
    not_before: float = 0.0  # monotonic seconds
    flock: int = 0  # those that are left of a batch that was refused go together; 0: with all
    is_on_its_way: bool = False


class ProofSender:
    """The way out of one node's proofs."""

    def __init__(
        self,
        market: Market,
        pace: BlockPace,
        ear: SenderEar,
        clock: Clock,
        waits: Waits,
        patience: Patience = ALONE,
    ) -> None:
        self._market = market
        self._pace = pace
        self._ear = ear
        self._clock = clock
        self._waits = waits
        self._patience = patience
        self._flocks = 0
        self._entries: dict[SlotId, _Entry] = {}
        self._wake = asyncio.Event()
        self._sending: dict[asyncio.Task[None], None] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="send-proofs")

    async def stop(self) -> None:
        """What is on its way may still get into the chain."""
        tasks = [*self._sending, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._task = None

    def add(self, ready: Ready) -> None:
        """Send a proof. One for the same slot that waits is replaced."""
        self._entries[ready.slot_id] = _Entry(ready)
        self._wake.set()

    def drop(self, slot_id: SlotId) -> bool:
        """It is not wanted any more. Whether it is on its way nevertheless: then its outcome will
        be told."""
        entry = self._entries.pop(slot_id, None)
        self._wake.set()
        return entry is not None and entry.is_on_its_way

    def hold(self, ready: Ready, until: float) -> None:
        """Somebody else may send this proof until then (chain time); 0: nobody does. Nothing is
        changed when it is on its way, or not wanted any more."""
        entry = self._entries.get(ready.slot_id)
        if entry is None or entry.is_on_its_way:
            return
        if (entry.ready.period, entry.ready.challenge) == (ready.period, ready.challenge):
            entry.ready = replace(entry.ready, not_before=until)
            self._wake.set()

    def look_again(self) -> None:
        """Fewer proofs are coming than before, or the chain has moved."""
        self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            pause = self._send_what_is_due()
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _send_what_is_due(self) -> float | None:
        """Begin transactions; seconds until the next look, None: when something changes."""
        now, chain_now = self._clock.monotonic(), self._market.clock.now()
        for entry in list(self._entries.values()):
            if entry.ready.latest + self.send_seconds <= chain_now and not entry.is_on_its_way:
                self._give_up(entry, DeadlineExceeded("the period ended before it could be sent"))
        waiting = [e for e in self._entries.values() if not e.is_on_its_way]
        due = [e for e in waiting if e.not_before <= now]
        flocks: dict[int, list[Ready]] = {}
        for entry in due:
            flocks.setdefault(entry.flock, []).append(entry.ready)
        plan = plan_sending(
            flocks.pop(0, []),
            self._ear.proofs_coming(),
            chain_now,
            self.send_seconds,
            self._market.terms,
            self._patience,
        )
        for flock in flocks.values():
            self._begin(tuple(flock))
        for group in plan.now:
            self._begin(group)
        pauses = [e.not_before - now for e in waiting if e.not_before > now]
        if plan.again_at is not None:
            pauses.append(max(0.0, plan.again_at - chain_now))
        return min(pauses, default=None)

    @property
    def send_seconds(self) -> float:
        """That a transaction is given to get into the chain."""
        return send_seconds(self._market.terms, self._pace)

    def _begin(self, group: tuple[Ready, ...]) -> None:
        for ready in group:
            entry = self._entries[ready.slot_id]
            entry.is_on_its_way = True
            entry.tries += 1
        task = asyncio.get_running_loop().create_task(self._send(group), name="submit-proofs")
        self._sending[task] = None
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        self._wake.set()

    async def _send(self, group: tuple[Ready, ...]) -> None:
        reason = f"the transaction with {len(group)} proofs is on its way"
        # It may have been begun at the last moment.
        until = min(ready.latest for ready in group) + self.send_seconds
        end = self._clock.monotonic() + until - self._market.clock.now()
        with self._waits.waiting("0x" + group[0].slot_id.hex(), reason, end):
            try:
                pairs = [(ready.slot_id, ready.proof) for ready in group]
                receipt = await self._market.submit_proofs(pairs)
            except Bug:
                raise
            except QuireError as error:
                await self._failed(group, error)
                return
        await self._sent(group, receipt)

    async def _sent(self, group: Sequence[Ready], receipt: Receipt | None) -> None:
        for ready in group:
            self._forget(ready)
        await self._ear.proofs_sent(group, receipt)

    async def _failed(self, group: tuple[Ready, ...], error: QuireError) -> None:
        is_refused = isinstance(error, Reverted)
        name = error.facts.get("name")
        if len(group) == 1 and is_refused and name == ALREADY:
            await self._sent(group, None)
            return
        halves = self._halves() if is_refused and len(group) > 1 else []
        for at, ready in enumerate(group):
            entry = self._entries.get(ready.slot_id)
            if entry is None or entry.ready is not ready:  # it was dropped meanwhile
                self._ear.proof_refused(ready, error, is_final=True)
                continue
            entry.is_on_its_way = False
            if halves:
                entry.flock = halves[2 * at // len(group)]
            elif is_refused and name in HOPELESS:
                self._give_up(entry, error)
            else:
                pause = min(RETRY_SECONDS_FIRST * 2 ** (entry.tries - 1), RETRY_SECONDS_MAX)
                entry.not_before = self._clock.monotonic() + pause
                self._ear.proof_refused(ready, error, is_final=False)

    def _halves(self) -> list[int]:
        """Flocks for the two halves of a batch that was refused."""
        self._flocks += 2
        return [self._flocks - 1, self._flocks]

    def _give_up(self, entry: _Entry, error: QuireError) -> None:
        self._forget(entry.ready)
        self._ear.proof_refused(entry.ready, error, is_final=True)

    def _forget(self, ready: Ready) -> None:
        entry = self._entries.get(ready.slot_id)
        if entry is not None and entry.ready is ready:
            del self._entries[ready.slot_id]
