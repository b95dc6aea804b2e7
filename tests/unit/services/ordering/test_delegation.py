"""Aggregators submit the proofs of hosts; whatever they do, no slot is lost that the host could
have saved, and nothing is paid twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

from quire.aggregation.order import At, Order
from quire.chain.events import ProofSubmitted
from quire.chain.values import SlotState
from quire.formats.aggregator import AggregatorAnswer, AggregatorRequest
from quire.formats.aggregator_answers import PromiseAnswer, SubmittedAnswer
from quire.formats.aggregator_asking import AcceptSubmit, Release, StatusRequest
from quire.formats.aggregator_codes import Code
from quire.market.submit_policy import own_turn, promise_until
from quire.point.choice_port import Outcome
from support.period_kit import SLOTS
from support.submit_kit import BOND, BONDED, PRICE, Fleet, Weak, run_fleet
from support.submit_nodes import Gatherer


def brought(fleet: Fleet) -> Counter[tuple[bytes, int]]:
    """(sender, period) of the proofs in the chain."""
    return Counter(
        (sent.sender, fleet.terms.period_of(block.head.timestamp))
        for block in fleet.world.blocks_after(0)
        for sent in block.transactions
        for event in sent.events
        if isinstance(event, ProofSubmitted)
    )


def check_saved(fleet: Fleet, hosts: list[Weak]) -> None:
    for host in hosts:
        assert fleet.missed(host) == 0
        assert set(fleet.states(host)) == {SlotState.FILLED}


def check_paid(fleet: Fleet, hosts: list[Weak], gatherer: Gatherer) -> None:
    """Once for each proof that the aggregator brought into the chain, or less."""
    count = sum(number for (sender, _), number in brought(fleet).items() if sender != b"")
    mine = sum(n for (sender, _), n in brought(fleet).items() if sender == gatherer.account)
    assert sum(fleet.paid(host, gatherer) for host in hosts) <= mine * PRICE
    assert mine <= count


async def promised(fleet: Fleet, hosts: list[Weak]) -> list[Order]:
    """Until every host has promises for all that it is asked in a period; its orders, the first
    host's first."""
    now = fleet.period

    def theirs() -> list[Order]:
        return [order for host in hosts for order in host.orders.all() if order.work.period == now]

    while not theirs():
        now = await fleet.next_period()
        await asyncio.sleep(20)
    assert {order.at for order in theirs()} == {At.WAITING}
    return theirs()


def test_proofs_of_many_hosts_share_transactions_and_are_paid_once() -> None:
    async def story(fleet: Fleet) -> None:
        guard = fleet.guard()
        await guard.start()
        gatherer = await fleet.gatherer()
        hosts = await fleet.weak_hosts(4)
        await fleet.next_period(6)
        check_saved(fleet, hosts)
        assert len(gatherer.batches) >= 4
        assert min(gatherer.batches) >= 15  # of 20 slots
        for host in hosts:
            await host.prover.stop()  # nothing more is asked of it
        await fleet.quiet(hosts)
        for host in hosts:
            assert host.prover.counts.transactions == 0  # all by the aggregator
            assert set(host.ends()) == {"settled"}
            assert fleet.paid(host, gatherer) == len(host.ends()) * PRICE
            assert host.outcomes() == {Outcome.KEPT}
            assert host.kinds().count("delegation.appointed") == 1
        assert guard.validator.counts.marked == 0

    run_fleet(story)


def test_without_a_promise_the_host_submits_when_40_percent_of_the_period_are_left() -> None:
    async def story(fleet: Fleet) -> None:
        gatherer = await fleet.gatherer()
        fleet.line.lost_requests = [AcceptSubmit]
        hosts = await fleet.weak_hosts(2)
        await fleet.next_period(6)
        check_saved(fleet, hosts)
        assert gatherer.batches == []
        assert {"cancelled"} <= set(hosts[0].ends()) <= {"cancelled", "asking", "funding"}
        assert fleet.paid(hosts[0], gatherer) == 0
        times = [at for at, _ in fleet.proved()[2 * SLOTS :]]  # after those of the fills
        assert len(times) > 10
        for at in times:
            begins = promise_until(fleet.terms.period_of(at), fleet.terms)
            assert begins <= at <= begins + 3 * fleet.world.block_seconds
        assert hosts[0].prover.counts.transactions <= 6  # in batches

    run_fleet(story, period=90)  # an order is asked for a minute


