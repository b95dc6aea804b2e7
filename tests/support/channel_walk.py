"""Random lives of one payment channel, without a loop: the production logic of both sides, and a
network that loses, repeats and reorders, crashes at every step, journals that are set back.

What is checked at every step
    signed    no voucher was ever signed over more than all distinct bills together
    taken     the payee holds nothing that was not signed; the hub paid nothing that he did not hold
    deposit   what the payee takes he can claim: it is never above the deposit that he saw
    tokens    none appears or is lost
    in time   a payee who looks every quarter of the challenge loses nothing to a close
    credit    of a series one bill at most is promised and not taken yet
and at the end, when everything is well again: every bill is paid once, to the token.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace

from quire.base.errors import InsufficientFunds
from quire.base.machine import Failed, TimedOut
from quire.chain.hub import CHALLENGE_SECONDS, HubChannel
from quire.channels.account import Account, Verdict
from quire.channels.account_record import decode_account, encode_billed, encode_received
from quire.channels.billed import Billed
from quire.channels.bills import Bills
from quire.channels.channel import (
    At,
    Channel,
    ChannelEffect,
    ChannelEvent,
    Close,
    Fund,
    Look,
    Promise,
    Release,
    RequestClose,
    Seen,
    Shown,
    TopUp,
)
from quire.channels.channel_machine import ChannelMachine, bill_of
from quire.channels.channel_record import (
    decode_bill,
    decode_channel,
    encode_bill,
    encode_channel,
)
from quire.channels.claims import ClaimPolicy, claims_due
from quire.channels.paying import Compare, Done, HandOver, Told, next_step
from quire.channels.topup import Ask, TopUpPolicy, plan_top_ups
from support.memory_world import RIGHT_NOW

PAYER, PAYEE = b"\x01" * 20, b"\x02" * 20
MACHINE, NOTHING = ChannelMachine(), HubChannel()
QUARTER = CHALLENGE_SECONDS // 4
SERIES = ("a", "b", "c", "get/d")
STEPS = 80


class Crash(Exception):
    """The process ends here."""


@dataclass
class Hub:
    """The truth of the chain."""

    rng: random.Random
    tokens: int
    balance: int = 0
    paid: int = 0
    now: int = RIGHT_NOW
    channel: HubChannel = NOTHING

    def allocate(self, amount: int) -> None:
        assert 0 <= amount <= self.balance
        self.balance -= amount
        deposit = self.channel.deposit + amount
        self.channel = replace(self.channel, deposit=deposit, close_at=0)

    def claim(self, cumulative: int) -> None:
        assert self.channel.claimed < cumulative <= self.channel.deposit
        self.paid += cumulative - self.channel.claimed
        self.channel = replace(self.channel, claimed=cumulative)

    def close(self) -> None:
        self.channel = replace(self.channel, close_at=self.now + CHALLENGE_SECONDS)

    def release(self) -> None:
        assert 0 < self.channel.close_at <= self.now
        self.balance += self.channel.free
        self.channel = HubChannel(self.channel.claimed, self.channel.claimed)

    @property
    def total(self) -> int:
        return self.tokens + self.balance + self.channel.free + self.paid


@dataclass(frozen=True)
class Request:
    number: int
    sum: int
    memo: str


@dataclass(frozen=True)
class Answer:
    number: int
    code: str
    told: Told


@dataclass
class Payee:
    """The other side, with its journal."""

    hub: Hub
    account: Account = field(default_factory=lambda: Account(PAYER))
    marks: Billed = field(default_factory=Billed)
    owed: dict[str, int] = field(default_factory=dict)

    def bill(self, key: str, amount: int) -> None:
        if not self.marks.has(key):
            self.account = self.account.bill(amount)
            self.marks.add(key)

    def restart(self) -> None:
        account = self.account
        self.account = decode_account(encode_billed(account), encode_received(account))

    def look(self) -> None:
        self.account = self.account.look(self.hub.channel, self.hub.now)

    def answer(self, request: Request) -> Answer:
        verdict = self.account.judge(request.sum)
        is_old = self.hub.now - self.account.seen_at > QUARTER
        if verdict is not Verdict.KNOWN and (verdict is not Verdict.BEST or is_old):
            self.look()
            verdict = self.account.judge(request.sum)
        code = "OK"
        if verdict is Verdict.BEST:
            assert request.sum <= self.account.seen.deposit
            self.account = self.account.take(request.sum, b"%d" % request.sum)
        elif verdict is not Verdict.KNOWN:
            code = "OVERDRAWN"
        told = Told(self.account.received, self.account.billed, self.marks.has(request.memo))
        return Answer(request.number, code, told)

    def claim(self, policy: ClaimPolicy) -> None:
        """One look of the watcher."""
        self.look()
        for account in claims_due([self.account], policy):
            self.hub.claim(account.received)
        self.look()


@dataclass
class Journal:
    """What is durable of the payer."""

    channel: bytes
    bills: dict[str, bytes] = field(default_factory=dict)

    def copy(self) -> Journal:
        return Journal(self.channel, dict(self.bills))


@dataclass
class Job:
    """One call of `pay`, perhaps repeated."""

    key: str
    amount: int
    told: Told | None = None


class Payer:
    """This side: journal, what is in memory, and the calls of `pay` that are under way."""

    def __init__(self, hub: Hub, rng: random.Random, policy: TopUpPolicy, crash: float) -> None:
        self.hub, self.rng, self.policy, self.crash_chance = hub, rng, policy, crash
        self.journal = Journal(encode_channel(Channel(PAYEE)))
        self.signed: list[int] = []
        self.asked = 0
        self.rise()

    def rise(self) -> None:
        """A process begins with what its journal has."""
        self.channel = decode_channel(self.journal.channel)
        self.book = Bills()
        for data in self.journal.bills.values():
            self.book.add(decode_bill(data))
        self.accepted: int | None = None
        self.outstanding: tuple[int, int, Job] | None = None  # number, sum, for whom
        self.jobs: list[Job] = []
        self.effects: list[ChannelEffect] = list(MACHINE.resume(self.channel))

    def may_crash(self) -> None:
        if self.rng.random() < self.crash_chance:
            raise Crash

    def post(self, event: ChannelEvent | TimedOut | Failed) -> None:
        """As `Machines` does it: durable first, then the effects."""
        before = self.channel
        state, effects = MACHINE.step(before, event)
        if state != before:
            self.may_crash()
            journal = Journal(encode_channel(state), self.journal.bills)
            bill = bill_of(before, state)
            if bill is not None:
                journal.bills = journal.bills | {bill.key: encode_bill(bill)}
            self.journal = journal  # one write
            self.may_crash()
            self.channel = state
            if bill is not None:
                self.book.add(bill)
            if state.at is not before.at:
                self.effects = []
        self.effects += [each for each in effects if each not in self.effects]

    def advance(self, job: Job) -> Request | None:
        """The next step of one call; a request where it has to be sent."""
        if self.outstanding is not None:
            return None
        behind = self.book.unpaid_before(job.key, PAYEE, self.accepted or 0)
        step = next_step(
            job.key,
            job.amount,
            self.book.get(job.key),
            behind,
            self.channel,
            accepted=self.accepted,
            told=job.told,
        )
        match step:
            case Done():
                self.jobs.remove(job)
            case Promise():
                self.post(step)
                if self.book.get(job.key) is None:
                    self.fund(step.amount - step.covered)
            case Compare() | HandOver():
                return self.send(job)
        return None

    def send(self, job: Job) -> Request:
        self.asked += 1
        total = self.channel.promised
        self.signed.append(total)
        self.outstanding = (self.asked, total, job)
        return Request(self.asked, total, job.key)

    def hear(self, answer: Answer) -> None:
        if self.outstanding is None or self.outstanding[0] != answer.number:
            return  # nobody waits for it any more
        _, total, job = self.outstanding
        self.outstanding = None
        if answer.told.accepted > total:
            assert answer.told.accepted in self.signed  # it shows the voucher
            self.post(Shown(answer.told.accepted))
        if answer.code == "OVERDRAWN":
            self.post(Seen(self.hub.channel))
            if self.channel.lacks(total):
                self.fund(1)
        if answer.code == "OK" or self.book.get(job.key) is None:
            self.accepted = answer.told.accepted
        if self.book.get(job.key) is None:
            job.told = answer.told

    def fund(self, at_least: int) -> None:
        self.post(Seen(self.hub.channel))
        self.post(Fund(at_least, self.policy.wish(at_least)))

    def work(self) -> None:
        """One effect at the hub; it may be cut off in between."""
        effect = self.effects.pop(0)
        hub = self.hub
        self.may_crash()
        match effect:
            case TopUp():
                ask = Ask(PAYEE, hub.channel, self.channel.least, self.channel.want)
                plan = plan_top_ups([ask], hub.balance, hub.tokens)
                hub.tokens -= plan.deposit
                hub.balance += plan.deposit
                self.may_crash()
                for _, amount in plan.sums:
                    hub.allocate(amount)
                self.may_crash()
                if plan.short:
                    self.post(Failed(effect, InsufficientFunds("too little")))
                    return
            case RequestClose() if not hub.channel.close_at:
                hub.close()
            case Release() if hub.channel.close_at == self.channel.seen.close_at > 0:
                hub.release()
            case Look():
                pass
        self.may_crash()
        self.post(Seen(hub.channel))


class Walk:
    """One life."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.hub = Hub(rng, tokens=rng.choice((0, 60, 100_000)))
        self.minted = self.hub.tokens
        policy = TopUpPolicy(rng.choice((0, 0, 500)))
        self.payer = Payer(self.hub, rng, policy, rng.choice((0.0, 0.03, 0.15)))
        self.payee = Payee(self.hub)
        self.claims = ClaimPolicy(threshold=rng.choice((1, 50, 10**9)))
        self.loss = rng.choice((0.0, 0.2, 0.5))
        self.can_set_back = rng.random() < 0.4
        self.network: list[Request | Answer] = []
        self.owed: dict[str, int] = {}
        self.copies: list[Journal] = []
        self.forgotten: set[str] = set()
        self.looked = self.hub.now
        self.seen: Counter[str] = Counter()

    def run(self) -> Counter[str]:
        for _ in range(STEPS):
            self.guarded(self.happen)
            self.check()
        self.be_well()
        self.check()
        self.finish()
        return self.seen

    def guarded(self, what) -> None:
        try:
            what()
        except Crash:
            self.seen["crashes"] += 1
            self.payer.rise()

    # ---- what happens ----

    def happen(self) -> None:
        rng, payer = self.rng, self.payer
        dice = rng.random()
        if dice < 0.11:
            self.new_bill()
        elif dice < 0.14:
            self.forget()
        elif dice < 0.18 and self.owed:
            self.call(rng.choice(list(self.owed)))
        elif dice < 0.48 and payer.jobs:
            self.advance(rng.choice(payer.jobs))
        elif dice < 0.78 and self.network:
            self.deliver(rng.randrange(len(self.network)))
        elif dice < 0.84 and payer.effects:
            payer.work()
        elif dice < 0.87:
            payer.outstanding = None  # it was waited for long enough
            payer.jobs = payer.jobs[:1]
        elif dice < 0.91:
            for _ in range(rng.choice((1, 1, 5))):
                self.pass_time(rng.choice((1, QUARTER, QUARTER)))
        elif dice < 0.93:
            payer.post(Seen(self.hub.channel))
            payer.post(Close())
        elif dice < 0.94:
            self.payee.claim(self.claims)
        elif dice < 0.95:
            self.payee.restart()
        elif self.can_set_back:
            self.set_back()

    def new_bill(self) -> None:
        series = self.rng.choice(SERIES)
        number = sum(key.startswith(f"{series}/") for key in self.owed)
        key = f"{series}/{number}"
        self.owed[key] = self.rng.choice((0, 1, 10, 33))
        self.payee.bill(key, self.owed[key])  # it was delivered
        self.call(key)

    def forget(self) -> None:
        """What is paid for good is not asked about again, also after a set-back."""
        payer = self.payer
        accepted = payer.accepted or 0
        paid = [bill.key for bill in payer.book.of(PAYEE) if bill.sum <= accepted]
        for key in paid[: self.rng.randint(1, 3)]:
            self.forgotten.add(key)
            for gone in payer.book.forget(key):
                del payer.journal.bills[gone]
        payer.jobs = [job for job in payer.jobs if job.key not in self.forgotten]

    def call(self, key: str) -> None:
        if key in self.forgotten:
            return
        if all(job.key != key for job in self.payer.jobs):
            self.payer.jobs.append(Job(key, self.owed[key]))

    def advance(self, job: Job) -> None:
        request = self.payer.advance(job)
        if request is not None:
            self.put(request)

    def put(self, message: Request | Answer) -> None:
        if self.rng.random() < self.loss:
            self.seen["lost"] += 1
            return
        self.network.append(message)
        if self.rng.random() < self.loss / 2:
            self.seen["repeated"] += 1
            self.network.append(message)

    def deliver(self, index: int) -> None:
        message = self.network.pop(index)
        self.seen["reordered"] += index > 0
        if isinstance(message, Request):
            self.put(self.payee.answer(message))
        else:
            self.payer.hear(message)

    def pass_time(self, seconds: int) -> None:
        """The watcher looks at least every quarter of the challenge."""
        hub, payer = self.hub, self.payer
        hub.now += seconds
        if hub.now - self.looked >= QUARTER:
            self.looked = hub.now
            self.payee.claim(self.claims)
        close_at = payer.channel.seen.close_at
        self.seen["releases"] += payer.channel.at is At.CHALLENGE and close_at <= hub.now
        if payer.channel.at is At.CHALLENGE and close_at <= hub.now:
            payer.post(TimedOut())

    def set_back(self) -> None:
        """Now and then a copy of the journal is made, and comes back."""
        if not self.copies or self.rng.random() < 0.6:
            self.copies.append(self.payer.journal.copy())
            return
        self.payer.journal = self.rng.choice(self.copies).copy()
        self.payer.rise()
        self.seen["set back"] += 1

    # ---- what must hold ----

    def check(self) -> None:
        hub, account, signed = self.hub, self.payee.account, self.payer.signed
        most = max(signed, default=0)
        assert most <= sum(self.owed.values()), (most, self.owed)
        assert account.received <= most
        assert hub.channel.claimed <= account.received
        assert hub.channel.claimed <= hub.channel.deposit
        assert hub.total == self.minted, hub
        channel = self.payer.channel
        bills = sum(bill.amount for bill in self.payer.book.of(PAYEE))
        known = bills + channel.taken_over
        assert channel.promised == known or (self.forgotten and known < channel.promised), channel
        for series in SERIES:
            ahead = [
                bill
                for bill in self.payer.book.of(PAYEE)
                if bill.key.startswith(series) and bill.sum > account.received
            ]
            assert len(ahead) <= 1, ahead
        if not hub.channel.close_at and hub.channel.deposit < account.received:
            # A release took what was promised: only what came after the last look may be missing.
            raise AssertionError(f"{account.received} were promised: {hub.channel}")

    # ---- the end ----

    def be_well(self) -> None:
        """No more trouble, money enough: everybody does what he has to."""
        self.loss = self.payer.crash_chance = 0.0
        self.hub.tokens += 10**6
        self.minted += 10**6
        self.payer.rise()
        for key in self.owed:
            self.call(key)
        for _ in range(2000):
            payer = self.payer
            if payer.effects:
                payer.work()
            elif self.network:
                self.deliver(self.rng.randrange(len(self.network)))
            elif payer.jobs:
                payer.outstanding = None
                self.advance(payer.jobs[0])
            else:
                return
            if self.hub.channel.close_at:
                self.pass_time(QUARTER)
        raise AssertionError(f"{self.payer.jobs} {self.payer.channel}")

    def finish(self) -> None:
        total = sum(self.owed.values())
        account = self.payee.account
        assert account.billed == total
        assert account.received == total, (account, total)
        assert self.payer.channel.promised == total
        self.payee.look()
        if self.payee.account.unclaimed:
            self.hub.claim(self.payee.account.received)
        assert self.hub.paid == total
        self.seen["bills"] += len(self.owed)
        self.seen["vouchers"] += len(self.payer.signed)
