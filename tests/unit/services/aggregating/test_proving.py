"""PROVE at the aggregator: broken witnesses cost nothing, proofs are made by deadline, and what was
lost with a restart may come again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from quire.aggregation.job import Job
from quire.aggregation.values import ProveWork
from quire.base.errors import NotFound, ProofInvalid
from quire.base.waits import Waits
from quire.dataset.witness import encode_witness
from quire.formats.aggregator import AggregatorAnswer
from quire.formats.aggregator_asking import AcceptEncode, AcceptProve, Customer, QuoteRequest
from quire.formats.aggregator_codes import Code, Service, Stage
from quire.services.aggregating.doer import Accepted, Asked
from quire.services.aggregating.proving import Proving
from quire.sim.clock import SimClock
from quire.sim.prover import SimProver, proof_of_public
from support.aggregator_messages import an_offer
from support.proof_evidence import evidence
from support.proof_town import SECONDS, TimedWorkers, Town
from support.proof_town import play as play_in
from support.prove_kit import ENTROPY, HOST, SMALL

QUOTE = QuoteRequest(Service.PROVE)
OFFER = an_offer(Service.PROVE)
CUSTOMER = Customer(bytes(20), OFFER.digest, bytes(65))
KEY = bytes(32)


class Bench:
    """The doer alone, with a clock that both sides go by."""

    def __init__(self, clock: SimClock) -> None:
        self.clock = clock
        self.workers = TimedWorkers()
        self.restart()

    def restart(self) -> None:
        prover, waits = SimProver(SMALL), Waits(self.clock)
        workers: Any = self.workers
        chain: Any = self
        self.doer = Proving(prover, workers, chain, self.clock, waits)

    def now(self) -> float:
        return self.clock.now()

    def accept(self, entropy: bytes = ENTROPY, seconds: float = 600) -> AcceptProve:
        ask, made = evidence(entropy=entropy)
        deadline = int(self.now() + seconds)
        return AcceptProve(CUSTOMER, KEY, encode_witness(made, ask.host), deadline)

    async def take(self, body: AcceptProve, number: int = 1) -> Accepted | AggregatorAnswer:
        return await self.doer.accept(Asked(bytes([number]) * 16, "peer", OFFER, QUOTE, body))

    async def job(self, body: AcceptProve, number: int = 1) -> Job:
        taken = await self.take(body, number)
        assert isinstance(taken, Accepted)
        job_id = bytes([number]) * 16
        return Job(
            job_id, Stage.WORKING, "peer", bytes(20), OFFER, taken.work, body.deadline, 60, 0
        )


def play(scene: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    async def whole(town: Town) -> None:
        assert isinstance(town.clock, SimClock)
        await scene(Bench(town.clock))

    play_in(whole)


def public(entropy: bytes = ENTROPY) -> tuple[bytes, ...]:
    return evidence(entropy=entropy)[0].claim.public()


def test_a_good_witness_becomes_work_and_a_proof():
    async def scene(bench: Bench) -> None:
        job = await bench.job(bench.accept())
        assert job.work == ProveWork(KEY, b"".join(public()))
        began = bench.now()
        done = await bench.doer.do(job)
        assert done.result == proof_of_public(public())
        assert done.now == int(began + SECONDS)

    play(scene)


def test_a_broken_witness_is_refused_before_any_work():
    async def scene(bench: Bench) -> None:
        body = bench.accept()
        _, made = evidence()
        first, *rest = made.samples
        forged = replace(first, cell=bytes([first.cell[0] ^ 1]) + first.cell[1:])
        for witness in (
            b"",
            body.witness[:-1],
            body.witness + b"\0",
            encode_witness(replace(made, samples=(forged, *rest)), HOST),
            encode_witness(replace(made, entropy=bytes(32)), HOST),
            encode_witness(replace(made, slot_index=1), HOST),
            encode_witness(replace(made, dataset_root=bytes(32)), HOST),
        ):
            answer = await bench.take(replace(body, witness=witness))
            assert isinstance(answer, AggregatorAnswer)
            assert (answer.code, answer.text[:22]) == (Code.REFUSED, "the witness is broken:")
        assert bench.workers.begun == 0

    play(scene)


def test_another_key_is_not_offered_and_the_right_one_is_named():
    async def scene(bench: Bench) -> None:
        answer = await bench.take(replace(bench.accept(), key_hash=b"\1" * 32))
        assert isinstance(answer, AggregatorAnswer)
        assert answer.code is Code.NOT_OFFERED
        assert KEY.hex() in answer.text
        assert SMALL.id in answer.text

    play(scene)


def test_the_earliest_deadline_has_its_turn_first():
    async def scene(bench: Bench) -> None:
        order: list[int] = []

        async def do(number: int, seconds: float) -> None:
            entropy = bytes([number]) + bytes(31)
            await bench.doer.do(await bench.job(bench.accept(entropy, seconds), number))
            order.append(number)

        first = asyncio.ensure_future(do(1, 600))
        await asyncio.sleep(1)  # it is at it
        await asyncio.gather(first, do(2, 500), do(3, 300), do(4, 400))
        assert order == [1, 3, 4, 2]

    play(scene)


def test_a_job_that_is_called_off_stops_proving_and_gives_its_turn_on():
    async def scene(bench: Bench) -> None:
        one, other = await bench.job(bench.accept()), await bench.job(bench.accept(bytes(32)), 2)
        working = asyncio.ensure_future(bench.doer.do(one))
        waiting = asyncio.ensure_future(bench.doer.do(other))
        await asyncio.sleep(SECONDS / 2)
        working.cancel()
        await bench.doer.drop(one)
        assert (await waiting).result == proof_of_public(public(bytes(32)))
        assert (bench.workers.begun, bench.workers.cancelled, bench.workers.made) == (2, 1, 1)

    play(scene)


def test_the_witness_may_come_again_after_a_restart():
    async def scene(bench: Bench) -> None:
        body = bench.accept()
        job = await bench.job(body)
        bench.restart()
        doing = asyncio.ensure_future(bench.doer.do(job))
        await asyncio.sleep(30)
        assert not doing.done()
        assert "lost with the node's restart" in bench.doer.progress(job)[1]
        assert bench.doer.again(job, body)
        assert (await doing).result == proof_of_public(public())

    play(scene)


def test_without_its_witness_a_job_fails_in_time():
    async def scene(bench: Bench) -> None:
        job = await bench.job(bench.accept(seconds=60))
        await bench.doer.drop(job)
        await bench.doer.drop(job)
        began = bench.now()
        with pytest.raises(NotFound, match="did not come again"):
            await bench.doer.do(job)
        assert bench.now() - began < 31

    play(scene)


def test_a_witness_that_comes_again_broken_is_found_before_it_is_proved():
    async def scene(bench: Bench) -> None:
        body = bench.accept()
        job = await bench.job(body)
        bench.restart()
        damaged = bytearray(body.witness)
        damaged[-1] ^= 1
        assert bench.doer.again(job, replace(body, witness=bytes(damaged)))
        with pytest.raises(ProofInvalid):
            await bench.doer.do(job)
        assert bench.workers.begun == 0

    play(scene)


def test_an_accept_about_something_else_is_not_the_same_again():
    async def scene(bench: Bench) -> None:
        body = bench.accept()
        job = await bench.job(body)
        assert bench.doer.again(job, body)
        for other in (
            bench.accept(bytes(32)),
            replace(body, key_hash=b"\1" * 32),
            replace(body, witness=body.witness[:-1]),
            AcceptEncode(CUSTOMER, None, body.deadline),
        ):
            assert not bench.doer.again(job, other)

    play(scene)


def test_a_key_that_was_changed_over_a_restart_makes_no_proof():
    async def scene(bench: Bench) -> None:
        job = await bench.job(bench.accept())
        other = ProveWork(b"\1" * 32, b"".join(public()))
        with pytest.raises(NotFound, match="another key"):
            await bench.doer.do(replace(job, work=other))

    play(scene)


def test_a_deadline_that_cannot_be_met_is_refused_as_soon_as_that_is_known():
    async def scene(bench: Bench) -> None:
        job = await bench.job(bench.accept(seconds=SECONDS / 2))  # nothing is known yet
        await bench.doer.do(job)
        answer = await bench.take(bench.accept(bytes(32), seconds=SECONDS / 2), 2)
        assert isinstance(answer, AggregatorAnswer)
        assert answer.code is Code.REFUSED
        assert "it takes 10 s, with those before it; 5 s are left" in answer.text
        assert isinstance(await bench.take(bench.accept(bytes(32)), 2), Accepted)

    play(scene)


def test_how_long_it_takes_is_learnt_and_grows_with_the_line():
    async def scene(bench: Bench) -> None:
        assert bench.doer.offer_problem(QUOTE) == ""
        guessed = bench.doer.terms(QUOTE)
        assert guessed.key_hash == KEY
        job = await bench.job(bench.accept())
        doing = asyncio.ensure_future(bench.doer.do(job))
        await asyncio.sleep(1)
        assert bench.doer.progress(job) == (500, "the proof is computed")
        await doing
        await bench.doer.drop(job)
        learnt = bench.doer.terms(QUOTE).seconds
        assert SECONDS < learnt < guessed.seconds
        waiting = await bench.job(bench.accept(bytes(32)), 2)
        assert bench.doer.terms(QUOTE).seconds > learnt
        assert "waits for its turn" in bench.doer.progress(waiting)[1]

    play(scene)
