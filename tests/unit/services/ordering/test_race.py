"""Several who can bring the same thing: who begins when, and that the others are called off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from quire.base.errors import Busy, DeadlineExceeded, Refused
from quire.base.rng import seeded_rng
from quire.services.ordering.race import Entrant, Race
from quire.sim.clock import SimClock
from quire.sim.loop import SimLoop, run

START = 1000.0  # of virtual time


class Track:
    """What happened, with the seconds since the start."""

    def __init__(self, loop: SimLoop) -> None:
        self.clock = SimClock(loop)
        self.seen: list[str] = []

    def note(self, what: str) -> None:
        self.seen.append(f"{self.clock.monotonic() - START:g} {what}")

    def entrant(self, name: str, seconds: float, *, patience: float = 10, fails: str = "") -> Any:
        async def bring() -> str:
            self.note(f"{name} begins")
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                self.note(f"{name} is called off")
                raise
            if fails:
                raise Refused(fails)
            return name

        return Entrant(name, patience, bring)

    async def race(self, *entrants: Any, seconds: float = 100, **options: Any) -> str:
        if "reserve_at" in options:
            options["reserve_at"] += START
        race: Race[str] = Race("the cake", entrants, self.clock, START + seconds, **options)
        return await race.run()


def play(scene: Callable[[Track], Coroutine[Any, Any, None]]) -> None:
    loop = SimLoop(seeded_rng(1))

    async def whole() -> None:
        await scene(Track(loop))

    run(loop, whole())


def test_one_who_is_in_time_is_the_only_one_that_is_asked():
    async def scene(track: Track) -> None:
        assert await track.race(track.entrant("a", 9), track.entrant("b", 1)) == "a"
        assert track.seen == ["0 a begins"]

    play(scene)


def test_the_next_begins_when_patience_is_over_and_the_slower_is_called_off():
    async def scene(track: Track) -> None:
        slow, dead = track.entrant("a", 50), track.entrant("b", 99, patience=5)
        assert await track.race(slow, dead, track.entrant("c", 3)) == "c"
        assert track.seen == [
            "0 a begins",
            "10 b begins",
            "15 c begins",
            "18 a is called off",
            "18 b is called off",
        ]

    play(scene)


def test_who_fails_makes_room_at_once():
    async def scene(track: Track) -> None:
        bad = track.entrant("a", 1, fails="no")
        assert await track.race(bad, track.entrant("b", 2), track.entrant("c", 1)) == "b"
        assert track.seen == ["0 a begins", "1 b begins"]

    play(scene)


def test_the_reserve_begins_at_its_time_and_not_before():
    async def scene(track: Track) -> None:
        home = track.entrant("home", 20)
        late = track.entrant("a", 99)
        assert await track.race(late, reserve=home, reserve_at=50) == "home"
        assert track.seen == ["0 a begins", "50 home begins", "70 a is called off"]

    play(scene)


def test_the_reserve_begins_at_once_when_nobody_else_is_left():
    async def scene(track: Track) -> None:
        home = track.entrant("home", 1)
        assert await track.race(reserve=home, reserve_at=50) == "home"
        track.seen.clear()
        bad = track.entrant("a", 2, fails="no")
        assert await track.race(bad, reserve=home, reserve_at=50) == "home"
        assert track.seen == ["1 a begins", "3 home begins"]

    play(scene)


def test_a_reserve_that_fails_does_not_end_the_race():
    async def scene(track: Track) -> None:
        home = track.entrant("home", 1, fails="no room")
        slow = track.entrant("a", 60)
        assert await track.race(slow, reserve=home, reserve_at=10) == "a"

    play(scene)


def test_when_nobody_can_it_is_said_what_each_said():
    async def scene(track: Track) -> None:
        with pytest.raises(Busy, match="nobody makes the cake: there is nobody to ask"):
            await track.race()
        with pytest.raises(Busy, match="a: no flour; b: no eggs; home: no oven"):
            await track.race(
                track.entrant("a", 1, fails="no flour"),
                track.entrant("b", 1, fails="no eggs"),
                reserve=track.entrant("home", 1, fails="no oven"),
                reserve_at=90,
            )

    play(scene)


def test_at_the_deadline_everybody_is_called_off():
    async def scene(track: Track) -> None:
        bad = track.entrant("a", 1, fails="no")
        words = "the cake was not made in time; a: no; still at it: b, home"
        with pytest.raises(DeadlineExceeded, match=words):
            await track.race(
                bad,
                track.entrant("b", 999),
                seconds=30,
                reserve=track.entrant("home", 99),
                reserve_at=15,
            )
        assert track.seen[-2:] == ["30 b is called off", "30 home is called off"]

    play(scene)


def test_a_race_that_is_not_wanted_any_more_calls_everybody_off():
    async def scene(track: Track) -> None:
        task = asyncio.ensure_future(track.race(track.entrant("a", 99), track.entrant("b", 99)))
        await asyncio.sleep(12)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert track.seen[-2:] == ["12 a is called off", "12 b is called off"]

    play(scene)
