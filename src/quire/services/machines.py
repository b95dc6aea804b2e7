"""Runs machines of one kind: journal first, then effects; resumes them after a crash.

    post ─► step ─► journal.write ─► effects of the old state are stopped, those of the new begin
     ▲                                                  │
     └──────── their outcome · Failed · TimedOut ◄──────┘

Events of one machine are taken one at a time. An effect that fails in a way that trying again can
help is repeated, later and later, until the state changes; any other error becomes `Failed`. Each
state that is not the end is a wait with a reason and a deadline.

Read next: quire.base.machine
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic, TypeAlias, TypeVar

from quire.base.clock import Clock
from quire.base.errors import BadEncoding, Bug, Busy, NotFound, QuireError
from quire.base.events import EventBus
from quire.base.machine import Failed, Machine, TimedOut
from quire.base.waits import Waits
from quire.chain.port import ChainClock
from quire.services.machine_run import MachineRun, decode_run, encode_run
from quire.store.journal import Journal, Note, Record

KEPT_ENDED = 1024  # machines that have ended and can still be asked about
RETRY_SECONDS_FIRST, RETRY_SECONDS_MAX = 0.5, 15.0

State = TypeVar("State")
Event = TypeVar("Event")
Effect = TypeVar("Effect")
T = TypeVar("T")

# Listeners hear (key, state before, state now) when it is durable, and must not raise or wait.
Listener: TypeAlias = Callable[[str, State | None, State], None]
# Records to be written in the same transaction as a step (key, state before, state now); pure.
Alongside: TypeAlias = Callable[[str, State | None, State], Sequence[Record]]


class Machines(Generic[State, Event, Effect]):
    """All machines of one kind of one node; keys are ids as text, the subjects of their events.

    perform    does an effect of a state; the event that results, or None. Raises QuireError
    place      where the keys mean something, such as one contract on one chain: machines of another
               place are left alone in the journal
    alongside  what else is to be written when a machine changes
    """

    def __init__(
        self,
        machine: Machine[State, Event, Effect],
        journal: Journal,
        perform: Callable[[State, Effect], Awaitable[Event | None]],
        *,
        clock: Clock,
        chain: ChainClock,
        events: EventBus,
        waits: Waits,
        place: str = "",
        alongside: Alongside[State] | None = None,
        kept_ended: int = KEPT_ENDED,
    ) -> None:
        self._machine = machine
        self._filed = f"{machine.kind} {place}".strip()  # the kind of the records
        self._journal = journal
        self._perform = perform
        self._clock = clock
        self._chain = chain
        self._events = events
        self._waits = waits
        self._alongside = alongside
        self._kept_ended = kept_ended
        self._runs: dict[str, MachineRun[State]] = {}
        self._steps: dict[asyncio.Task[State], None] = {}
        self._listeners: list[Listener[State]] = []
        self._started = clock.now()
        self._is_stopping = False

    async def start(self) -> None:
        """Read the journal and go on where each machine was. Raises StoreCorrupt."""
        self._started = self._clock.now()
        for key, data in (await self._journal.read(self._filed)).items():
            try:
                entered, encoded = decode_run(data)
                state = self._machine.decode(encoded)
            except BadEncoding as error:
                self._tell("unreadable", key, f"its record cannot be read: {error.message}")
                continue
            run = self._runs[key] = MachineRun(key, state, entered)
            if not self._machine.has_ended(state):
                self._arm(run)
                self._begin_effects(run, self._machine.resume(state))

    async def stop(self) -> None:
        """Stop every effect; what is being written is written. States stay as they are."""
        self._is_stopping = True
        while self._steps:
            await asyncio.wait(list(self._steps))
        for run in list(self._runs.values()):
            await run.stop()

    async def begin(self, key: str, state: State) -> bool:
        """A new machine, in the place of one that has ended; False when one is under way.

        Raises DiskFull, Busy (stopping)."""
        old = self._runs.get(key)
        if old is not None and not self._machine.has_ended(old.state):
            return False
        self._refuse_when_stopping()
        run = self._runs[key] = MachineRun(key, state, self._clock.now())
        await self._in_step(self._begin(run, old))
        return True

    async def post(self, key: str, event: Event) -> State:
        """Hand an event to a machine; its state after it, durable. Its effects have begun.

        Raises NotFound (no such machine), DiskFull, Busy (stopping)."""
        run = self._find(key)
        self._refuse_when_stopping()
        return await self._in_step(self._step(run, event))

    def state(self, key: str) -> State | None:
        """The state of a machine that is remembered."""
        run = self._runs.get(key)
        return None if run is None else run.state

    def states(self) -> dict[str, State]:
        """Every machine that is remembered, oldest first."""
        return {key: run.state for key, run in self._runs.items()}

    def entered(self, key: str) -> float:
        """When a machine came into its present state, unix seconds. Raises NotFound."""
        return self._find(key).entered

    def next_deadline(self, key: str) -> tuple[str, float] | None:
        """What a machine waits for, and until when: unix seconds of the chain or of this machine.
        None at its end. Raises NotFound."""
        run = self._find(key)
        deadline = self._machine.deadline(run.state)
        if deadline is None:
            return None
        if deadline.chain_time is not None:
            return deadline.reason, deadline.chain_time
        return deadline.reason, run.entered + (deadline.after_seconds or 0.0)

    def trouble(self, key: str) -> QuireError | None:
        """Why an effect of the present state is being tried again. Raises NotFound."""
        return self._find(key).trouble

    async def history(self, key: str) -> list[Note]:
        return await self._journal.history(self._filed, key)

    def listen(self, listener: Listener[State]) -> Callable[[], None]:
        """Call `listener` after each change; returns the function that stops it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # ---- steps ----

    def _find(self, key: str) -> MachineRun[State]:
        run = self._runs.get(key)
        if run is None:
            raise NotFound(f"there is no {self._machine.kind} {key[:80]}, or it was forgotten")
        return run

    def _refuse_when_stopping(self) -> None:
        if self._is_stopping:
            raise Busy("the node is stopping")

    async def _in_step(self, step: Awaitable[State]) -> State:
        """Go on with a step also when who asked for it is cancelled."""
        task = asyncio.ensure_future(step)
        self._steps[task] = None
        task.add_done_callback(self._step_done)
        return await asyncio.shield(task)

    def _step_done(self, task: asyncio.Task[State]) -> None:
        del self._steps[task]
        if not task.cancelled():
            task.exception()  # seen: who asked may be gone

    async def _begin(self, run: MachineRun[State], old: MachineRun[State] | None) -> State:
        async with run.lock:
            try:
                await self._write(run, None, run.state)
            except QuireError:
                del self._runs[run.key]
                if old is not None:
                    self._runs[run.key] = old
                raise
            self._changed(run, None)
            self._begin_effects(run, self._machine.resume(run.state))
            return run.state

    async def _step(self, run: MachineRun[State], event: Event | TimedOut | Failed) -> State:
        async with run.lock:
            before = run.state
            state, effects = self._machine.step(before, event)
            if state != before:
                is_other = self._machine.name(state) != self._machine.name(before)
                if is_other or isinstance(event, TimedOut) or self._has_moved(before, state):
                    run.entered = self._clock.now()
                await self._write(run, before, state)
                run.state = state
                if is_other:
                    run.disarm()
                    await run.stop_effects()
                self._changed(run, before)
            elif isinstance(event, TimedOut):
                run.entered = self._clock.now()
                self._arm(run)
            if not self._is_stopping:
                self._begin_effects(run, effects)
            return run.state

    def _has_moved(self, before: State, state: State) -> bool:
        """Whether the seconds of the state's deadline begin anew within the state."""
        old, new = self._machine.deadline(before), self._machine.deadline(state)
        return old is not None and new is not None and old.mark != new.mark

    async def _write(self, run: MachineRun[State], before: State | None, state: State) -> None:
        machine = self._machine
        value = encode_run(run.entered, machine.encode(state))
        records = [Record(self._filed, run.key, value, machine.words(state))]
        if self._alongside is not None:
            records += self._alongside(run.key, before, state)
        forgotten = self._to_forget() if machine.has_ended(state) else []
        records += [Record(self._filed, key, None) for key in forgotten if key != run.key]
        await self._journal.write(records)
        for key in forgotten:
            self._runs.pop(key, None)

    def _to_forget(self) -> list[str]:
        """The oldest of those that have ended, so that one more can be kept."""
        ended = [key for key, run in self._runs.items() if self._machine.has_ended(run.state)]
        return ended[: max(0, len(ended) + 1 - self._kept_ended)]

    def _changed(self, run: MachineRun[State], before: State | None) -> None:
        name, words = self._machine.name(run.state), self._machine.words(run.state)
        self._tell(name, run.key, words)
        if self._machine.has_ended(run.state):
            run.disarm()
        elif not self._is_stopping:
            self._arm(run)
        for listener in list(self._listeners):
            listener(run.key, before, run.state)

    def _tell(self, what: str, key: str, message: str) -> None:
        self._events.publish(f"{self._machine.kind}.{what}", key, message)

    # ---- deadlines ----

    def _arm(self, run: MachineRun[State]) -> None:
        """Watch the deadline of the present state, unless it is watched or has come already."""
        deadline = self._machine.deadline(run.state)
        if deadline is None or not run.is_new(deadline):
            return
        run.disarm()
        monotonic = self._clock.monotonic()
        if deadline.chain_time is not None:
            seconds = deadline.chain_time - self._chain.now()
            due = partial(self._chain.until, deadline.chain_time)
        else:
            # Counted in calendar time across restarts; never longer than it was to be.
            begins = max(run.entered, self._started) if deadline.while_running else run.entered
            gone = max(0.0, self._clock.now() - begins)
            seconds = max(0.0, (deadline.after_seconds or 0.0) - gone)
            due = partial(asyncio.sleep, seconds)
        reason = f"{self._machine.kind} {self._machine.name(run.state)}: {deadline.reason}"
        run.watch(
            deadline,
            self._waits.waiting(run.key, reason, monotonic + max(0.0, seconds)),
            self._expire(run, due),
        )

    async def _expire(self, run: MachineRun[State], due: Callable[[], Awaitable[None]]) -> None:
        await self._insist(run, due)
        run.expired()
        await self._deliver(run, TimedOut())

    # ---- effects ----

    def _begin_effects(self, run: MachineRun[State], effects: Sequence[Effect]) -> None:
        for effect in effects:
            if effect in run.effects:
                run.again[effect] = None
                continue
            name = f"{self._machine.kind} {type(effect).__name__}"
            task = run.begin(effect, self._work(run, effect), name)
            task.add_done_callback(partial(self._let_go, run, effect))

    async def _work(self, run: MachineRun[State], effect: Effect) -> None:
        while True:
            event: Event | Failed | None
            try:
                event = await self._insist(run, lambda: self._perform(run.state, effect))
            except QuireError as error:
                event = Failed(effect, error)
            if effect not in run.again:
                break
            del run.again[effect]
            if event is not None:
                await self._deliver(run, event)
        # From here on a new state does not stop it: it is what asks for the new state.
        run.effects.pop(effect, None)
        if event is not None:
            await self._deliver(run, event)

    def _let_go(self, run: MachineRun[State], effect: Effect, task: asyncio.Task[None]) -> None:
        """The task of an effect is over; a mistake in it must not leave the machine waiting."""
        run.tasks.pop(task, None)
        if task.cancelled() or task.exception() is None or self._is_stopping:
            return
        run.effects.pop(effect, None)
        error = Bug(f"{self._machine.kind} {run.key}: {effect} ended with {task.exception()!r}")
        failed = asyncio.get_running_loop().create_task(self._deliver(run, Failed(effect, error)))
        run.tasks[failed] = None
        failed.add_done_callback(run.forget)

    async def _deliver(self, run: MachineRun[State], event: Event | TimedOut | Failed) -> None:
        """Hand in an outcome; it must not be lost, whatever is wrong with the journal."""
        if not self._is_stopping:
            step = partial(self._step, run, event)
            await self._insist(run, lambda: self._in_step(step()), is_given_up=False)

    async def _insist(
        self,
        run: MachineRun[State],
        work: Callable[[], Awaitable[T]],
        *,
        is_given_up: bool = True,
    ) -> T:
        """Do it until it succeeds. Raises QuireError that says that trying again does not help,
        unless it is not to be given up."""
        pause = RETRY_SECONDS_FIRST
        while True:
            try:
                result = await work()
            except QuireError as error:
                if is_given_up and not error.retry:
                    raise
                if run.trouble is None or run.trouble.message != error.message:
                    self._tell("retry", run.key, f"{error.message}; it is tried again")
                run.trouble = error
            else:
                run.trouble = None
                return result
            await asyncio.sleep(pause)
            pause = min(2 * pause, RETRY_SECONDS_MAX)
