"""Hosts, aggregators and everything that can happen to them, drawn from a seed.

PYTHONPATH=src:tests python -m support.submit_chaos 1000 [first seed]
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from quire.aggregation.job import ENDS as JOB_ENDS
from quire.aggregation.order import At
from quire.chain.events import ProofSubmitted
from quire.formats.aggregator import AggregatorRequest
from quire.market.submit_policy import own_turn
from support.submit_kit import BOND, BONDED, PRICE, Fleet, Weak, run_fleet
from support.submit_nodes import Gatherer

PERIODS = 7
DEADLY = 0.02  # of the messages
SEND_SECONDS = 12.0  # two blocks
WORK_SECONDS = 40.0  # that a host needs to prove all its slots anew


@dataclass
class Chaos:
    """One run. `down`: from when to when each host could not act, chain time."""

    kinds: ClassVar[Sequence[str]] = (
        "gatherer dies",
        "host dies",
        "gatherer is cut off",
        "host is cut off",
        "gatherer has no chain",
        "gatherer has no chain",
        "reorganisation",
        "revocation",
    )
    fleet: Fleet
    rng: random.Random
    hosts: list[Weak]
    gatherers: list[Gatherer]
    down: dict[bytes, list[tuple[float, float]]] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)  # peers
    revoked: set[bytes] = field(default_factory=set)
    last: int = 0
    done: Counter[str] = field(default_factory=Counter)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    # ---- what happens ----

    async def run(self) -> None:
        fleet, rng = self.fleet, self.rng
        fleet.line.loses = lambda _: rng.random() < 0.1
        fleet.line.heard = self._heard
        end = fleet.period + PERIODS
        while fleet.period < end:
            await asyncio.sleep(rng.uniform(3.0, 40.0))
            self._begin(rng.choice(self.kinds))
        fleet.line.heard = lambda *_: None
        for task in self.tasks:
            await task
        fleet.line.loses = lambda _: False

    def _heard(self, own: str, peer: str, request: AggregatorRequest) -> None:
        """Whoever speaks may die of it: at every kind of message, before the answer is read."""
        if self.rng.random() >= DEADLY:
            return
        host = next(host for host in self.hosts if host.peer == own)
        gatherer = next(gatherer for gatherer in self.gatherers if gatherer.peer == peer)
        kind = self.rng.choice([kind for kind in self.kinds if kind.endswith("dies")])
        self._begin(kind, gatherer, host)
        self.done[f"{kind} at {type(request.body).__name__}"] += 1

    def _begin(self, kind: str, gatherer: Gatherer | None = None, host: Weak | None = None) -> None:
        seconds = self.rng.uniform(5.0, 150.0)
        gatherer = gatherer or self.rng.choice(self.gatherers)
        host = host or self.rng.choice(self.hosts)
        work = {
            "gatherer dies": self._gatherer_dies(gatherer, seconds),
            "host dies": self._host_dies(host, seconds),
            "gatherer is cut off": self._cut(gatherer.peer, seconds),
            "host is cut off": self._cut(host.peer, seconds),
            "gatherer has no chain": self._no_chain(gatherer, seconds),
            "reorganisation": self._reorganise(),
            "revocation": self._revoke(host, gatherer),
        }
        for name, each in work.items():
            if name != kind:
                each.close()
        self.done[kind] += 1
        self.tasks.append(asyncio.ensure_future(work[kind]))

    async def _gatherer_dies(self, gatherer: Gatherer, seconds: float) -> None:
        if gatherer.peer in self.dead:
            return
        self.dead.add(gatherer.peer)
        await gatherer.die()
        await asyncio.sleep(seconds)
        await gatherer.start()
        self.dead.discard(gatherer.peer)

    async def _host_dies(self, host: Weak, seconds: float) -> None:
        if host.peer in self.dead:
            return
        self.dead.add(host.peer)
        began = self.fleet.clock.now()
        await host.die()
        await asyncio.sleep(seconds)
        await host.start()
        self.dead.discard(host.peer)
        self.down.setdefault(host.market.account, []).append((began, self.fleet.clock.now()))

    async def _cut(self, peer: str, seconds: float) -> None:
        self.fleet.line.cut.add(peer)
        await asyncio.sleep(seconds)
        self.fleet.line.cut.discard(peer)

    async def _no_chain(self, gatherer: Gatherer, seconds: float) -> None:
        gatherer.market.faults.is_unreachable = True
        await asyncio.sleep(seconds)
        gatherer.market.faults.is_unreachable = False

    async def _reorganise(self) -> None:
        self.fleet.world.reorganise(self.rng.randint(1, 2))

    async def _revoke(self, host: Weak, gatherer: Gatherer) -> None:
        self.revoked.add(host.market.account)
        await host.market.set_proof_delegate(gatherer.account, False)

    # ---- what must be so ----

    async def check(self) -> None:
        fleet = self.fleet
        await fleet.next_period(2)
        self.last = fleet.period  # from here on nobody proves
        for host in self.hosts:
            await host.prover.stop()
        await fleet.quiet(self.hosts)
        await fleet.until(
            lambda: all(j.at in JOB_ENDS for g in self.gatherers for j in g.aggregator.jobs), 100
        )
        self._check_slots()
        self._check_money()

    def missing(self, host: Weak) -> list[tuple[bytes, int]]:
        slots = self.fleet.ledger.state.slots
        return [
            (slot, period)
            for slot, _, _ in host.slots
            for period in sorted(slots[slot].missing)
            if period < self.last
        ]

    def _check_slots(self) -> None:
        """No slot was slashed that its host could have saved."""
        terms = self.fleet.terms
        for host in self.hosts:
            for slot, period in self.missing(host):
                end = terms.period_end(period)
                need = own_turn(end - SEND_SECONDS, SEND_SECONDS) - WORK_SECONDS
                was_down = any(
                    begin < end and until > need
                    for begin, until in self.down.get(host.market.account, [])
                )
                assert was_down, f"slot {slot.hex()[:8]} of period {period} could have been saved"

    def _check_money(self) -> None:
        fleet, claimed = self.fleet, 0
        missing = {place for host in self.hosts for place in self.missing(host)}
        for host in self.hosts:
            orders = host.orders.all()
            settled = [(o.work.slot_id, o.work.period) for o in orders if o.at is At.SETTLED]
            assert len(settled) == len(set(settled)), "a proof was paid twice"
            good = [(o.work.slot_id, o.work.period) for o in orders if o.at is At.MADE_GOOD]
            assert set(good) <= missing
            assert len(good) == len(set(good))
            claimed += len(good)
            failed = [order.why for order in orders if order.at is At.FAILED]
            assert all("got no room for the price" in why for why in failed), failed  # it was down
            if host.market.account not in self.revoked:
                broken = [o for o in orders if o.is_promised and o.at is At.LATE]
                assert not {(o.work.slot_id, o.work.period) for o in broken} & missing
        brought = Counter(
            sent.sender
            for block in fleet.world.blocks_after(0)
            for sent in block.transactions
            for event in sent.events
            if isinstance(event, ProofSubmitted)
        )
        bonds = 0
        for gatherer in self.gatherers:
            paid = sum(fleet.paid(host, gatherer) for host in self.hosts)
            assert paid <= brought[gatherer.account] * PRICE
            bonds += fleet.ledger.state.bonds.bonds[gatherer.account].amount
        assert bonds == len(self.gatherers) * BONDED - claimed * BOND


def play(seed: int) -> Chaos:
    """A whole run; raises what was not as it must be."""
    runs: list[Chaos] = []

    async def story(fleet: Fleet) -> None:
        rng = random.Random(seed)
        guard = fleet.guard()
        await guard.start()
        gatherers = [
            await fleet.gatherer(f"gatherer {number}", submit_price=PRICE - number)
            for number in range(rng.randint(1, 2))
        ]
        hosts = await fleet.weak_hosts(rng.randint(1, 3), rng.uniform(0.5, 4.0))
        chaos = Chaos(fleet, rng, hosts, gatherers)
        runs.append(chaos)
        await chaos.run()
        await chaos.check()

    run_fleet(story, seed=seed, max_slashes=100)
    return runs[0]


def play_many(seeds: Iterable[int]) -> None:
    for seed in seeds:
        play(seed)


def main(count: int, first: int) -> None:
    """Many seeds, and what happened in them."""
    happened: Counter[str] = Counter()
    for seed in range(first, first + count):
        try:
            chaos = play(seed)
        except BaseException:
            print(f"seed {seed}")
            raise
        happened += chaos.done
        for host in chaos.hosts:
            happened += Counter(f"order {end}" for end in host.ends())
            happened["missed"] += len(chaos.missing(host))
    print(f"{count} seeds: {dict(sorted(happened.items()))}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
