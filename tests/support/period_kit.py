"""A market in memory with hosts that prove and validators, on virtual time.

The chain is the model's; proofs are hashes of what they claim, which its verifier checks: a proof
for another challenge, slot or host is refused, as a real one would be.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

from quire.base.errors import DeadlineExceeded, QuireError
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.abi import request_id, slot_id
from quire.chain.events import ProofSubmitted
from quire.chain.memory.clock import mine_by_clock
from quire.chain.memory.market import MemoryMarket
from quire.chain.memory.world import MemoryWorld
from quire.chain.port import Batch
from quire.chain.terms import Terms
from quire.chain.values import Ask, Content, SlotId, SlotState, StorageRequest
from quire.dataset.circuit import CircuitParameters
from quire.dataset.storage_proof import Claim
from quire.flow.prove import ProofAsk, verification_of
from quire.formats.cid import Cid
from quire.kernels.keccak import keccak256
from quire.market.period_plan import entropy_of
from quire.market.validation import Share
from quire.services.market_feed import MarketFeed
from quire.services.period_prover import PeriodProver
from quire.services.proof_maker import ProvingMeans
from quire.services.validating import Validator
from quire.sim.clock import SimClock
from quire.sim.loop import SimLoop, run
from quire.store.dataset import Dataset
from quire.store.journal_memory import MemoryJournal
from support.market_terms import TERMS
from support.prove_kit import SMALL
from support.verifiable import verifiable_dataset

BLOCK_SECONDS = 6
CLIENT = bytes([0xC1] * 20)
TOKENS = 10**15
SLOTS = 5  # of a request


def proof_for(public: Sequence[bytes]) -> bytes:
    return sha256(b"".join(public)).digest() * 8


def verify(inputs: Sequence[int], proof: bytes) -> bool:
    return proof == proof_for([each.to_bytes(32, "big") for each in inputs])


class Feed:
    """Follows a market and tells its listeners."""

    def __init__(self, market: MemoryMarket) -> None:
        self._market = market
        self._listeners: list[Callable[[Batch], Awaitable[None]]] = []
        self._task: asyncio.Task[None] | None = None

    def listen(self, listener: Callable[[Batch], Awaitable[None]]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()

    async def _run(self) -> None:
        async for batch in self._market.follow(None):
            for listener in list(self._listeners):
                await listener(batch)


class FakeProofs:
    """As services.prover.Proofs: one proof at a time, the earliest deadline first."""

    at_once = 1

    def __init__(self, clock: SimClock, seconds: float) -> None:
        self.clock, self.seconds = clock, seconds
        self.asked: list[ProofAsk] = []
        self.asked_at: list[float] = []
        self.problems: list[QuireError] = []
        self._waiting: list[tuple[float, int, Any]] = []
        self._is_busy = False

    @property
    def waiting_count(self) -> int:
        return len(self._waiting)

    def start(self, ask: ProofAsk, prover: Any, deadline: float) -> Any:
        if deadline <= self.clock.monotonic():
            raise DeadlineExceeded("the deadline has passed")
        self.asked.append(ask)
        self.asked_at.append(self.clock.now())
        job = SimpleNamespace(
            id=None, ask=ask, deadline=deadline, proof=None, error=None, state="waiting"
        )
        job.id = job
        job.seconds, job.ended = self.seconds, asyncio.Event()
        self._waiting.append((deadline, len(self.asked), job))
        self._pump()
        return job

    async def wait(self, job: Any) -> None:
        await job.ended.wait()

    async def cancel(self, job: Any) -> bool:
        self._waiting = [each for each in self._waiting if each[2] is not job]
        job.state = "cancelled"
        job.ended.set()
        return True

    def forget(self) -> None:
        """Another life of the node begins: nothing is waiting."""
        self._waiting = []

    def _pump(self) -> None:
        if self._waiting and not self._is_busy:
            self._waiting.sort(key=lambda each: each[:2])
            _, _, job = self._waiting.pop(0)
            self._is_busy = True
            asyncio.get_running_loop().call_later(self.seconds, self._end, job)

    def _end(self, job: Any) -> None:
        self._is_busy = False
        if job.state == "cancelled":
            self._pump()
            return
        if self.problems:
            job.state, job.error = "failed", self.problems.pop(0)
        elif self.clock.monotonic() > job.deadline:
            job.state, job.error = "failed", DeadlineExceeded("the deadline passed")
        else:
            job.state = "complete"
            job.proof = SimpleNamespace(proof=proof_for(job.ask.claim.public()))
        job.ended.set()
        self._pump()


@dataclass
class Host:
    """A node of one account that proves."""

    bench: Bench
    market: MemoryMarket
    journal: MemoryJournal
    proofs: FakeProofs
    events: EventBus
    waits: Waits
    slots: list[tuple[SlotId, int, int]] = field(default_factory=list)
    prover: PeriodProver | None = None
    has_data: bool = True
    feed: MarketFeed | None = None

    async def start(self) -> PeriodProver:
        """A life: everything but market and journal is new."""
        self.feed = MarketFeed(self.market, self.journal, self.events, self.bench.clock)
        means = ProvingMeans(self.proofs, self._prover, self._dataset)
        self.prover = PeriodProver(
            self.market,
            means,
            self.feed,
            self.journal,
            clock=self.bench.clock,
            events=self.events,
            waits=self.waits,
        )
        await self.join(self.prover)
        await self.prover.start()
        await self.feed.start()
        for slot, index, end in self.slots:
            self.prover.watch(slot, self.bench.dataset.manifest_cid, index, end)
        return self.prover

    async def join(self, prover: PeriodProver) -> None:
        """What else lives on this node begins here."""

    async def leave(self) -> None:
        """And ends here."""

    async def die(self) -> None:
        assert self.prover is not None
        await self.leave()
        await self.prover.stop()
        self.proofs.forget()
        await self.feed.stop()
        self.prover = None

    async def _prover(self) -> Any:
        return SimpleNamespace(parameters=self.bench.circuit, key_hash=bytes(32))

    async def _dataset(self, cid: Cid) -> Dataset | None:
        return self.bench.dataset if self.has_data else None

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events.history()]

    def messages(self, kind: str) -> list[str]:
        return [event.message for event in self.events.history() if event.kind == kind]


@dataclass
class Guard:
    """A node of one account that validates."""

    market: MemoryMarket
    journal: MemoryJournal
    clock: SimClock
    events: EventBus
    share: Share
    feed: MarketFeed | None = None
    validator: Validator | None = None

    async def start(self) -> Validator:
        self.feed = MarketFeed(self.market, self.journal, self.events, self.clock)
        self.validator = Validator(
            self.market, self.feed, self.journal, share=self.share, events=self.events
        )
        await self.validator.start()
        await self.feed.start()
        return self.validator

    async def die(self) -> None:
        assert self.validator is not None
        await self.validator.stop()
        await self.feed.stop()
        self.validator = None

    def messages(self, kind: str) -> list[str]:
        return [event.message for event in self.events.history() if event.kind == kind]


class Bench:
    """One chain, one dataset. Everything happens inside `run_bench`."""

    def __init__(self, loop: SimLoop, terms: Terms, block_seconds: int, seed: bytes) -> None:
        self.clock = SimClock(loop)
        self._seed = seed
        self.terms = terms
        self.circuit: CircuitParameters = SMALL
        self.dataset = verifiable_dataset()
        self.world = MemoryWorld(
            terms,
            int(self.clock.now()),
            verify_proof=verify,
            block_seconds=block_seconds,
            automine=False,
            seed=seed,
        )
        self.world.mint(CLIENT, TOKENS)
        self._mining = loop.create_task(mine_by_clock(self.world))
        self._accounts = 0
        self._nonce = 0

    # ---- who takes part ----

    def _account(self) -> bytes:
        self._accounts += 1
        account = bytes([self._accounts]) * 20
        self.world.mint(account, TOKENS)
        return account

    def host(self, seconds: float = 1.0) -> Host:
        market = MemoryMarket(self.world, self._account(), self.clock)
        proofs = FakeProofs(self.clock, seconds)
        events = EventBus(self.clock)
        journal = MemoryJournal(self.clock)
        return Host(self, market, journal, proofs, events, Waits(self.clock))

    def guard(self, share: Share | None = None) -> Guard:
        market = MemoryMarket(self.world, self._account(), self.clock)
        events, journal = EventBus(self.clock), MemoryJournal(self.clock)
        return Guard(market, journal, self.clock, events, share or Share())

    # ---- what happens ----

    async def fill(self, host: Host, *, probability: int = 1, duration: int = 10_000) -> None:
        """A request, all slots of which this host fills, one block after another."""
        self._nonce += 1
        root = verification_of(self.dataset.manifest).verify_root.digest
        ask = Ask(probability, 1, 10, SLOTS, 4096, duration, SLOTS)
        content = Content(self.dataset.manifest_cid.encode(), root)
        nonce = sha256(self._seed + self._nonce.to_bytes(8, "big")).digest()
        request = StorageRequest(CLIENT, ask, content, 600, nonce)
        client = MemoryMarket(self.world, CLIENT, self.clock)
        await client.request_storage(request)
        identity = request_id(request)
        market = host.market
        await asyncio.gather(*(market.reserve_slot(identity, i) for i in range(SLOTS)))
        end = await market.request_end(identity)
        await asyncio.gather(*(self._fill_one(host, identity, i, end) for i in range(SLOTS)))

    async def _fill_one(self, host: Host, identity: bytes, index: int, end: int) -> None:
        slot = slot_id(identity, index)
        [status] = await host.market.proof_statuses([slot])
        root = verification_of(self.dataset.manifest).verify_root.digest
        bound = host.market.account if self.terms.proof_inputs == 4 else None
        claim = Claim(entropy_of(status.challenge), root, index, bound)
        await host.market.fill_slot(identity, index, proof_for(claim.public()))
        host.slots.append((slot, index, end))

    async def refill(self, host: Host, lost: Host) -> None:
        """This host takes every slot that the other has lost."""
        requests = {slot: self.ledger.state.slots[slot].request_id for slot, _, _ in lost.slots}
        for slot, index, end in lost.slots:
            await host.market.reserve_slot(requests[slot], index)
            await self._fill_one(host, requests[slot], index, end)

    async def next_period(self, count: int = 1) -> int:
        """Until the first block of the period after so many; its number."""
        period = self.period + count
        while self.period < period:
            await self.blocks(1)
        return period

    async def blocks(self, count: int) -> None:
        """Until so many more blocks have come, and everybody has heard of them."""
        number = self.world.head.number + count
        while self.world.head.number < number:
            await asyncio.sleep(self.world.block_seconds / 4)

    @property
    def period(self) -> int:
        return self.terms.period_of(self.world.head.timestamp)

    # ---- what is seen from outside ----

    def challenge_of(self, block: int) -> bytes:
        """The challenge that is made of a block's hash."""
        return keccak256(self.world._hash_of(block))

    def missed(self, host: Host) -> int:
        """Misses marked, of all slots of a host; a slot that was lost counts as all it can."""
        return sum(self.ledger.missing_proofs(slot) for slot, _, _ in host.slots)

    def request_of(self, host: Host) -> bytes:
        """The one that it filled last."""
        return self.ledger.state.slots[host.slots[-1][0]].request_id

    def states(self, host: Host) -> list[SlotState]:
        return [self.ledger.slot_state(slot) for slot, _, _ in host.slots]

    def proved(self) -> list[tuple[int, SlotId]]:
        """(timestamp, slot) of every proof in the chain, those of fills too."""
        return [
            (block.head.timestamp, event.slot_id)
            for block in self.world.blocks_after(0)
            for event in block.events
            if isinstance(event, ProofSubmitted)
        ]

    @property
    def ledger(self) -> Any:
        return self.world.moment(CLIENT)


async def a_host_with_slots(bench: Bench, requests: int = 1, seconds: float = 1.0) -> Host:
    """It has heard of the chain, and its slots have to be proved from the next period on."""
    host = bench.host(seconds)
    for _ in range(requests):
        await bench.fill(host)
    await host.start()
    return host


def run_bench(
    work: Callable[[Bench], Coroutine[Any, Any, None]],
    *,
    seed: int = 1,
    block_seconds: int = BLOCK_SECONDS,
    **terms: Any,
) -> None:
    """Run a story on a fresh chain in virtual time. Nothing that is under way may fail."""
    loop = SimLoop(random.Random(seed))

    async def main() -> None:
        bench = Bench(loop, replace(TERMS, **terms), block_seconds, seed.to_bytes(8, "big"))
        await bench.blocks(2)
        async with asyncio.timeout(10**6):
            await work(bench)

    run(loop, main())
    assert not loop.failures, loop.failures
