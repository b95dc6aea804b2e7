"""A node pays for what came and verified, and one billing step ahead."""

from __future__ import annotations

from quire.base.units import MIB
from quire.channels.owing import Owing

PRICE = 1000


def test_what_came_is_owed_until_it_is_promised() -> None:
    owing = Owing()
    owing.came(MIB, PRICE)
    owing.came(MIB // 2, PRICE)
    assert owing.owes == 1500
    assert owing.promise(1500, 1) == 0
    assert owing.owes == 0
    assert owing.promise(0, 1) == 1


def test_one_billing_step_is_promised_ahead_and_no_more() -> None:
    owing = Owing()
    assert owing.may_promise(5000, PRICE) == 1000
    owing.promise(1000, 1)
    assert owing.may_promise(5000, PRICE) == 0
    owing.came(MIB // 4, PRICE)
    assert owing.may_promise(5000, PRICE) == 250
    assert owing.may_promise(100, PRICE) == 100


def test_small_amounts_are_paid_together() -> None:
    owing = Owing()
    owing.came(65536, PRICE)
    assert not owing.is_due(PRICE)
    owing.came(3 * 65536, PRICE)
    assert owing.is_due(PRICE)


def test_rounding_happens_once_in_the_sum() -> None:
    owing = Owing()
    for _ in range(1024):
        owing.came(1024, 1)
    assert owing.owes == 1


def test_a_bill_that_was_not_promised_after_all_is_the_next_again() -> None:
    owing = Owing()
    owing.came(MIB, PRICE)
    assert owing.promise(400, 1) == 0
    assert owing.promise(600, 1) == 1
    owing.withdraw()
    assert (owing.owes, owing.promised_on(1), owing.promised_on(2)) == (600, 400, 0)
    assert owing.promise(600, 2) == 1
    assert (owing.owes, owing.promised_on(1), owing.promised_on(2)) == (0, 0, 600)
