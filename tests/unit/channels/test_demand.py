"""The price of a cache follows what is asked of it."""

from __future__ import annotations

from quire.channels.demand import DEMAND_MAX, FULL_BYTES, HALF_LIFE_SECONDS, Demand


def test_without_demand_the_price_is_the_base() -> None:
    assert Demand().price(1000, 0.0) == 1000


def test_demand_doubles_the_price_and_fades() -> None:
    demand = Demand()
    demand.note(FULL_BYTES, 100.0)
    assert demand.price(1000, 100.0) == 2000
    assert demand.price(1000, 100.0 + HALF_LIFE_SECONDS) == 1500
    assert demand.price(1000, 100.0 + 20 * HALF_LIFE_SECONDS) == 1000


def test_however_much_is_asked_there_is_a_highest_price() -> None:
    demand = Demand()
    for _ in range(100):
        demand.note(FULL_BYTES, 1.0)
    assert demand.level(1.0) == DEMAND_MAX
    assert demand.price(1000, 1.0) == 4000


def test_a_little_demand_does_not_move_the_price() -> None:
    demand = Demand()
    demand.note(FULL_BYTES // 100, 0.0)
    assert demand.price(1000, 0.0) == 1000


def test_a_price_of_nothing_stays_nothing() -> None:
    demand = Demand()
    demand.note(3 * FULL_BYTES, 0.0)
    assert demand.price(0, 0.0) == 0
