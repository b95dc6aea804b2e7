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

from quire.base.machine import TimedOut
from quire.channels.channel import At, Close, Seen
from quire.channels.claims import ClaimPolicy
from quire.channels.topup import TopUpPolicy
from support.channel_sides import (
    PAYEE,
    QUARTER,
    Answer,
    Crash,
    Hub,
    Job,
    Journal,
    Payee,
    Payer,
    Request,
)

SERIES = ("a", "b", "c", "get/d")
STEPS = 80


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