def test_an_aggregator_that_dies_after_its_promise_costs_the_host_its_own_turn_only() -> None:
    async def story(fleet: Fleet) -> None:
        guard = fleet.guard()
        await guard.start()
        gatherer = await fleet.gatherer()
        gatherer.mute()
        hosts = await fleet.weak_hosts(2)
        orders = await promised(fleet, hosts)
        period = orders[0].work.period
        await gatherer.die()
        await fleet.next_period()
        mine = [order for order in orders if order.account == hosts[0].market.account]
        assert brought(fleet)[hosts[0].market.account, period] == len(mine) > 0
        end, send = fleet.terms.period_end(period), 12.0
        times = [at for at, _ in fleet.proved() if fleet.terms.period_of(at) == period]
        assert min(times) >= own_turn(end - send, send)
        await fleet.next_period()
        check_saved(fleet, hosts)
        late = [hosts[0].orders.get(order.key) for order in mine]
        assert {order.at for order in late} == {At.LATE}
        assert "nothing was claimed: 0x" in late[0].why
        assert Outcome.SILENT in hosts[0].outcomes()
        assert fleet.paid(hosts[0], gatherer) == 0

    run_fleet(story)


def test_a_promise_that_cannot_be_kept_costs_the_slot_nothing() -> None:
    """The aggregator lives, says that it works on it, and never gets through to the chain."""

    async def story(fleet: Fleet) -> None:
        gatherer = await fleet.gatherer()
        gatherer.mute()
        hosts = await fleet.weak_hosts(2)
        await fleet.next_period(6)
        check_saved(fleet, hosts)
        assert fleet.paid(hosts[0], gatherer) == 0
        # After three reports it is asked no more, and the host submits at once.
        assert len(hosts[0].choice.reports) >= 3
        alone = [at for at, _ in fleet.proved()][-1]
        assert alone < promise_until(fleet.terms.period_of(alone), fleet.terms)

    run_fleet(story)


def test_when_both_submit_nobody_is_slashed_and_nothing_is_paid_twice() -> None:
    """The promise never reaches the host, so it takes its turn while the aggregator gathers."""

    async def story(fleet: Fleet) -> None:
        guard = fleet.guard()
        await guard.start()
        gatherer = await fleet.gatherer()
        fleet.line.lost_answers = [AcceptSubmit, StatusRequest]
        hosts = await fleet.weak_hosts(3)
        await fleet.next_period(6)
        check_saved(fleet, hosts)
        check_paid(fleet, hosts, gatherer)
        assert guard.validator.counts.marked == 0
        senders = {sender for sender, _ in brought(fleet)}
        assert gatherer.account in senders

    run_fleet(story)


def test_a_host_that_is_down_keeps_its_slots_and_pays_when_it_is_back() -> None:
    async def story(fleet: Fleet) -> None:
        guard = fleet.guard()
        await guard.start()
        gatherer = await fleet.gatherer()
        [host] = await fleet.weak_hosts(1)
        orders = await promised(fleet, [host])
        period, before = orders[0].work.period, fleet.paid(host, gatherer)
        await host.die()
        await fleet.next_period()
        assert brought(fleet)[gatherer.account, period] == len(orders)
        assert fleet.paid(host, gatherer) == before
        await host.start()
        await fleet.next_period()
        assert {host.orders.get(order.key).at for order in orders} == {At.SETTLED}
        check_saved(fleet, [host])
        check_paid(fleet, [host], gatherer)

    run_fleet(story)


def test_a_broken_promise_is_made_good_from_the_bond_when_the_host_could_not_act() -> None:
    async def story(fleet: Fleet) -> None:
        guard = fleet.guard()
        await guard.start()
        gatherer = await fleet.gatherer()
        gatherer.mute()
        [host] = await fleet.weak_hosts(1)
        orders = await promised(fleet, [host])
        await host.die()
        await gatherer.die()
        await fleet.next_period()
        await fleet.until(lambda: fleet.missed(host) >= len(orders))
        tokens = await host.market.balance()
        await host.start()
        await fleet.until(
            lambda: all(host.orders.get(order.key).at is At.MADE_GOOD for order in orders)
        )
        owed = len(orders) * BOND
        assert await host.market.balance() == tokens + owed
        assert (await gatherer.bonds.bond()).amount == BONDED - owed
        assert Outcome.SILENT in host.outcomes()
        why = host.orders.get(orders[0].key).why
        assert f"{BOND} tokens of its bond were claimed" in why
        await fleet.next_period(2)
        assert (await gatherer.bonds.bond()).amount == BONDED - owed  # once

    run_fleet(story, max_slashes=5)


