"""One order and its job live against each other: the production machines, a network that loses,
repeats and reorders, both sides crashing, vouchers and bills as sums, and liars.

Nothing here knows time but the chain's, which only goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from quire.aggregation.job import (
    Cancelled,
    Disputed,
    Done,
    DoWork,
    Drop,
    Dropped,
    Job,
    JobEffect,
    JobEvent,
    Released,
)
from quire.aggregation.job_machine import JobMachine
from quire.aggregation.order import (
    Ask,
    At,
    Await,
    Cancel,
    Check,
    Claim,
    Claimed,
    Declined,
    Fund,
    Funded,
    Good,
    NotOwed,
    Order,
    OrderEffect,
    OrderEvent,
    Paid,
    Pay,
    Ready,
    Served,
    Taken,
    Tell,
    Told,
    Watch,
    Wrong,
)
from quire.aggregation.order_machine import OrderMachine
from quire.aggregation.values import Service
from quire.base.errors import Busy, InsufficientFunds
from quire.base.machine import Deadline, Failed, TimedOut
from quire.base.rng import seeded_rng
from quire.formats.aggregator_codes import Reason, Stage
from support.aggregator_messages import a_job, an_order

ORDERS, JOBS = OrderMachine(), JobMachine()
GOOD, BAD = b"what was ordered", b"something else"
START, STEPS, CALM_STEPS = 100, 60, 4000
_WITH_RESULT = (Stage.READY, Stage.SERVING, Stage.SETTLED)


@dataclass(frozen=True)
class Message:
    """`number` matches an answer with its question; a crash forgets all questions."""

    to_aggregator: bool
    number: int
    what: str
    part: int = 0
    total: int = 0
    result: bytes = b""


@dataclass
class Customer:
    """With its journal (`order`, `bills`), and what a crash takes (the rest)."""

    order: Order
    effects: list[OrderEffect]
    bills: dict[str, int] = field(default_factory=dict)
    accepted: int = 0
    asked: dict[int, str] = field(default_factory=dict)
    entered: int = START
    releases: int = 0

    @property
    def promised(self) -> int:
        return sum(self.bills.values())


@dataclass
class Aggregator:
    """With its journal: job, voucher, bills."""

    job: Job | None = None
    effects: list[JobEffect] = field(default_factory=list)
    received: int = 0
    billed: dict[int, int] = field(default_factory=dict)
    entered: int = START

    @property
    def due(self) -> int:
        return sum(self.billed.values()) - self.received


class Life:
    """`counts`: what happened in it."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = seeded_rng(seed)
        service = rng.choice((Service.ENCODE, Service.ENCODE, Service.PROVE, Service.SUBMIT))
        order = an_order(service)
        self.customer = Customer(order, list(ORDERS.resume(order)))
        self.aggregator = Aggregator()
        self.service = service
        self.now = START
        self.network: list[Message] = []
        self.numbers = 0
        self.is_liar = rng.random() < 0.25
        self.withholds = rng.random() < 0.25
        self.is_greedy = rng.random() < 0.2  # bills again, and says that it was not paid
        self.is_calm = False
        self.is_good_known = False
        self.counts: Counter[str] = Counter()

    def run(self) -> Counter[str]:
        acts: list[Callable[[], None]] = [
            self.customer_works, self.customer_works, self.aggregator_works, self.deliver,
            self.deliver, self.deliver, self.crash_customer, self.crash_aggregator, self.pass_time,
            self.lose, self.cancel,
        ]  # fmt: skip
        weights = [6, 6, 4, 6, 6, 6, 1, 1, 2, 2, 0.2]
        for _ in range(STEPS):
            self.rng.choices(acts, weights)[0]()
            self.check()
        self.is_calm = True
        for _ in range(CALM_STEPS):
            if self.has_ended:
                break
            self.rng.choices([*acts[:6], self.pass_time], [6, 6, 4, 6, 6, 6, 1])[0]()
            self.check()
        self.check_end()
        return self.counts

    @property
    def has_ended(self) -> bool:
        job = self.aggregator.job
        return ORDERS.has_ended(self.customer.order) and (job is None or JOBS.has_ended(job))

    # ---- what always holds ----

    def check(self) -> None:
        customer, order, offer = self.customer, self.customer.order, self.customer.order.offer.offer
        assert customer.promised <= offer.price
        assert set(customer.bills) <= {order.bill(0), order.bill(1)}
        assert self.aggregator.received <= customer.promised
        if customer.promised:
            assert self.is_good_known
            assert not self.is_liar
        if order.at is At.WITHHELD:
            assert customer.promised == offer.price_first
        job = self.aggregator.job
        if job is not None and job.at is Stage.SETTLED:
            assert customer.promised == offer.price

    def check_end(self) -> None:
        customer, order = self.customer, self.customer.order
        assert self.has_ended, (order.at, self.aggregator.job)
        if order.at is At.SETTLED:
            assert customer.promised == order.cost == order.offer.offer.price
        if order.at in (At.CHEATED, At.REFUSED, At.LATE, At.CANCELLED, At.MADE_GOOD):
            assert customer.promised == 0
        self.counts[order.at.value] += 1

    # ---- faults ----

    def crash_customer(self) -> None:
        customer = self.customer
        customer.order = ORDERS.decode(ORDERS.encode(customer.order))
        customer.effects = list(ORDERS.resume(customer.order))
        customer.asked.clear()
        customer.accepted = customer.releases = 0
        self.counts["crashes"] += 1

    def crash_aggregator(self) -> None:
        aggregator = self.aggregator
        if aggregator.job is not None:
            aggregator.job = JOBS.decode(JOBS.encode(aggregator.job))
            aggregator.effects = list(JOBS.resume(aggregator.job))
        self.counts["crashes"] += 1

    def lose(self) -> None:
        if self.network:
            self.network.pop(self.rng.randrange(len(self.network)))
            self.counts["lost"] += 1

    def cancel(self) -> None:
        self.to_order(Cancel())

    def pass_time(self) -> None:
        self.now += self.rng.choice((1, 30, 300, 3000, 30_000 * self.is_calm))
        order, job = self.customer.order, self.aggregator.job
        if self._is_due(ORDERS.deadline(order), self.customer.entered):
            self.to_order(TimedOut())
        if job is not None and self._is_due(JOBS.deadline(job), self.aggregator.entered):
            self.to_job(TimedOut())

    def _is_due(self, deadline: Deadline | None, entered: int) -> bool:
        if deadline is None:
            return False
        if deadline.chain_time is not None:
            return self.now >= deadline.chain_time
        return self.now - entered >= (deadline.after_seconds or 0)

    # ---- messages ----

    def deliver(self) -> None:
        """Any of them, perhaps not for the last time."""
        if not self.network:
            return
        at = self.rng.randrange(len(self.network))
        self.counts["reordered"] += at > 0
        message = self.network[at]
        if self.is_calm or self.rng.random() > 0.15:
            self.network.pop(at)
        else:
            self.counts["repeated"] += 1
        if message.to_aggregator:
            self.network.append(replace(self.answer(message), number=message.number))
        else:
            self.hear(message)

    def ask(self, what: str, part: int = 0, total: int = 0) -> None:
        self.numbers += 1
        self.customer.asked[self.numbers] = what
        self.network.append(Message(True, self.numbers, what, part, total))

    def answer(self, asked: Message) -> Message:
        """The aggregator's, as services/aggregating does it."""
        aggregator, said = self.aggregator, Message(False, 0, "ok")
        if asked.what == "voucher":
            aggregator.received = max(aggregator.received, asked.total)
            return replace(said, what="taken", total=aggregator.received)
        if asked.what == "accept" and aggregator.job is None:
            if self.rng.random() < 0.1:
                return replace(said, what="no")
            aggregator.job = a_job(self.service)
            aggregator.effects = list(JOBS.resume(aggregator.job))
            aggregator.entered = self.now
        job = aggregator.job
        if job is None:
            return replace(said, what="no")
        match asked.what:
            case "release":
                return replace(said, what=self.release(job, asked.part), part=asked.part)
            case "dispute":
                self.to_job(Disputed(Reason.PARITY, "wrong"))
            case "cancel":
                self.to_job(Cancelled())
            case _ if job.at in _WITH_RESULT:
                return replace(said, what="result", result=job.result)
            case _ if job.at > Stage.READY:
                return replace(said, what="no")
        return said

    def release(self, job: Job, part: int) -> str:
        if self.is_greedy:
            return "unpaid"
        due = {Stage.READY: 0, Stage.SERVING: 1}.get(job.at)
        while due is not None and due <= part:
            amount = job.offer.offer.part(due)
            if amount and due not in self.aggregator.billed:
                if self.aggregator.due + amount > 0:
                    return "unpaid"
                self.aggregator.billed[due] = amount
            self.to_job(Released(due, self.now))
            assert self.aggregator.job is not None
            due = {Stage.READY: 0, Stage.SERVING: 1}.get(self.aggregator.job.at)
        return "released"

    def hear(self, said: Message) -> None:
        """An answer, if the question is remembered and its effect is still wanted."""
        customer = self.customer
        asked = customer.asked.pop(said.number, None)
        effect = customer.effects[0] if customer.effects else None
        match asked, effect:
            case None, _:
                return
            case "voucher", Pay():
                customer.accepted = max(customer.accepted, said.total)
            case "release", Pay(part) if said.part == part:
                if said.what == "unpaid" and customer.releases < 8:
                    return
                self.to_order(Paid(part, self.now))
            case (("accept" | "status"), (Ask() | Await())):
                if said.what == "no":
                    self.to_order(Declined("no"))
                elif said.what == "result":
                    self.to_order(Ready(said.result, b"s" * 65))
                elif isinstance(effect, Ask):
                    self.to_order(Taken())
            case (("dispute" | "cancel"), Tell()):
                self.to_order(Told())

    # ---- work ----

    def customer_works(self) -> None:
        customer, rng = self.customer, self.rng
        if not customer.effects:
            return
        order, effect = customer.order, customer.effects[0]
        match effect:
            case Fund():
                poor = Failed(effect, InsufficientFunds("no money"))
                self.to_order(poor if rng.random() < 0.05 else Funded())
            case Ask():
                self.ask("accept")
            case Await():
                self.ask("status")
            case Check():
                self.is_good_known = order.result == GOOD
                wrong = Wrong(Reason.PARITY, "it is wrong", 3, b"evidence")
                self.to_order(Good("all of it") if self.is_good_known else wrong)
            case Pay(part):
                self.pay(order, part)
            case Claim():
                is_owed = rng.random() < 0.5
                self.to_order(Claimed(9) if is_owed else NotOwed("the proof is in the chain"))
            case Watch():
                withheld = Wrong(Reason.WITHHELD, "not served")
                self.to_order(withheld if self.withholds else Served())
            case Tell():
                what = {At.CHEATED: "dispute", At.WITHHELD: "dispute", At.SETTLED: ""}
                said = what.get(order.at, "cancel")
                if not said or rng.random() < 0.3:  # or it cannot be told
                    self.to_order(Told())
                else:
                    self.ask(said)

    def pay(self, order: Order, part: int) -> None:
        """As services/ordering/order_work does it; a bill that is known is promised no more."""
        customer = self.customer
        customer.bills.setdefault(order.bill(part), order.offer.offer.part(part))
        if customer.accepted < customer.promised:
            self.ask("voucher", total=customer.promised)
            return
        customer.releases += 1
        self.ask("release", part)
        if customer.releases > 8:
            self.to_order(Paid(part, self.now))

    def aggregator_works(self) -> None:
        aggregator = self.aggregator
        if not aggregator.effects:
            return
        match aggregator.effects[0]:
            case DoWork() if self.rng.random() < 0.03:
                self.to_job(Failed(DoWork(), Busy("it cannot")))
            case DoWork():
                self.to_job(Done(BAD if self.is_liar else GOOD, self.now, b"s" * 65))
            case Drop():
                self.to_job(Dropped())

    # ---- machines, as the runner drives them ----

    def to_order(self, event: OrderEvent | TimedOut | Failed) -> None:
        customer = self.customer
        before = customer.order
        customer.order, effects = ORDERS.step(before, event)
        if customer.order.at is not before.at:
            customer.entered, customer.releases = self.now, 0
            customer.effects = []
        if ORDERS.has_ended(customer.order):
            customer.effects = []
        customer.effects += [each for each in effects if each not in customer.effects]

    def to_job(self, event: JobEvent | TimedOut | Failed) -> None:
        aggregator = self.aggregator
        assert aggregator.job is not None
        before = aggregator.job
        aggregator.job, effects = JOBS.step(before, event)
        if aggregator.job.at is not before.at:
            aggregator.entered = self.now
            aggregator.effects = []
        if JOBS.has_ended(aggregator.job):
            aggregator.effects = []
        aggregator.effects += [each for each in effects if each not in aggregator.effects]
