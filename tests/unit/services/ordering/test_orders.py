"""The common life of orders: asked, waited for, paid once, told, through silence and restarts."""

from __future__ import annotations

import asyncio

import pytest

from quire.aggregation.order import At, Good, Wrong
from quire.aggregation.values import Service
from quire.base.errors import (
    BlockMissing,
    Busy,
    ChannelTooSmall,
    InputError,
    InsufficientFunds,
    NotFound,
    PeerLied,
    PeerSilent,
    QuireError,
)
from quire.formats.aggregator import AggregatorAnswer
from quire.formats.aggregator_answers import Progress
from quire.formats.aggregator_asking import (
    AcceptProve,
    Cancel,
    Dispute,
    Release,
)
from quire.formats.aggregator_codes import Code, Reason, Stage
from quire.point.choice_port import Outcome
from support.order_scene import ENCODED, OK, PROVED, WORKING, Scene, play


def test_what_is_good_is_paid_in_its_parts_and_told() -> None:
    async def main(it: Scene) -> None:
        order = await it.lived()
        assert (order.at, order.cost) == (At.SETTLED, 100)
        assert it.purse.bills == {order.bill(0): 60, order.bill(1): 40}
        assert it.coder.of(Release) == [Release(0), Release(1)]
        assert it.reports == [(Outcome.KEPT, "")]
        assert it.purse.forgotten == [order.bill_prefix]
        assert it.rules.closed == [order.key]
        assert not it.coder.of(Cancel)

    play(main)


def test_a_proof_that_comes_with_the_accept_is_waited_for_and_paid_at_once() -> None:
    async def main(it: Scene) -> None:
        it.coder.accepts = [None, PROVED]
        order = await it.lived(Service.PROVE, seconds=300)
        assert order.at is At.LATE  # it was waited for until its deadline, in one question
        assert len(it.coder.of(AcceptProve)) == 1
        it.coder.accepts = [PROVED]
        order = await it.lived(Service.PROVE, seconds=300)
        assert (order.at, order.cost) == (At.SETTLED, 100)
        assert it.coder.of(Release) == [Release(0)]

    play(main)


def test_who_does_not_answer_for_a_minute_is_left() -> None:
    async def main(it: Scene) -> None:
        it.coder.accepts = [None]
        begun = it.clock.now()
        order = await it.lived()
        assert order.at is At.REFUSED
        assert "nothing was heard" in order.why
        assert 50 < it.clock.now() - begun < 120
        assert it.reports[0][0] is Outcome.REFUSED
        assert it.purse.bills == {}

    play(main)


def test_who_is_busy_or_behind_the_chain_is_asked_again() -> None:
    async def main(it: Scene) -> None:
        busy = AggregatorAnswer(Code.BUSY, "later", retry_after_ms=5000)
        behind = AggregatorAnswer(Code.NOT_FUNDED, "no room")
        it.coder.accepts = [busy, behind, None, WORKING]
        it.coder.states = [WORKING, PeerSilent("gone"), WORKING, ENCODED]
        assert (await it.lived()).at is At.SETTLED
        assert len(it.coder.of(AcceptProve)) == 4

    play(main)


@pytest.mark.parametrize(
    "said",
    [
        AggregatorAnswer(Code.PRICE, "too old"),
        AggregatorAnswer(Code.REFUSED, "too old"),
        AggregatorAnswer(Code.OK, "too old", Progress(Stage.FAILED, 0, "too old")),
        PeerLied("too old"),
    ],
)
def test_a_no_ends_the_order(said: AggregatorAnswer | QuireError) -> None:
    async def main(it: Scene) -> None:
        it.coder.accepts = [said]
        order = await it.lived()
        assert order.at is At.REFUSED
        assert "too old" in order.why
        assert it.purse.bills == {}

    play(main)


def test_an_offer_that_does_not_hold_any_more_is_renewed_and_nobody_is_blamed() -> None:
    async def main(it: Scene) -> None:
        it.coder.accepts = [AggregatorAnswer(Code.PRICE, "of before the restart")]
        order = await it.lived()
        assert order.at is At.REFUSED
        assert (it.renewed, it.reports) == ([order.peer], [])
        it.coder.accepts = [AggregatorAnswer(Code.REFUSED, "not for you")]
        await it.lived()
        assert [outcome for outcome, _ in it.reports] == [Outcome.REFUSED]

    play(main)


def test_who_forgets_the_job_is_not_waited_for() -> None:
    async def main(it: Scene) -> None:
        it.coder.states = [WORKING, AggregatorAnswer(Code.UNKNOWN_JOB, "no such job")]
        order = await it.lived()
        assert order.at is At.REFUSED
        assert "no such job" in order.why

    play(main)


def test_who_does_not_deliver_by_the_deadline_is_late_and_unpaid() -> None:
    async def main(it: Scene) -> None:
        it.coder.states = [WORKING, None, WORKING]
        order = await it.lived(seconds=600)
        assert (order.at, order.reason) == (At.LATE, Reason.LATE)
        assert it.reports[0][0] is Outcome.SILENT
        assert it.purse.bills == {}
        assert it.coder.of(Cancel)

    play(main)


