"""Orders in virtual time: an aggregator that answers from a script, payments that remember."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field, replace

from quire.aggregation.order import Good, Order, Served, Wrong
from quire.aggregation.values import Service
from quire.base.errors import (
    InsufficientFunds,
    PeerSilent,
    QuireError,
)
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.formats.aggregator import AggregatorAnswer, AggregatorRequest
from quire.formats.aggregator_answers import EncodedAnswer, Progress, ProofAnswer
from quire.formats.aggregator_asking import (
    AcceptProve,
    Customer,
    Release,
    StatusRequest,
)
from quire.formats.aggregator_codes import Code, Stage
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
