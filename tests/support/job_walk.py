"""Random lives of an aggregator's jobs: a customer asks, repeats, pays, gives up, some also cheat;
answers are lost; the node dies at any write of its journal and starts again on what is durable.

What is checked at every step
    billed     never more than the vouchers that came, and exactly the parts that were released
    forward    no job goes back, none leaves its end, none changes what it is for
    result     what was told once as a result is told again, byte for byte
and at the end, when everything is well again: every part that an honest customer paid is released,
every job has ended, everything that was made for one was let go of, and nothing is waited for.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from quire.aggregation.job import ENDS, Job
from quire.aggregation.offer import open_offer
from quire.aggregation.values import Service, SignedOffer
from quire.base.errors import BlockMissing, Refused
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.memory.hub import MemoryHub
from quire.chain.memory.world import MemoryWorld
from quire.channels.voucher import domain_separator, introduction_digest, sign_voucher
from quire.formats.aggregator import AggregatorAnswer, AggregatorRequest, decode_answer
from quire.formats.aggregator_answers import (
    EncodedAnswer,
    ProofAnswer,
    SubmittedAnswer,
)
from quire.formats.aggregator_asking import (
    AcceptEncode,
    AcceptProve,
    AcceptSubmit,
    Asking,
    Cancel,
    Customer,
    Dispute,
    Release,
    StatusRequest,
)
from quire.formats.aggregator_codes import Code, Reason, Stage
from quire.formats.signed_offer import OfferAnswer
from quire.kernels.signing import sign_recoverable
from quire.net.identity import Identity
from quire.services.aggregating.aggregator import Aggregator
from quire.services.aggregating.doer import Accept
from quire.services.aggregating.ports import AggregatorPorts
from quire.services.aggregating.settings import AggregatorLimits
from quire.services.paying.payee import Payee
from quire.sim.clock import SimClock
from quire.store.journal import Record
from quire.store.journal_memory import MemoryJournal
from support.aggregator_kit import (
    AGGREGATOR,
    AGGREGATOR_KEY,
    CLIENT,
    CLIENT_KEY,
    KEY_HASH,
    ORIGINAL,
    PROOF,
    QUOTES,
    SETTINGS,
    WORD,
    FakeDoer,
)
from support.memory_world import RIGHT_NOW, TERMS

STEPS = 45
JOBS = 4
ANSWER_SECONDS = 40.0
_RANK = {Stage.ACCEPTED: 0, Stage.WORKING: 1, Stage.READY: 2, Stage.SERVING: 3}
_RESULTS = (EncodedAnswer, ProofAnswer, SubmittedAnswer)


@dataclass
class Wanted:
    """A job as its customer knows it. `paid`: parts that he gave a voucher for."""

    job_id: bytes
    service: Service
    body: Accept | None = None
    offer: SignedOffer | None = None
    result: object = None
    paid: int = 0


class JobWalk:
    """One life; `run` on a simulated loop."""

    def __init__(self, clock: SimClock, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = clock
        self.world = MemoryWorld(TERMS, RIGHT_NOW)
        self.world.mint(CLIENT, 10**9)
        self.world.mint(AGGREGATOR, 10**9)
        self.hub = MemoryHub(self.world, AGGREGATOR)
        self.identity, self.peer = Identity.of(AGGREGATOR_KEY), Identity.of(CLIENT_KEY).peer_id
        self.journal = MemoryJournal(clock)
        self.events, self.waits = EventBus(clock), Waits(clock)
        services = [self.rng.choice(tuple(Service)) for _ in range(JOBS)]
        self.wanted = [Wanted(bytes([n]) * 16, service) for n, service in enumerate(services, 1)]
        self.doer = FakeDoer(lambda: int(self.hub.clock.now()))
        self.promised = 0
        self.stages: dict[bytes, Job] = {}
        self.died = asyncio.Event()
        self.is_honest = self.rng.random() < 0.6
        self.loss = self.rng.choice((0.0, 0.15, 0.4))
        self.seen: Counter[str] = Counter()

    async def run(self) -> Counter[str]:
        client = MemoryHub(self.world, CLIENT)
        await client.deposit(10**8)
        await client.allocate([(AGGREGATOR, 10**8)])
        await self.begin()
        for _ in range(STEPS):
            await self.guarded()
            self.check()
        await self.be_well()
        self.check()
        await self.finish()
        return self.seen

    # ---- the node ----

    async def begin(self) -> None:
        self.income = Payee(self.hub, self.journal, self.events)
        ports = AggregatorPorts(
            journal=self.journal,
            hub=self.hub,
            income=self.income,
            identity=self.identity,
            sign=lambda digest: sign_recoverable(AGGREGATOR_KEY, digest),
            clock=self.clock,
            events=self.events,
            waits=self.waits,
        )
        doers = dict.fromkeys(Service, self.doer)
        limits = AggregatorLimits(unpaid_jobs=JOBS + 1)
        self.aggregator = Aggregator(ports, SETTINGS, doers, None, limits)
        await self.income.start()
        await self.aggregator.start()

    async def rise(self) -> None:
        """Every task ends where it is; the node starts on what is durable."""
        self.seen["crashes"] += 1
        mine = asyncio.current_task()
        for _ in range(3):
            for task in asyncio.all_tasks():
                if task is not mine:
                    task.cancel()
            for _ in range(20):
                await asyncio.sleep(0)
        self.died = asyncio.Event()
        self.journal, self.waits = self.journal.reopened(), Waits(self.clock)
        await self.begin()

    def die_at(self, write: int, *, is_before: bool) -> None:
        left = write

        async def maybe(_: Sequence[Record]) -> None:
            nonlocal left
            left -= 1
            if left <= 0:
                self.died.set()
                await asyncio.Event().wait()  # nobody hears of it any more

        setattr(self.journal, "before" if is_before else "after", maybe)

    # ---- what happens ----

    async def guarded(self) -> None:
        """Something happens, unless the node dies of it."""
        happening = asyncio.ensure_future(self.happen())
        dying = asyncio.ensure_future(self.died.wait())
        await asyncio.wait([happening, dying], return_when=asyncio.FIRST_COMPLETED)
        if self.died.is_set():
            await self.rise()
            return
        dying.cancel()
        await happening

    async def happen(self) -> None:
        rng, wanted = self.rng, self.rng.choice(self.wanted)
        dice = rng.random()
        if dice < 0.3:
            await self.order(wanted)
        elif dice < 0.65:
            await self.pay(wanted)
        elif dice < 0.7:
            await (self.pay if self.is_honest else self.cheat)(wanted)
        elif dice < 0.73:
            await self.say(wanted, rng.choice((Cancel(), Dispute(Reason.PROOF, "no"))))
        elif dice < 0.84:
            self.die_at(rng.randint(1, 5), is_before=rng.random() < 0.5)
        elif dice < 0.92:
            self.doer.may_end.set() if rng.random() < 0.8 else self.doer.may_end.clear()
            some = (None, None, None, BlockMissing("not now"), Refused("not ever"))
            self.doer.error = rng.choice(some)
        else:
            self.world.set_time(int(self.hub.clock.now()) + rng.choice((5, 300, 1500)))
            self.world.mine()
        await asyncio.sleep(rng.choice((0.0, 0.1, 3.0)))

    async def order(self, wanted: Wanted) -> None:
        """The accept, again and again the same; another offer only where the first was refused."""
        if wanted.body is None:
            wanted.offer = await self.offer(wanted.service)
            wanted.body = self.accept(wanted.service, wanted.offer)
        for answer in await self.ask(wanted, wanted.body):
            if answer.code in (Code.PRICE, Code.EXPIRED):
                wanted.body = None
                return
            assert answer.code in (Code.OK, Code.BUSY), answer

    async def pay(self, wanted: Wanted) -> None:
        """As customers do: only for a result, and each part once."""
        if wanted.offer is None or wanted.result is None:
            await self.say(wanted, StatusRequest())
            return
        parts = 2 if wanted.service is Service.ENCODE else 1
        if wanted.paid < parts:
            self.promised += wanted.offer.offer.part(wanted.paid)
            wanted.paid += 1
        await self.release(wanted)

    async def release(self, wanted: Wanted) -> None:
        domain = domain_separator(self.hub.domain)
        voucher = sign_voucher(CLIENT_KEY, domain, CLIENT, AGGREGATOR, self.promised)
        await self.income.take(voucher)
        await self.say(wanted, Release(wanted.paid - 1))

    async def cheat(self, wanted: Wanted) -> None:
        """A release of what was not paid, or was paid for another job."""
        await self.say(wanted, Release(min(1, wanted.paid)))
        self.seen["cheats"] += 1

    async def say(self, wanted: Wanted, body: Asking) -> None:
        for answer in await self.ask(wanted, body):
            if isinstance(answer.body, _RESULTS):
                assert wanted.result in (None, answer.body)
                wanted.result = answer.body

    async def ask(self, wanted: Wanted, body: Asking) -> list[AggregatorAnswer]:
        """What is heard: nothing, or as many answers as the request came."""
        count = 2 if self.rng.random() < self.loss / 2 else 1
        asking = [asyncio.ensure_future(self.once(wanted, body)) for _ in range(count)]
        await asyncio.wait(asking, timeout=ANSWER_SECONDS)
        for each in asking:
            each.cancel()  # a proof that is not made in time
        await asyncio.wait(asking)
        if self.rng.random() < self.loss:
            self.seen["lost"] += 1
            return []
        self.seen["repeated"] += count > 1
        return [each.result() for each in asking if not each.cancelled()]

    async def once(self, wanted: Wanted, body: Asking) -> AggregatorAnswer:
        request = AggregatorRequest(wanted.job_id, body)
        payload = memoryview(b"".join(request.segments()))
        return decode_answer(b"".join(await self.aggregator.answer(self.peer, payload)))

    async def offer(self, service: Service) -> SignedOffer:
        answer = await self.once(Wanted(bytes(16), service), QUOTES[service])
        assert isinstance(answer.body, OfferAnswer)
        return open_offer(answer.body.offer, answer.body.sig_payee, answer.body.sig_peer)

    def accept(self, service: Service, offer: SignedOffer) -> Accept:
        domain = domain_separator(self.hub.domain)
        digest = introduction_digest(domain, CLIENT, AGGREGATOR, self.peer)
        customer = Customer(CLIENT, offer.digest, sign_recoverable(CLIENT_KEY, digest))
        until = int(self.hub.clock.now()) + 3600
        match service:
            case Service.ENCODE:
                return AcceptEncode(customer, ORIGINAL, until)
            case Service.PROVE:
                return AcceptProve(customer, KEY_HASH, b"witness", until)
            case Service.SUBMIT:
                return AcceptSubmit(customer, WORD, 7, WORD, PROOF, until)

    # ---- what holds ----

    def check(self) -> None:
        account = self.income.account(CLIENT)
        assert account.billed <= account.received <= self.promised
        released = 0
        for job in self.aggregator.jobs:
            self.check_forward(job)
            for part in (0, 1):
                if self.income.is_billed(CLIENT, f"job/{job.key}/{part}"):
                    released += job.offer.offer.part(part)
        assert account.billed == released

    def check_forward(self, job: Job) -> None:
        before = self.stages.get(job.job_id)
        self.stages[job.job_id] = job
        if before is None:
            return
        assert (job.work, job.offer.digest) == (before.work, before.offer.digest)
        if before.at in ENDS:
            assert job.at is before.at
        elif job.at not in ENDS:
            assert _RANK[job.at] >= _RANK[before.at]

    async def be_well(self) -> None:
        """No more trouble: what was paid is released, as long as its job has not ended."""
        self.loss = 0.0
        await self.rise()
        self.doer.may_end.set()
        self.doer.error = None
        await asyncio.sleep(60)
        for wanted in self.wanted:
            job = self.aggregator.jobs.find(wanted.job_id)
            if job is None or job.at in ENDS or not wanted.paid:
                continue
            self.seen["paid at the end"] += 1
            await self.release(wanted)
            after = self.aggregator.jobs.find(wanted.job_id)
            assert after is not None
            parts = 2 if wanted.service is Service.ENCODE else 1
            assert not self.is_honest or after.at is (
                Stage.SETTLED if wanted.paid == parts else Stage.SERVING
            )

    async def finish(self) -> None:
        self.world.set_time(int(self.hub.clock.now()) + 30 * 86_400)
        self.world.mine()
        await asyncio.sleep(60)
        for job in self.aggregator.jobs:
            assert job.at in ENDS
            assert job.is_dropped
            assert job.key in self.doer.dropped
            self.seen[job.at.name.lower()] += 1
        assert self.waits.of() == []
        await self.aggregator.stop()
        await self.income.stop()
