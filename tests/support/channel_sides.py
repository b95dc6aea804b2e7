"""Both sides of one payment channel as values that a test moves: the production logic, a hub that
is the truth, and journals. `channel_walk` lets them live."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from quire.base.errors import InsufficientFunds
from quire.base.machine import Failed, TimedOut
from quire.chain.hub import CHALLENGE_SECONDS, HubChannel
from quire.channels.account import Account, Verdict
from quire.channels.account_record import decode_account, encode_billed, encode_received
from quire.channels.billed import Billed
from quire.channels.bills import Bills
from quire.channels.channel import (
    Channel,
    ChannelEffect,
    ChannelEvent,
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
