"""Machines in virtual time: a chain clock of the simulated loop, a small machine, a bench."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import Any, TypeVar

from quire.base.errors import BadEncoding, DeadlineExceeded
from quire.base.events import EventBus
from quire.base.machine import Deadline, Failed, TimedOut
from quire.base.rng import seeded_rng
from quire.base.waits import Waits
from quire.services.machines import Machines
from quire.sim.clock import SimClock
from quire.sim.loop import SimLoop, run
from quire.store.journal_memory import MemoryJournal

T = TypeVar("T")


def in_virtual_time(main: Callable[[SimClock], Coroutine[Any, Any, T]], seed: int = 0) -> T:
    """Run `main(clock)` on a simulated loop; nothing may be left behind."""
    loop = SimLoop(seeded_rng(seed))
    result = run(loop, main(SimClock(loop)))
    assert loop.failures == []
    return result


class LoopChainClock:
    """A `ChainClock` that agrees with the calendar."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock.now()

    async def until(self, timestamp: float, deadline: float | None = None) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await asyncio.sleep(max(0.0, timestamp - self.now()))
        except TimeoutError:
            raise DeadlineExceeded(f"the chain did not come to {timestamp}") from None


@dataclass(frozen=True, slots=True)
class Go:
    to: str
    effects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """The state stays, with another deadline."""

    deadline: Deadline


@dataclass(frozen=True, slots=True)
class Walk:
    """The state of a machine that goes where it is told."""

    at: str
    seen: tuple[str, ...] = ()
    deadline: Deadline | None = None


class Walker:
    """A machine: `Go` leads anywhere, everything else is written down."""

    kind = "walk"

    def __init__(self, resumed: Sequence[str] = ()) -> None:
        self.resumed = tuple(resumed)

    def step(self, state: Walk, event: object) -> tuple[Walk, Sequence[str]]:
        match event:
            case Go(to, effects):
                return replace(state, at=to), effects
            case Wait(deadline):
                return replace(state, deadline=deadline), ()
            case TimedOut():
                return replace(state, seen=(*state.seen, "timed out")), ()
            case Failed(effect, error):
                return replace(state, seen=(*state.seen, f"{effect}: {error.message}")), ()
        return state, ()

    def resume(self, state: Walk) -> Sequence[str]:
        return self.resumed

    def name(self, state: Walk) -> str:
        return state.at

    def words(self, state: Walk) -> str:
        return f"is at {state.at}"

    def deadline(self, state: Walk) -> Deadline | None:
        return state.deadline

    def has_ended(self, state: Walk) -> bool:
        return state.at == "end"

    def encode(self, state: Walk) -> bytes:
        return repr((state.at, state.seen, astuple(state.deadline or Deadline("")))).encode()

    def decode(self, data: bytes) -> Walk:
        try:
            at, seen, deadline = eval(data)
        except SyntaxError as error:
            raise BadEncoding("no walk") from error
        return Walk(at, seen, Deadline(*deadline) if deadline[0] else None)


Perform = Callable[[Walk, str], Awaitable[object | None]]


async def nothing(_state: Walk, _effect: str) -> None:
    """Performs every effect at once."""


@dataclass
class Bench:
    clock: SimClock
    journal: MemoryJournal
    resumed: Sequence[str] = ()
    perform: Perform = nothing
    events: EventBus = field(init=False)
    waits: Waits = field(init=False)
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.events, self.waits = EventBus(self.clock), Waits(self.clock)

    def machines(self) -> Machines[Walk, object, str]:
        return Machines(
            Walker(self.resumed),
            self.journal,
            self.perform,
            clock=self.clock,
            chain=LoopChainClock(self.clock),
            events=self.events,
            waits=self.waits,
            **self.options,
        )
