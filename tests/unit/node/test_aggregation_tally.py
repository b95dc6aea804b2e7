"""What orders and jobs came to, counted as they change."""

from __future__ import annotations

from dataclasses import replace

from quire.aggregation.order import At
from quire.aggregation.values import Service
from quire.base.events import EventBus
from quire.formats.aggregator_codes import Reason, Stage
from quire.node.aggregation_tally import Tally
from support.aggregator_messages import a_job, an_order
from support.store_kit import TurnedClock


def test_what_is_paid_is_counted_once_and_checks_are_timed():
    clock = TurnedClock()
    tally = Tally(clock)
    order = replace(an_order(Service.ENCODE, At.WAITING), paid=0)
    checking, paying = replace(order, at=At.CHECKING), replace(order, at=At.PAYING)
    serving = replace(order, at=At.SERVING, paid=1)
    settled = replace(order, at=At.SETTLED, paid=2)
    tally.order_changed("a", order, checking)
    clock.seconds += 3.0
    tally.order_changed("a", checking, paying)
    tally.order_changed("a", paying, serving)
    tally.order_changed("a", serving, replace(serving, serve_until=5))
    tally.order_changed("a", serving, settled)
    offer = order.offer.offer
    assert tally.paid[Service.ENCODE] == offer.price
    assert (tally.checks[Service.ENCODE], tally.check_seconds[Service.ENCODE]) == (1, 3.0)
    assert not tally.wrong
    cheated = replace(order, at=At.CHEATED, reason=Reason.PARITY)
    tally.order_changed("b", checking, cheated)
    assert tally.wrong == {(Service.ENCODE, Reason.PARITY): 1}


def test_what_is_earned_is_counted_by_its_parts():
    tally = Tally(TurnedClock())
    ready = a_job(Service.ENCODE, Stage.READY)
    serving, settled = replace(ready, at=Stage.SERVING), replace(ready, at=Stage.SETTLED)
    offer = ready.offer.offer
    tally.job_changed("a", ready, serving)
    assert tally.earned[Service.ENCODE] == offer.price_first
    tally.job_changed("a", serving, settled)
    assert tally.earned[Service.ENCODE] == offer.price
    disputed = replace(ready, at=Stage.DISPUTED, reason=Reason.LEAVES)
    tally.job_changed("b", ready, disputed)
    assert tally.disputed == {(Service.ENCODE, Reason.LEAVES): 1}


def test_transactions_for_others_are_counted_by_their_proofs():
    clock = TurnedClock()
    tally, events = Tally(clock), EventBus(clock)
    events.listen(tally.heard)
    for proofs, gas in ((3, 300), (3, 310), (1, 200)):
        events.publish("submitting.sent", "", "sent", proofs=proofs, gas=gas)
    events.publish("submitting.trouble", "", "not sent", proofs=9)
    assert (tally.batches, tally.gas) == ({3: 2, 1: 1}, 810)
