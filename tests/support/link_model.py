"""Random runs of the machines of links and leases, with the invariants that must hold in each.

    one link for each chunk and provider           a bill is promised once, for what it costs
    vouchers <= bills of checked receipts          and <= deposit of the channel
    a cheat is never paid                          a later bill only after a good audit
    signed: the provider has it all, and was paid  renewals leave no gap
    without faults an upload fails only for want of providers          every run comes to its end

python -m support.link_model 0 20000          runs these seeds and prints the table of outcomes

Source   point.md 6.5
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from dataclasses import dataclass, field, replace

from quire.channels.channel import Bill
from quire.formats.replica_codes import LeaseState
from quire.point.chunk import ChunkState, ChunkView, Wanted
from quire.point.link import ENDS, At, LinkState
from quire.point.link_events import Extend, LinkEvent, Release, Retry
from quire.point.values import BILLING_SECONDS
from support.link_client import Client, Plan
from support.link_kit import DAY
from support.link_ledger import Ledger
from support.link_providers import CHEATS, HONEST, NEVER_PAID, Provider
from support.link_world import Broken, Faults, World

# For terms that nobody accepted, for too much, for what they could not show: they let go of all
# that they hold for who does not pay that.
BELIEVE_TO_BE_OWED = ("renewal bad", "overcharges", "discards")
STEPS_MAX = 30_000
PRICE = 10
UPLOAD_SECONDS = 40 * DAY  # an upload that has not ended by then never will


@dataclass
class Run:
    """One run; `client_class` may be one with a planted mistake. `kinds` to choose providers from,
    and whether it `lives_on` after the upload, are drawn unless they are given."""

    seed: int
    client_class: type[Client] = Client
    provider_class: type[Provider] = Provider
    kinds: tuple[str, ...] = ()
    lives_on: bool | None = None
    world: World = field(init=False)
    client: Client = field(init=False)
    providers: list[Provider] = field(init=False)
    is_released: bool = field(default=False, init=False)
    was_safe: dict[int, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = random.Random(self.seed)
        faults = rng.choice((Faults(), _faults(rng), _faults(rng)))
        lives_on = rng.random() < 0.15
        self.lives_on = lives_on if self.lives_on is None else self.lives_on
        if self.lives_on:  # a long life under heavy loss is a link lost, as it should be
            crash = rng.choice((0.0, 0.003))
            faults = Faults(rng.choice((0.0, 0.02)), 0.05, crash, crash)
        count = rng.randint(2, 8) + (6 if self.lives_on else 0)
        cheats = rng.choice((0.0, 0.3, 0.6))
        kinds = [rng.choice(CHEATS if rng.random() < cheats else HONEST) for _ in range(count)]
        if rng.random() < 0.3:
            kinds = [kind if kind not in HONEST else "good" for kind in kinds]
        if self.kinds:
            kinds = [rng.choice(self.kinds) for _ in range(count)]
        plan = Plan(
            redundancy=rng.randint(1, 3),
            chunks=rng.choice((1, 1, 1, 2)),
            blocks=rng.randint(1, 7),
            seconds=rng.choice((7200, DAY, 5 * DAY // 2)) if self.lives_on else DAY,
            is_autorenewed=rng.random() < 0.8,
            budget=None,
        )
        size = (plan.blocks - 1) * 65536 + 77
        plan.budget = 8 * PRICE * size * (plan.seconds + 5)
        self.is_poor = rng.random() < 0.2
        wallet = rng.randint(0, plan.budget * 2) if self.is_poor else 10**30
        self.is_refilled = rng.random() < 0.7
        self.world = World(rng, faults, wallet)
        self.providers = [
            self.provider_class(self.world, index, kind, PRICE) for index, kind in enumerate(kinds)
        ]
        ledger = Ledger(self.world, rng.choice((1, 1, 3)))
        self.client = self.client_class(self.world, self.providers, ledger, plan)
        self.by_payee = {each.who.payee: each for each in self.providers}
        ledger.on_promise = self._promised
        self.client.on_step = self._stepped
        self.client.on_view = self._viewed

    def go(self) -> tuple[str, ...]:
        """Raises Broken. The outcome: state, enough honest providers, faults, a poor wallet."""
        client, world = self.client, self.world
        world.after(0, lambda: client.guarded(client.start))
        if self.is_poor and self.is_refilled:
            world.after(world.rng.random() * 1000, self._refill)
        owner = random.Random(f"the owner in run {self.seed}")
        if owner.random() < 0.05:
            seconds = client.plan.seconds if self.lives_on else 40
            world.after(owner.random() * seconds, self._release)
        if self.lives_on and owner.random() < 0.3:
            world.after(owner.random() * client.plan.seconds, self._extend)
        begun = world.time
        while not self._has_ended():
            if not world.step() or world.steps > STEPS_MAX or world.time > begun + UPLOAD_SECONDS:
                states = [(link.at, link.why) for link in client.links.values()]
                self._fail("it does not come to its end", states)
        state = self._outcome()
        if self.lives_on and state == "UPLOADED" and (self.is_refilled or not self.is_poor):
            until = world.time + 2.6 * client.plan.seconds
            while world.next_time < until and world.steps <= STEPS_MAX:
                world.step()
            if world.steps > STEPS_MAX:
                self._fail("it goes round in circles")
        self._check_sums()
        return self._row(state)

    def _row(self, state: str) -> tuple[str, ...]:
        honest = sum(each.is_honest for each in self.providers)
        enough = honest >= self.client.plan.redundancy
        if state == "FAILED" and enough and self.world.faults.is_free and not self._is_unlucky():
            self._fail("it failed without a fault and with enough good providers")
        return (
            state,
            "enough honest providers" if enough else "too few honest providers",
            "no faults" if self.world.faults.is_free else "faults",
            "poor" if self.is_poor else "rich",
        )

    def _is_unlucky(self) -> bool:
        """Flaky providers are faults of their own; without money nothing is stored."""
        steady = sum(each.is_honest and each.kind != "flaky" for each in self.providers)
        return steady < self.client.plan.redundancy or (self.is_poor and not self.is_refilled)

    def _refill(self) -> None:
        self.world.wallet += 10**30
        self._tell(Retry())

    def _release(self) -> None:
        """The owner does not want the file any more; what follows is the end of every link."""
        self.is_released = True
        self.client.wanted = Wanted(0, self.world.now, is_autorenewed=False)
        self._tell(Release())

    def _extend(self) -> None:
        until = self.world.now + 2 * self.client.plan.seconds
        self.client.wanted = replace(self.client.wanted, expires_at=until)
        self._tell(Extend(until, False))

    def _tell(self, event: LinkEvent) -> None:
        """Every link, also when the client is killed meanwhile."""
        client = self.client
        told = [key for key in client.links if client.links[key].is_live]
        for key in told:
            if key in client.links:
                client.guarded(client.post, key, event)
        if len(client.links) < len(client.journal):
            self.world.after(100, lambda: self._tell(event))

    def _has_ended(self) -> bool:
        client = self.client
        if client.epoch == 0 or (client.journal and not client.links):
            return False
        if self.is_released:
            ended = map(client.machine.has_ended, client.links.values())
            return len(client.links) == len(client.journal) and all(ended)
        if self._is_paused():
            return True
        views = client.views()
        done = (ChunkState.UPLOADED, ChunkState.FAILED, ChunkState.DEGRADED)
        return all(view.state in done for view in views) and all(
            link.is_held or client.machine.has_ended(link) for link in client.links.values()
        )

    def _is_paused(self) -> bool:
        """All that is left waits for tokens that will never come."""
        if not self.is_poor or self.is_refilled:
            return False
        open_links = [link for link in self.client.links.values() if link.is_live]
        waiting = [link for link in open_links if not link.is_held]
        return bool(waiting) and all(link.is_paused for link in waiting)

    def _outcome(self) -> str:
        if self.is_released:
            return "RELEASED"
        if self._is_paused():
            return "PAUSED"
        states = [view.state for view in self.client.views()]
        if all(state is ChunkState.UPLOADED for state in states):
            return "UPLOADED"
        return "FAILED" if ChunkState.FAILED in states else "DEGRADED"

    def _fail(self, what: str, *facts: object) -> None:
        kinds = [each.kind for each in self.providers]
        raise Broken(f"seed {self.seed}: {what}", self.client.plan, kinds, *facts)

    # ---- invariants ----

    def _promised(self, bill: Bill) -> None:
        provider = self.by_payee[bill.payee]
        link = self.client.links[bytes.fromhex(bill.key.split("/")[0])]
        if provider.kind in NEVER_PAID:
            self._fail(f"a provider that {provider.kind} is paid", bill)
        if self.client.by_peer[link.order.peer] is not provider:
            self._fail("the wrong one is paid", bill)
        if self.is_released and not link.is_live:
            self._fail("a link that its owner gave up is paid", bill)
        receipt = link.receipt
        if receipt is None:
            self._fail("a bill is promised before there is a receipt", bill)
            return
        due = link.terms and next((t for t in link.terms if t.settled < t.bills), None)
        if not due:
            self._fail("a bill is promised that is not owed", bill)
        if bill.amount not in self._prices(link):
            self._fail("a bill is not what it costs", bill, self._prices(link))
        number = int(bill.key.rsplit("/", 1)[1])
        if "/t" not in bill.key and number > 0:
            begins = link.terms[0].starts_at + number * BILLING_SECONDS
            if self.client.passed.get(link.order.link_id, 0) < begins:
                self._fail("a period is paid without a good audit in it", bill)
        if self.client.ledger.promised[bill.payee] > self.world.channel(bill.payee).deposit:
            self._fail("more is promised than the channel has", bill)

    def _prices(self, link: LinkState) -> list[int]:
        """What a bill of this link may cost, computed anew: whole periods, the rest, the fee."""
        size, found = link.order.sealed_bytes, []
        price = link.offer.offer.price_byte_second
        for term in link.terms:
            seconds = term.expires_at - term.starts_at
            period = min(seconds, BILLING_SECONDS)
            for each in {price, term.rate // size}:
                found += [each * size * period, each * size * (seconds % period or period)]
                found.append(each * size * period + 5 * each * size)
        return found

    def _stepped(self, before: LinkState, after: LinkState) -> None:
        client, key = self.client, after.order.link_id
        peers = [link.order.peer for link in client.of(after.order.chunk)]
        if len(set(peers)) != len(peers):
            self._fail("two links of one chunk are at one provider")
        if after.audits_failed == 0 and after.audit_at > before.audit_at and before.is_held:
            client.passed[key] = self.world.now
        if before.at in ENDS and after.at is not before.at:
            self._fail("a link that had ended goes on", before.at, after.at)
        if after.is_held and not before.is_held:
            self._signed(after)

    def _signed(self, link: LinkState) -> None:
        provider = self.client.by_peer[link.order.peer]
        lease = provider.journal.get(link.order.link_id)
        stored = lease is not None and provider.machine.decode(lease).at
        if stored is not LeaseState.STORED and provider.kind not in BELIEVE_TO_BE_OWED:
            self._fail("signed, and not stored", provider.kind)
        full = (1 << link.order.blocks) - 1
        if provider.kind != "discards" and provider.disk.get(link.order.link_id) != full:
            self._fail("signed, and the provider does not have it all", provider.kind)
        paid = self.client.ledger.bills.get(f"{link.order.link_id.hex()}/0")
        if paid is None or provider.account.received < paid.sum:
            self._fail("signed, and not paid")

    def _viewed(self, chunk: int, view: ChunkView) -> None:
        """Nobody but refusing renewers: then there is no gap."""
        safe = view.signed >= self.client.plan.redundancy
        unsteady = (*CHEATS, *BELIEVE_TO_BE_OWED, "flaky")
        steady = all(each.kind not in unsteady for each in self.providers)
        gapless = steady and not self.client.is_dry and not self.is_poor
        gapless = gapless and not self.is_released
        if self.was_safe.get(chunk) and not safe and gapless and self.client.plan.is_autorenewed:
            self._fail("there is a gap", [(x.at, x.why) for x in self.client.of(chunk)])
        self.was_safe[chunk] = self.was_safe.get(chunk, False) or safe

    def _check_sums(self) -> None:
        ledger, world = self.client.ledger, self.world
        keys = [bill.key for bill in ledger.bills.values()]
        for provider in self.providers:
            payee = provider.who.payee
            bills = [bill for bill in ledger.bills.values() if bill.payee == payee]
            promised = ledger.promised.get(payee, 0)
            if promised != sum(bill.amount for bill in bills):
                self._fail("what is promised is not the sum of the bills")
            received = provider.account.received
            if not received <= promised <= world.channel(payee).deposit:
                self._fail("sums", received, promised, world.channel(payee))
            charged = [key for key in keys if key in provider.billed]
            owed = sum(provider.billed[key] for key in provider.billed)
            if provider.is_honest and received > owed:
                self._fail("more was paid than was billed", received, owed, charged)
        for link in self.client.links.values():
            for term in link.terms:
                if term.settled > term.bills:
                    self._fail("a bill is settled twice")
            paid = sum(key.startswith(f"{link.order.link_id.hex()}/") for key in keys)
            renewed = len({key.split("/t")[1].split("/")[0] for key in keys if "/t" in key})
            if link.at is At.SIGNED and paid == 0 and not renewed:
                self._fail("signed and never paid")


def _faults(rng: random.Random) -> Faults:
    return Faults(
        rng.choice((0.0, 0.05, 0.2)),
        rng.choice((0.0, 0.1)),
        rng.choice((0.0, 0.01, 0.05)),
        rng.choice((0.0, 0.01, 0.03)),
    )


def run_all(seeds: range) -> Counter[tuple[str, ...]]:
    """The table of outcomes. Raises Broken."""
    return Counter(Run(seed).go() for seed in seeds)


if __name__ == "__main__":
    for row, runs in sorted(run_all(range(*map(int, sys.argv[1:3]))).items()):
        print(f"{runs:6}  {', '.join(row)}")
