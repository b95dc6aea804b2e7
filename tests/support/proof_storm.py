"""A host that has its proofs made by others, in bad weather: everybody may be killed at any write
of his journal, connections break, networks are parted, chains silent, aggregators lie.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from quire.aggregation.order import ENDS, Order
from quire.base.errors import QuireError
from quire.base.rng import seeded_rng
from quire.sim.clock import SimClock
from quire.sim.loop import SimLoop, run
from quire.sim.prover import proof_of_public
from quire.sim.tasks import OWNER
from support.proof_evidence import evidence
from support.proof_town import Maker, ProofHost, TimedWorkers, Town

PERIOD = 300.0
WEATHER_SECONDS = 150.0  # of each period, from its begin on
CLAIMS = 3
ENTROPIES = [bytes([number]) + bytes(31) for number in range(1, CLAIMS + 1)]


@dataclass
class Outcome:
    """What came of one run. `proved`: by claim; `earned`: by aggregator."""

    has_own: bool
    liars: list[str]
    prices: dict[str, int]
    proved: list[bool] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    earned: dict[str, int] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)


class Storm:
    def __init__(self, town: Town, loop: SimLoop, rng: random.Random) -> None:
        self.town, self.loop, self.rng = town, loop, rng
        self.down: dict[str, None] = {}
        self.restarts: list[asyncio.Task[None]] = []
        self.seen: Counter[str] = Counter()

    async def gather(self) -> tuple[ProofHost, list[Maker], Outcome]:
        """The cast of this run."""
        rng, town = self.rng, self.town
        liars = []
        for number in range(3):
            maker = Maker(town, number, rng.randint(1, 9), seconds=rng.choice((5, 10, 10, 200)))
            if rng.random() < 0.25:
                maker.workers.forge = lambda made, host: proof_of_public((made.entropy,))
                liars.append(maker.peer)
            town.makers.append(maker)
            await self.boot(maker)
        has_own = rng.random() < 0.5
        host = ProofHost(town, own=TimedWorkers() if has_own else None)
        await self.boot(host)
        prices = {maker.peer: maker.price for maker in town.makers}
        return host, town.makers, Outcome(has_own, liars, prices, seen=self.seen)

    # ---- lives ----

    async def boot(self, side: Maker | ProofHost) -> None:
        await self.of(side, side.open(), side.starts + 1)
        self.down.pop(side.name, None)
        self._doom(side)

    def of(self, side: Maker | ProofHost, work: Coroutine[Any, Any, Any], life: int) -> Any:
        """A task that dies with its node."""
        return self._owned(f"{side.name}#{life}", work)

    def _owned(self, owner: str, work: Coroutine[Any, Any, Any]) -> Any:
        token = OWNER.set(owner)
        try:
            return self.loop.create_task(work)
        finally:
            OWNER.reset(token)

    def kill(self, side: Maker | ProofHost) -> None:
        """It is gone at this instant, and starts again later."""
        if side.name in self.down:
            return
        self.down[side.name] = None
        self.seen[f"kill {side.name[:4]}"] += 1
        side.journal = side.journal.reopened()
        self.town.network.crash(side.peer, self.rng.random())
        self.loop.end_owner(f"{side.name}#{side.starts}")
        self.restarts.append(self._owned("", self._again(side)))

    async def _again(self, side: Maker | ProofHost) -> None:
        await asyncio.sleep(self.rng.uniform(0.1, 20))
        await self.boot(side)

    def _doom(self, side: Maker | ProofHost) -> None:
        """It may die at some write of its journal, before or after that is durable."""
        if self.rng.random() > 0.4 or self.seen["kill"] > 6:
            return
        self.seen["kill"] += 1
        left = self.rng.randint(1, 25)
        when = self.rng.choice(("before", "after"))

        async def count(_: Any) -> None:
            nonlocal left
            left -= 1
            if not left:
                self.kill(side)
                await asyncio.sleep(3600)  # this task is dead

        setattr(side.journal, when, count)

    # ---- weather ----

    async def blow(self, host: ProofHost, makers: list[Maker], until: float) -> None:
        rng, network = self.rng, self.town.network
        while (left := until - self.town.clock.monotonic()) > 0:
            await asyncio.sleep(rng.uniform(0.5, 25))
            maker = rng.choice(makers)
            match rng.randrange(5):
                case 0:
                    network.drop(host.peer, maker.peer)
                    self.seen["drop"] += 1
                case 1:
                    network.partition(host.peer, maker.peer)
                    self.loop.call_later(
                        rng.uniform(0, min(40, max(0, left))), network.heal, host.peer, maker.peer
                    )
                    self.seen["partition"] += 1
                case 2:
                    faults = rng.choice((host, maker)).hub.faults
                    faults.is_unreachable = True
                    self.loop.call_later(rng.uniform(0, 20), setattr, faults, "is_unreachable", 0)
                    self.seen["no chain"] += 1
                case 3:
                    self.kill(rng.choice((host, maker)))

    async def proof(self, host: ProofHost, entropy: bytes) -> bool:
        """As the maker of proofs does it: again and again until it is there, or late."""
        deadline = self.town.clock.monotonic() + PERIOD
        while (left := deadline - self.town.clock.monotonic()) > 0:
            if host.name not in self.down:
                task = self.of(host, host.prove(entropy=entropy, seconds=left), host.starts)
                await asyncio.wait([task])
                if not task.cancelled():
                    error = task.exception()
                    if error is None:
                        return True
                    if not isinstance(error, QuireError):
                        raise error
            await asyncio.sleep(1)
        return False

    async def calm(self, host: ProofHost) -> None:
        """Everybody is up, and every order has come to its end."""
        for task in self.restarts:
            await task
        async with asyncio.timeout(3 * 3600):
            while any(each.at not in ENDS or not each.is_told for each in host.orders.all()):
                await asyncio.sleep(5)


def storm(seed: int) -> Outcome:
    """One run in virtual time."""
    for entropy in ENTROPIES:
        evidence(entropy=entropy)
    loop = SimLoop(seeded_rng(seed))

    async def whole() -> Outcome:
        town = Town(SimClock(loop))
        weather = Storm(town, loop, random.Random(seed))
        host, makers, outcome = await weather.gather()
        for entropy in ENTROPIES:
            until = town.clock.monotonic() + WEATHER_SECONDS
            blowing = loop.create_task(weather.blow(host, makers, until))
            outcome.proved.append(await weather.proof(host, entropy))
            await blowing
        await weather.calm(host)
        outcome.orders = host.orders.all()
        outcome.earned = {maker.peer: maker.earned for maker in makers}
        return outcome

    outcome: Outcome = run(loop, whole())
    # Who answers works in the context of who asks, and so is not ended with his node.
    failures = [each for each in loop.failures if "destroyed but it is pending" not in each]
    assert failures == []
    return outcome