def test_what_is_wrong_is_disputed_with_evidence_and_unpaid() -> None:
    async def main(it: Scene) -> None:
        order = await it.lived()
        assert (order.at, order.reason) == (At.CHEATED, Reason.PARITY)
        assert it.coder.of(Dispute) == [Dispute(Reason.PARITY, "column 7", 7, b"evidence")]
        assert it.reports == [(Outcome.BAD_DATA, "column 7")]
        assert it.purse.bills == {}

    play(main, Wrong(Reason.PARITY, "column 7", 7, b"evidence"))


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (Reason.SIGNATURE, Outcome.BAD_SIGNATURE),
        (Reason.WITHHELD, Outcome.LOST),
        (Reason.LEAVES, Outcome.BAD_DATA),
    ],
)
def test_each_lie_is_remembered_as_what_it_is(reason: Reason, outcome: Outcome) -> None:
    async def main(it: Scene) -> None:
        await it.lived()
        assert it.reports == [(outcome, "so it is")]

    play(main, Wrong(reason, "so it is"))


def test_blocks_that_are_withheld_cost_the_last_part() -> None:
    async def main(it: Scene) -> None:
        it.rules.served = Wrong(Reason.WITHHELD, "not served")
        order = await it.lived()
        assert (order.at, order.cost) == (At.WITHHELD, 60)
        assert it.purse.bills == {order.bill(0): 60}
        assert it.reports == [(Outcome.LOST, "not served")]

    play(main)


def test_a_check_that_cannot_be_made_now_is_made_later() -> None:
    async def main(it: Scene) -> None:
        assert (await it.lived()).at is At.SETTLED

    play(main, BlockMissing("not now"), BlockMissing("not now"), Good("all of it"))


def test_a_check_that_cannot_be_made_at_all_ends_it_unpaid_and_blames_nobody() -> None:
    async def main(it: Scene) -> None:
        order = await it.lived()
        assert order.at is At.FAILED
        assert it.purse.bills == {}
        assert it.reports == []
        assert it.coder.of(Cancel)

    play(main, InputError("never"))


def test_money_that_lacks_ends_it_before_anybody_is_asked() -> None:
    async def main(it: Scene) -> None:
        it.purse.errors = [InsufficientFunds("no tokens")]
        order = await it.lived()
        assert order.at is At.FAILED
        assert "no tokens" in order.why
        assert not it.coder.of(AcceptProve)

    play(main)


def test_a_channel_that_got_too_small_meanwhile_is_topped_up() -> None:
    async def main(it: Scene) -> None:
        it.purse.errors = [ChannelTooSmall("no room"), PeerSilent("not now")]
        order = await it.lived()
        assert order.at is At.SETTLED
        assert it.purse.bills == {order.bill(0): 60, order.bill(1): 40}
        assert it.purse.funded == [100, 60]

    play(main)


def test_who_says_unpaid_for_ever_has_the_voucher_once() -> None:
    async def main(it: Scene) -> None:
        it.coder.releases = [AggregatorAnswer(Code.UNPAID, "more")]
        order = await it.lived()
        assert (order.at, order.cost) == (At.SETTLED, 100)
        assert it.purse.bills == {order.bill(0): 60, order.bill(1): 40}

    play(main)


def test_who_cannot_be_told_of_a_payment_is_told_when_he_is_back() -> None:
    async def main(it: Scene) -> None:
        busy = AggregatorAnswer(Code.BUSY, "starting")
        it.coder.releases = [None, None, PeerSilent("gone"), busy, OK]
        order = await it.lived()
        assert (order.at, order.cost) == (At.SETTLED, 100)
        assert it.coder.of(Release) == [Release(0)] * 5 + [Release(1)]

    play(main)


@pytest.mark.parametrize("at", [At.WAITING, At.CHECKING])
def test_it_goes_on_after_a_restart_and_is_paid_once(at: At) -> None:
    async def main(it: Scene) -> None:
        it.rules.may_check.clear()
        it.coder.states = [WORKING] * 20 + [ENCODED]
        order = it.order()
        await it.orders.begin(order)
        while it.orders.get(order.key).at is not at:
            await asyncio.sleep(0.05)
        await it.restart()
        it.rules.may_check.set()
        assert (await it.told(order)).at is At.SETTLED
        assert it.purse.bills == {order.bill(0): 60, order.bill(1): 40}

    play(main)


def test_it_is_cancelled_before_it_is_good_and_not_after() -> None:
    async def main(it: Scene) -> None:
        it.coder.states = [WORKING]
        order = it.order()
        await it.orders.begin(order)
        with pytest.raises(Busy):
            await it.orders.begin(order)
        await asyncio.sleep(5)
        await it.orders.cancel(order.key)
        assert (await it.told(order)).at is At.CANCELLED
        assert it.coder.of(Cancel)
        it.coder.states, it.coder.releases = [ENCODED], [None, OK]
        await it.orders.begin(order)
        assert (await it.orders.until_checked(order.key)).at is At.PAYING
        assert (await it.orders.cancel(order.key)).at is At.PAYING
        assert (await it.orders.until_end(order.key)).at is At.SETTLED

    play(main)


def test_progress_is_told_in_words() -> None:
    async def main(it: Scene) -> None:
        it.coder.states = [WORKING]
        order = it.order()
        await it.orders.begin(order)
        assert (await it.orders.until_taken(order.key)).at is At.WAITING
        assert it.orders.words(it.orders.get(order.key)) == "at work (10.0 %)"
        assert it.orders.next_deadline(order.key) is not None
        kinds = [event.kind for event in it.events.history()]
        assert kinds.count("order.progress") == 1

    play(main)


def test_an_order_that_is_not_there_is_not_found() -> None:
    async def main(it: Scene) -> None:
        with pytest.raises(NotFound):
            await it.orders.until_end("00")

    play(main)
