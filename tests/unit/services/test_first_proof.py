"""The proof with which a slot is filled is begun when its challenge lasts long enough."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from quire.base.errors import DeadlineExceeded, UnknownDataset
from quire.chain.memory.market import MemoryMarket
from quire.chain.port import ProofStatus
from quire.dataset.storage_proof import Claim
from quire.market.period_plan import entropy_of
from quire.services.first_proof import FirstProofs
from quire.services.proof_maker import ProvingMeans
from quire.sim.clock import SimClock
from support.machine_kit import in_virtual_time
from support.memory_world import HOST, a_world
from support.period_kit import FakeProofs, proof_for
from support.prove_kit import SMALL
from support.verifiable import verifiable_dataset

SLOT = b"\x51" * 32
PERIOD = 120
DATASET = verifiable_dataset()


class Scripted(MemoryMarket):
    """Pointers as they are told, by period; the challenge names its period."""

    pointers: dict[int, int]
    lag = 0  # periods that the newest block is behind

    async def proof_statuses(self, slot_ids: Any) -> list[ProofStatus]:
        period = self.terms.period_of(int(self.clock.now())) - self.lag
        self.lag = 0
        pointer = self.pointers.get(period - self.first, 100)
        return [ProofStatus(period, False, False, period.to_bytes(32, "big"), pointer)]


class Scene:
    def __init__(self, clock: SimClock, seconds: float = 3.0) -> None:
        self.clock = clock
        world = a_world(period=PERIOD, downtime=64)
        self.market = Scripted(world, HOST, clock)
        self.market.first = self.market.terms.period_of(int(self.market.clock.now()))
        self.market.pointers = {}
        self.proofs = FakeProofs(clock, seconds)
        self.dataset: Any = DATASET

        async def prover() -> Any:
            return SimpleNamespace(parameters=SMALL, key_hash=bytes(32))

        async def dataset(_: Any) -> Any:
            return self.dataset

        self.first = FirstProofs(self.market, ProvingMeans(self.proofs, prover, dataset), clock)

    async def at(self, seconds: float) -> None:
        """Go to so many seconds of a period, of the first that begins from now on."""
        chain, terms = self.market.clock, self.market.terms
        await chain.until(terms.period_end(terms.period_of(int(chain.now()))) + seconds)
        self.market.first = terms.period_of(int(chain.now()))

    async def make(self, *, is_again: bool = False) -> tuple[int, int]:
        """The period (from the first on) that was proved, and until when that is good, likewise."""
        proof, until = await self.first.make(SLOT, self.dataset.manifest_cid, 2, is_again=is_again)
        terms = self.market.terms
        period = terms.period_of(until - 1)
        ask = self.proofs.asked[-1]
        assert ask.entropy == entropy_of(period.to_bytes(32, "big"))
        host = ask.host
        root = ask.claim.dataset_root
        assert proof == proof_for(Claim(ask.entropy, root, 2, host).public())
        return period - self.market.first, until - terms.period_start(self.market.first)


def play(story: Any, **options: float) -> None:
    in_virtual_time(lambda clock: story(Scene(clock, **options)))


def test_early_in_a_period_it_is_begun_at_once() -> None:
    async def story(scene: Scene) -> None:
        await scene.at(10)
        assert await scene.make() == (0, PERIOD)
        assert scene.first.seconds == 3.0

    play(story)


def test_late_in_a_period_the_next_is_waited_for() -> None:
    async def story(scene: Scene) -> None:
        await scene.at(PERIOD / 2 + 1)
        assert await scene.make() == (1, 2 * PERIOD)

    play(story)


def test_after_a_refusal_the_next_period_is_waited_for() -> None:
    async def story(scene: Scene) -> None:
        await scene.at(5)
        assert await scene.make(is_again=True) == (1, 2 * PERIOD)

    play(story)


def test_a_pointer_that_may_wrap_is_waited_out() -> None:
    """Above 256 - downtime it could be 0 before the period ends."""

    async def story(scene: Scene) -> None:
        scene.market.pointers = {0: 193, 1: 255, 2: 192}
        await scene.at(5)
        assert await scene.make() == (2, 3 * PERIOD)

    play(story)


def test_a_chain_whose_newest_block_is_behind_its_clock_is_asked_again() -> None:
    async def story(scene: Scene) -> None:
        await scene.at(5)
        scene.market.lag = 1
        assert await scene.make() == (0, PERIOD)

    play(story)


def test_a_proof_that_takes_longer_than_its_period_is_given_up() -> None:
    async def story(scene: Scene) -> None:
        await scene.at(5)
        with pytest.raises(DeadlineExceeded):
            await scene.make()

    play(story, seconds=200.0)


def test_a_dataset_that_is_gone_cannot_be_proved() -> None:
    async def story(scene: Scene) -> None:
        await scene.at(5)
        cid = scene.dataset.manifest_cid
        scene.dataset = None
        with pytest.raises(UnknownDataset):
            await scene.first.make(SLOT, cid, 2, is_again=False)

    play(story)
