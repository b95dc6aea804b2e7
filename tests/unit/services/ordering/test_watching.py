"""Until hosts have what was coded, it is looked at whether it is served, now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from quire.aggregation.order import At, Order, Served, Wrong
from quire.aggregation.receipt import encode_receipt
from quire.aggregation.values import Service
from quire.base.events import EventBus
from quire.formats.aggregator_codes import Reason
from quire.services.ordering.encode_orders import EncodeOrderPorts, EncodeOrders
from quire.sim.clock import SimClock
from support.aggregator_messages import MANIFEST, RECEIPT, an_order
from support.machine_kit import LoopChainClock, in_virtual_time

DAY = 86_400


class Scene:
    """Blocks are served from and until given times, in seconds from now; `slow` is a look."""

    def __init__(self, clock: SimClock, away: tuple[float, float], slow: float = 1.0) -> None:
        self.clock, self.away, self.slow = clock, away, slow
        self.begun = clock.now()
        self.looks = 0
        ports: Any = SimpleNamespace(
            store=self,
            served=self,
            chain=LoopChainClock(clock),
            clock=clock,
            events=EventBus(clock),
        )
        self.handler = EncodeOrders(
            EncodeOrderPorts(
                **{
                    name: getattr(ports, name, None)
                    for name in EncodeOrderPorts.__dataclass_fields__
                }
            )
        )
        until = int(self.begun) + DAY
        order = replace(an_order(Service.ENCODE, At.SERVING), serve_until=until)
        self.order: Order = replace(order, result=encode_receipt(RECEIPT))

    async def put_manifest(self, data: bytes, root: object) -> None: ...

    async def problem(self, dataset: object) -> str:
        self.looks += 1
        await asyncio.sleep(self.slow)
        first, last = self.away
        return "nobody has it" if first <= self.passed < last else ""

    @property
    def passed(self) -> float:
        return self.clock.now() - self.begun

    async def after(self, seconds: float, tell: Callable[[], None]) -> Served | Wrong:
        watching = asyncio.ensure_future(self.handler.watch(self.order))
        await asyncio.sleep(seconds)
        tell()
        return await watching


def play(
    main: Callable[[Scene], Coroutine[Any, Any, None]],
    away: tuple[float, float] = (0.0, 0.0),
    slow: float = 1.0,
) -> None:
    async def run(clock: SimClock) -> None:
        await main(Scene(clock, away, slow))

    in_virtual_time(run)


def test_it_ends_with_the_service_when_blocks_were_served_all_the_time() -> None:
    async def main(it: Scene) -> None:
        assert await it.handler.watch(it.order) == Served()
        assert DAY - 700 < it.passed < DAY
        assert 130 < it.looks < 150

    play(main)


def test_it_ends_as_soon_as_hosts_have_the_blocks_even_while_it_looks() -> None:
    async def main(it: Scene) -> None:
        assert await it.after(5, lambda: it.handler.hosts_have(MANIFEST)) == Served()
        assert it.passed < 6
        assert await it.handler.watch(it.order) == Served()

    play(main, away=(0, 10 * DAY), slow=100.0)


@pytest.mark.parametrize("is_served", [True, False])
def test_who_needs_them_no_more_looks_for_the_last_time(is_served: bool) -> None:
    async def main(it: Scene) -> None:
        ended = await it.after(1000, lambda: it.handler.not_needed(it.order.key))
        assert it.passed < 1010
        if is_served:
            assert ended == Served()
        else:
            assert isinstance(ended, Wrong)
            assert ended.reason is Reason.WITHHELD

    play(main, (0, 0) if is_served else (900, 10 * DAY))


def test_an_aggregator_that_is_away_for_a_quarter_of_an_hour_is_forgiven() -> None:
    async def main(it: Scene) -> None:
        ended = await it.after(5000, lambda: it.handler.hosts_have(MANIFEST))
        assert ended == Served()

    play(main, (1000, 1900))


def test_one_that_is_away_for_longer_withholds_the_blocks() -> None:
    async def main(it: Scene) -> None:
        ended = await it.handler.watch(it.order)
        assert isinstance(ended, Wrong)
        assert ended.reason is Reason.WITHHELD
        assert "nobody has it" in ended.why
        assert 1000 + 1800 <= it.passed < 4000

    play(main, (1000, 10 * DAY))


def test_one_that_is_away_at_the_end_withholds_the_blocks() -> None:
    async def main(it: Scene) -> None:
        assert isinstance(await it.handler.watch(it.order), Wrong)

    play(main, (DAY - 700, DAY))


def test_what_is_heard_of_another_dataset_changes_nothing() -> None:
    async def main(it: Scene) -> None:
        other = RECEIPT.leaf_list if RECEIPT.leaf_list != MANIFEST else RECEIPT.original
        watching = asyncio.ensure_future(it.handler.watch(it.order))
        for _ in range(5):
            await asyncio.sleep(0.3)
            it.handler.hosts_have(other)
        assert not watching.done()
        it.handler.hosts_have(MANIFEST)
        assert await watching == Served()

    play(main)
