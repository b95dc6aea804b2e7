"""The common life of orders: asked, waited for, paid once, told, through silence and restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from quire.aggregation.order import At, Good, Order, Served, Wrong
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
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.formats.aggregator import AggregatorAnswer, AggregatorRequest
from quire.formats.aggregator_answers import EncodedAnswer, Progress, ProofAnswer
from quire.formats.aggregator_asking import (
    AcceptProve,
    Cancel,
    Customer,
    Dispute,
    Release,
    StatusRequest,
)
from quire.formats.aggregator_codes import Code, Reason, Stage
from quire.point.choice_port import Outcome
from quire.services.ordering.orders import Orders
from quire.services.ordering.ports import OrderPorts
from quire.sim.clock import SimClock
from quire.store.journal_memory import MemoryJournal
from support.aggregator_messages import an_order
from support.machine_kit import LoopChainClock, in_virtual_time

OK = AggregatorAnswer(Code.OK)
WORKING = AggregatorAnswer(Code.OK, "", Progress(Stage.WORKING, 100, "at work"))
ENCODED = AggregatorAnswer(Code.OK, "", EncodedAnswer(b"receipt", b"s" * 65))
PROVED = AggregatorAnswer(Code.OK, "", ProofAnswer(b"p" * 256))
HOUR = 3600


@dataclass
class Coder:
    """Answers from a script, the last one for ever; None: silence."""

    accepts: list[AggregatorAnswer | QuireError | None] = field(default_factory=lambda: [WORKING])
    states: list[AggregatorAnswer | QuireError | None] = field(default_factory=lambda: [ENCODED])
    releases: list[AggregatorAnswer | QuireError | None] = field(default_factory=lambda: [OK])
    heard: list[AggregatorRequest] = field(default_factory=list)

    async def ask(
        self,
        peer: str,
        request: AggregatorRequest,
        deadline: float,
        addresses: Sequence[str] = (),
    ) -> AggregatorAnswer:
        await asyncio.sleep(0.01)
        self.heard.append(request)
        match request.body:
            case AcceptProve():
                return await self._next(self.accepts, deadline)
            case StatusRequest():
                return await self._next(self.states, deadline)
            case Release():
                return await self._next(self.releases, deadline)
        return OK

    async def _next(
        self, script: list[AggregatorAnswer | QuireError | None], deadline: float
    ) -> AggregatorAnswer:
        said = script[0] if len(script) == 1 else script.pop(0)
        if said is None:
            await asyncio.sleep(max(0.0, deadline - asyncio.get_running_loop().time()))
            raise PeerSilent("nothing was heard")
        if isinstance(said, QuireError):
            raise said
        return said

    def of(self, kind: type) -> list[object]:
        return [each.body for each in self.heard if isinstance(each.body, kind)]


@dataclass
class Purse:
    """Payments that remember."""

    payer = b"\xaa" * 20
    funded: list[int] = field(default_factory=list)
    bills: dict[str, int] = field(default_factory=dict)
    errors: list[QuireError] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    async def room(self, payee: bytes) -> int:
        return 0

    async def fund(self, payee: bytes, at_least: int, wish: int = 0) -> None:
        if self.errors and isinstance(self.errors[0], InsufficientFunds):
            raise self.errors.pop(0)
        self.funded.append(at_least)

    async def pay(self, bill: str, peer: str, payee: bytes, amount: int) -> int:
        if self.errors:
            raise self.errors.pop(0)
        assert self.bills.setdefault(bill, amount) == amount
        return sum(self.bills.values())

    async def introduction(self, payee: bytes) -> bytes:
        return b"i" * 65

    async def forget(self, bill_prefix: str) -> None:
        self.forgotten.append(bill_prefix)


@dataclass
class Rules:
    """A handler whose answers are given."""

    found: Iterator[Good | Wrong | QuireError]
    served: Served | Wrong = field(default_factory=Served)
    closed: list[str] = field(default_factory=list)
    may_check: asyncio.Event = field(default_factory=asyncio.Event)

    async def accept(self, order: Order, customer: Customer) -> AcceptProve:
        return AcceptProve(customer, bytes(32), b"w", order.deadline)

    async def check(self, order: Order) -> Good | Wrong:
        await self.may_check.wait()
        found = next(self.found)
        if isinstance(found, QuireError):
            raise found
        return found

    async def watch(self, order: Order) -> Served | Wrong:
        return self.served

    async def closing(self, order: Order) -> None:
        self.closed.append(order.key)


class Scene:
    def __init__(self, clock: SimClock, *found: Good | Wrong | QuireError) -> None:
        self.clock = clock
        self.coder, self.purse = Coder(), Purse()
        self.rules = Rules(iter(found or (Good("all of it"),)))
        self.rules.may_check.set()
        self.reports: list[tuple[Outcome, str]] = []
        self.renewed: list[str] = []
        self.journal = MemoryJournal(clock)
        self.events = EventBus(clock)
        self.make()

    def make(self) -> None:
        ports = OrderPorts(
            client=self.coder,
            choice=self,
            payments=self.purse,
            journal=self.journal,
            chain=LoopChainClock(self.clock),
            clock=self.clock,
            events=self.events,
            waits=Waits(self.clock),
            place="here",
        )
        self.orders = Orders(ports)
        for service in Service:
            self.orders.handle(service, self.rules)

    async def report(self, peer: str, outcome: Outcome, why: str = "") -> None:
        self.reports.append((outcome, why))

    def renew(self, peer: str) -> None:
        self.renewed.append(peer)

    async def restart(self) -> None:
        await self.orders.stop()
        self.journal = self.journal.reopened()
        self.make()
        await self.orders.start()

    def order(self, service: Service = Service.ENCODE, seconds: int = HOUR) -> Order:
        return replace(an_order(service), deadline=int(self.clock.now()) + seconds)

    async def told(self, order: Order) -> Order:
        """The order as it ended, when its end was told."""
        while not self.orders.get(order.key).is_told:
            await asyncio.sleep(0.05)
        return self.orders.get(order.key)

    async def lived(self, service: Service = Service.ENCODE, seconds: int = HOUR) -> Order:
        order = self.order(service, seconds)
        await self.orders.begin(order)
        return await self.told(order)


def play(
    main: Callable[[Scene], Coroutine[object, object, None]], *found: Good | Wrong | QuireError
) -> None:
    async def run(clock: SimClock) -> None:
        scene = Scene(clock, *found)
        await scene.orders.start()
        await main(scene)
        await scene.orders.stop()

    in_virtual_time(run)


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
