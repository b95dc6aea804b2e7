"""Real proofs, in periods: made from the blocks of a store, by this node or by an aggregator, and
checked by the verifying key as the contract would, for the challenge and the host that it knows."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.abi import request_id, slot_id
from quire.chain.memory.market import MemoryMarket
from quire.chain.memory.world import MemoryWorld
from quire.chain.values import Ask, Content, StorageRequest
from quire.dataset.storage_proof import WORD_BYTES
from quire.flow.prove import AnyProver, ProofAsk, verification_of
from quire.kernels.groth16 import VerifyingKey, verify
from quire.market.period_plan import entropy_of
from quire.services.circuit_files import NOTE, VERIFYING_KEY, CircuitPlaces
from quire.services.circuits import Circuits
from quire.services.market_key import verifying_key_for_market
from quire.services.period_prover import PeriodProver
from quire.services.proof_maker import ProvingMeans
from quire.services.prover import Proofs
from quire.services.workers.local import LocalWorkers
from quire.store.dataset import Dataset
from quire.store.journal_memory import MemoryJournal
from support.market_terms import TERMS
from support.period_kit import Feed
from support.proof_town import PRICE, Town
from support.prove_kit import TINY, protected_in, tiny_keys

HOST, CLIENT = bytes([7] * 20), bytes([8] * 20)
SLOTS = 2  # of the five that this host fills


async def test_real_proofs_of_two_slots_pass_for_three_periods(tmp_path) -> None:
    circuit = await Circuits(CircuitPlaces(tiny_keys(), TINY)).prover(TINY)
    assert await proofs_in_the_chain(tmp_path, circuit.verifying_key, circuit) >= 3


async def test_a_host_without_a_proving_key_has_an_aggregator_prove_and_pays_each_once(
    tmp_path,
) -> None:
    """It has the verifying key alone; its first proofs and those of periods are ordered alike."""
    own = tmp_path / "circuits" / TINY.id
    own.mkdir(parents=True)
    for name in (VERIFYING_KEY, NOTE):
        shutil.copy(tiny_keys() / TINY.id / name, own)
    verifying = Circuits(CircuitPlaces(tmp_path / "circuits", TINY))
    key = await verifying_key_for_market(verifying, TINY, TERMS)
    clock = SystemClock()
    workers = LocalWorkers(Waits(clock), proofs_at_once=1)
    town = Town(clock, await Circuits(CircuitPlaces(tiny_keys(), TINY)).prover(TINY))
    maker = await town.maker(workers=workers)
    host = await town.host(verify=partial(verify, key))
    try:
        submitted = await proofs_in_the_chain(tmp_path / "slots", key, host.prover)
        orders = await host.settled()
        assert submitted >= 3
        assert [order.at for order in orders] == ["settled"] * (submitted + SLOTS)
        assert maker.earned == PRICE * len(orders)
    finally:
        await host.close()
        await maker.close()
        await workers.stop()


async def proofs_in_the_chain(tmp_path: Path, key: VerifyingKey, prover: AnyProver) -> int:
    """How many proofs of periods got there, none of them late or refused."""

    def is_right(inputs: Sequence[int], proof: bytes) -> bool:
        public = b"".join(each.to_bytes(WORD_BYTES, "big") for each in inputs)
        return verify(key, public, proof)

    clock = SystemClock()
    events, waits = EventBus(clock), Waits(clock)
    terms = replace(TERMS, zkey_hash="")
    world = MemoryWorld(terms, terms.period_start(1000), verify_proof=is_right, block_seconds=10)
    for account in (HOST, CLIENT):
        world.mint(account, 10**12)
    market = MemoryMarket(world, HOST)
    world.mine(3)
    workers = LocalWorkers(waits, proofs_at_once=1)
    tmp_path.mkdir(exist_ok=True)
    async with protected_in(tmp_path) as held:
        proofs = Proofs(held.ports, events, waits, clock, random.Random(1), workers)
        root = verification_of(held.dataset.manifest).verify_root.digest
        cid = held.dataset.manifest_cid
        content = Content(cid.encode(), root)
        ask = Ask(1, 1, 1, 5, 4096 * 3, 10_000, 5)
        request = StorageRequest(CLIENT, ask, content, 600, bytes(32))
        await MemoryMarket(world, CLIENT).request_storage(request)
        identity = request_id(request)
        await fill(market, identity, proofs, held.dataset, prover)
        feed = Feed(market)

        async def the_prover() -> AnyProver:
            return prover

        means = ProvingMeans(proofs, the_prover, held.store.dataset)
        service = PeriodProver(
            market, means, feed, MemoryJournal(clock), clock=clock, events=events, waits=waits
        )
        await service.start()
        feed.start()
        for index in range(SLOTS):
            service.watch(slot_id(identity, index), cid, index, 10**10)
        try:
            async with asyncio.timeout(60):
                await three_periods(world, service)
        finally:
            feed.stop()
            await service.stop()
            await proofs.stop()
            await workers.stop()
    assert (service.counts.late, service.counts.missed) == (0, 0)
    problems = [t.problem for b in world.blocks_after(0) for t in b.transactions if t.problem]
    assert problems == []
    return service.counts.submitted


async def fill(
    market: MemoryMarket, request: bytes, proofs: Proofs, dataset: Dataset, prover: AnyProver
) -> None:
    """Some of the request's slots, each with its first proof."""
    for index in range(SLOTS):
        await market.reserve_slot(request, index)
        [status] = await market.proof_statuses([slot_id(request, index)])
        wanted = ProofAsk.of(dataset, index, entropy_of(status.challenge), HOST, TINY)
        job = proofs.start(wanted, prover, asyncio.get_running_loop().time() + 60)
        await proofs.wait(job)
        assert job.proof is not None, job.error
        await market.fill_slot(request, index, job.proof.proof)


async def three_periods(world: MemoryWorld, service: PeriodProver) -> None:
    """A block at a time, each as soon as nothing is under way for the present one."""
    end = world.terms.period_end(world.terms.period_of(world.head.timestamp) + 3)
    while world.head.timestamp < end:
        world.mine()
        await asyncio.sleep(0.01)
        while any(service.state(slot)["state"] in ("proving", "ready") for slot in service.watched):
            await asyncio.sleep(0.01)
