"""One run: a seed and a scenario in, an outcome out. Nothing is shared between two runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from quire.base.errors import InputError, QuireError
from quire.sim.loop import START_SECONDS, SimLoop, run
from quire.sim.rng import Streams
from quire.sim.scenarios.aggregator import AggregatorStory
from quire.sim.scenarios.churn import Churn
from quire.sim.scenarios.diagram_a import DiagramA
from quire.sim.scenarios.dispersal import Dispersal
from quire.sim.scenarios.market import Market
from quire.sim.scenarios.protect import Protect
from quire.sim.tally import Tally
from quire.sim.world import World


class Scenario(Protocol):
    """A story that a world goes through."""

    async def run(self) -> None:
        """To its end. Raises `Bug` when a promise is broken."""


SCENARIOS: dict[str, Callable[[World, Streams], Scenario]] = {
    "diagram-a": DiagramA,
    "churn": Churn,
    "dispersal": Dispersal,
    "protect": Protect,
    "market": Market,
    "aggregator": AggregatorStory,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. `error` is None when every promise was kept."""

    scenario: str
    seed: int
    digest: str
    lines: tuple[str, ...]
    virtual_seconds: float
    error: BaseException | None
    tally: Tally

    @property
    def weather(self) -> str:
        """The rates that were drawn for this seed: of the wires, and of faults."""
        told = [line.split(maxsplit=3)[3] for line in self.lines if _tells_rates(line)]
        return "; ".join(told)

    @property
    def reproduce(self) -> str:
        return f"quire sim --scenario {self.scenario} --seed {self.seed} --trace"


def run_seed(
    seed: int, scenario: str = "diagram-a", *, on_line: Callable[[str], None] | None = None
) -> Outcome:
    """Run a scenario to its end. `on_line` gets each line of the trace as it is written.

    Raises InputError when there is no such scenario. What goes wrong inside is in the outcome.
    """
    if scenario not in SCENARIOS:
        raise InputError(f"there is no scenario {scenario!r}; known: {', '.join(SCENARIOS)}")
    streams = Streams(seed)
    loop = SimLoop(streams.stream("loop"))
    world = World(streams, loop)
    if on_line is not None:
        world.trace.listen(on_line)
    error: BaseException | None = None
    try:
        run(loop, _main(world, SCENARIOS[scenario](world, streams)))
    except (QuireError, ExceptionGroup) as problem:
        error = first_of(problem)
    finally:
        world.close()
    return Outcome(
        scenario,
        seed,
        world.trace.digest(),
        tuple(world.trace.lines),
        loop.time() - START_SECONDS,
        error,
        world.tally,
    )


def _tells_rates(line: str) -> bool:
    words = line.split(maxsplit=3)
    return words[1] == "world" and words[2] in ("wires", "rates")


async def _main(world: World, story: Scenario) -> None:
    """The scenario beside the watch; then nothing may be left."""
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(world.watch(), name="watch")
        await story.run()
        watch.cancel()
    world.check_nothing_left()


def first_of(problem: BaseException) -> BaseException:
    """The first single error inside groups of errors."""
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return problem
