"""What is offered for gas, at first and when no block takes a transaction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.chain.fees import (
    GWEI,
    DynamicFees,
    FeeSettings,
    LegacyFees,
    first_fees,
    higher_fees,
)

USUAL = FeeSettings()
wei = st.integers(0, 2000 * GWEI)


def test_the_first_offer_bears_five_full_blocks() -> None:
    fees = first_fees(USUAL, 30 * GWEI, 0)
    assert fees == DynamicFees(61 * GWEI, GWEI)
    assert fees.most - GWEI >= 30 * GWEI * 9**5 // 8**5


def test_without_a_base_fee_the_price_that_the_node_suggests_is_offered() -> None:
    assert first_fees(USUAL, None, 7 * GWEI) == LegacyFees(7 * GWEI)


@pytest.mark.parametrize("base_fee", [None, 5000 * GWEI])
def test_no_first_offer_is_above_the_greatest(base_fee: int | None) -> None:
    fees = first_fees(USUAL, base_fee, 5000 * GWEI)
    assert fees.most == USUAL.max_fee


def test_a_tip_above_the_greatest_offer_is_cut() -> None:
    settings = FeeSettings(max_priority_fee=9, max_fee=5)
    assert first_fees(settings, 1, 0) == DynamicFees(5, 5)


@given(max_fee=wei, tip=wei, base_fee=wei)
def test_a_replacement_pays_enough_more_in_every_part_to_be_taken(
    max_fee: int, tip: int, base_fee: int
) -> None:
    old = DynamicFees(max_fee, min(tip, max_fee))
    new = higher_fees(old, first_fees(USUAL, base_fee, 0), FeeSettings(max_fee=10**15))
    assert isinstance(new, DynamicFees)
    assert 10 * new.max_fee > 11 * old.max_fee or new.max_fee >= old.max_fee + 1 > 10 * old.max_fee
    assert new.max_priority_fee > old.max_priority_fee * 11 // 10
    assert new.max_fee >= new.max_priority_fee


@given(old=wei, now=wei)
def test_so_does_one_of_the_older_kind(old: int, now: int) -> None:
    new = higher_fees(LegacyFees(old), LegacyFees(now), FeeSettings(max_fee=10**15))
    assert isinstance(new, LegacyFees)
    assert new.gas_price >= now
    assert 8 * (new.gas_price - old) >= old
    assert new.gas_price > old


def test_a_replacement_above_the_greatest_offer_is_none() -> None:
    settings = FeeSettings(max_fee=100)
    assert higher_fees(DynamicFees(90, 5), DynamicFees(50, 5), settings) is None
    assert higher_fees(DynamicFees(80, 5), DynamicFees(50, 5), settings) == DynamicFees(90, 6)