def test_an_aggregator_that_is_not_appointed_any_more_is_appointed_again() -> None:
    async def story(fleet: Fleet) -> None:
        gatherer = await fleet.gatherer()
        [host] = await fleet.weak_hosts(1)
        await fleet.next_period(3)
        await fleet.until(lambda: At.WAITING not in {order.at for order in host.orders.all()})
        await host.market.set_proof_delegate(gatherer.account, False)
        fleet.line.asked.clear()
        await fleet.next_period(3)
        codes = [answer.code for answer in fleet.answers(AcceptSubmit)]
        assert Code.NOT_DELEGATE in codes
        assert codes[-1] is Code.OK
        assert host.kinds().count("delegation.appointed") == 2
        check_saved(fleet, [host])

    run_fleet(story)


def test_a_forged_promise_is_none() -> None:
    async def story(fleet: Fleet) -> None:
        await fleet.gatherer()

        def forge(answer: AggregatorAnswer) -> AggregatorAnswer:
            if not isinstance(answer.body, PromiseAnswer):
                return answer
            return replace(answer, body=PromiseAnswer(BOND, b"\x01" * 65))

        fleet.line.alter_answer = forge
        [host] = await fleet.weak_hosts(1)
        await fleet.next_period(4)
        check_saved(fleet, [host])
        assert set(host.ends()) == {"cheated"}
        assert host.outcomes() == {Outcome.BAD_SIGNATURE}
        assert "is not signed by 0x" in host.orders.all()[0].why

    run_fleet(story)


def test_who_says_that_a_proof_is_in_the_chain_has_to_have_brought_it() -> None:
    async def story(fleet: Fleet) -> None:
        gatherer = await fleet.gatherer()
        gatherer.mute()

        def lie(answer: AggregatorAnswer) -> AggregatorAnswer:
            body = SubmittedAnswer(b"h" * 32, 1)
            is_question = answer.body is not None and type(answer.body).__name__ == "Progress"
            return replace(answer, body=body) if is_question else answer

        fleet.line.alter_answer = lie
        [host] = await fleet.weak_hosts(1)
        await fleet.next_period(5)
        check_saved(fleet, [host])
        assert "cheated" in host.ends()
        assert "settled" not in host.ends()
        assert fleet.paid(host, gatherer) == 0
        assert any("brought the proof into the chain, not 0x" in o.why for o in host.orders.all())

    run_fleet(story)


def test_an_aggregator_that_refuses_is_followed_by_the_next_one() -> None:
    async def story(fleet: Fleet) -> None:
        first = await fleet.gatherer("first", submit_price=PRICE - 1)
        await first.bonds.announce(0)
        second = await fleet.gatherer("second")
        first.verify = lambda items, _seed: list(range(len(items)))  # all are bad, it says
        hosts = await fleet.weak_hosts(1)
        await fleet.next_period(5)
        check_saved(fleet, hosts)
        assert first.batches == []
        assert sum(second.batches) >= SLOTS
        assert "refused" in hosts[0].ends()
        assert "settled" in hosts[0].ends()

    run_fleet(story)


def test_an_aggregator_without_the_bond_that_it_speaks_of_is_not_asked() -> None:
    async def story(fleet: Fleet) -> None:
        gatherer = await fleet.gatherer(bond=BONDED + 1)
        hosts = await fleet.weak_hosts(1)
        await fleet.next_period(3)
        check_saved(fleet, hosts)
        assert hosts[0].ends() == []
        assert gatherer.batches == []
        assert "delegation.appointed" not in hosts[0].kinds()

    run_fleet(story)


def test_a_release_that_is_lost_does_not_make_the_host_pay_twice() -> None:
    async def story(fleet: Fleet) -> None:
        gatherer = await fleet.gatherer()
        lost: list[AggregatorRequest] = []

        def loses(request: AggregatorRequest) -> bool:
            if isinstance(request.body, Release) and len(lost) < 8:
                lost.append(request)
                return True
            return False

        fleet.line.loses = loses
        [host] = await fleet.weak_hosts(1)
        await fleet.next_period(4)
        await host.prover.stop()
        await fleet.quiet([host])
        assert lost
        assert fleet.paid(host, gatherer) == host.ends().count("settled") * PRICE
        check_saved(fleet, [host])

    run_fleet(story)
