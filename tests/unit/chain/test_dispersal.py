"""The expanding window, with the values of market.md 3.4 and 3.5."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quire.base.errors import InputError
from quire.chain.dispersal import (
    MOST_DISTANCE,
    MOST_H,
    ONE,
    Window,
    choose_h,
    distance,
    h_of_request,
    may_hold,
    nonce_with_h,
    position,
    reach_of,
    source,
)

HOST = b"\x11" * 20
H = st.integers(1, MOST_H)
DISTANCES = st.integers(0, MOST_DISTANCE)
TIMES = (0, 12, 60, 360, 1800, 3000, 3599)
# F at these seconds of 3600, by h in 1/10000
KNOWN = {
    100: (0, 3e-5, 1.7e-4, 1.1e-3, 0.01, 0.048, 0.973),
    1000: (0, 3.7e-4, 1.9e-3, 0.0122, 0.1, 0.357, 0.9975),
    5000: (0, 0.0033, 0.0167, 0.1, 0.5, 0.833, 0.9997),
    9000: (0, 0.029, 0.132, 0.5, 0.9, 0.978, 1.0),
}


def test_the_place_of_a_host_is_the_known_one() -> None:
    known = "aafae41182fdefb0af836c3b506e127c7f229f33360c66de1139f4b0316f09d8"
    assert f"{position(HOST):064x}" == known


def test_the_place_of_a_reservation_is_the_known_one() -> None:
    known = "994001434694d80f8d86846d4e74ae1044b481773f29bb1a39bd345e80cfb320"
    assert f"{source(bytes([1]) * 32, bytes([2]) * 32, 3, 1):064x}" == known


def test_every_reservation_of_every_slot_has_a_place_of_its_own() -> None:
    places = {
        source(seed, request, slot, number)
        for seed in (b"\x01" * 32, b"\x02" * 32)
        for request in (b"\x03" * 32, b"\x04" * 32)
        for slot in range(3)
        for number in range(3)
    }
    assert len(places) == 36


def test_distance_is_none_to_itself_and_differs_by_host() -> None:
    assert distance(position(HOST), HOST) == 0
    assert distance(0, HOST) == position(HOST)


@pytest.mark.parametrize("h_bps", sorted(KNOWN))
def test_the_window_has_the_known_values(h_bps: int) -> None:
    for seconds, known in zip(TIMES, KNOWN[h_bps], strict=True):
        share = Fraction(reach_of(seconds * ONE // 3600, h_bps), MOST_DISTANCE + 1)
        assert float(share) == pytest.approx(known, rel=0.13)


@given(st.integers(0, ONE - 1), H)
def test_the_reach_is_the_share_that_the_formula_gives_rounded_down(x: int, h_bps: int) -> None:
    part, h = Fraction(x, ONE), Fraction(h_bps, 10_000)
    exact = part * h / (part * h + (1 - part) * (1 - h))
    reach = Fraction(reach_of(x, h_bps), MOST_DISTANCE)
    assert reach <= exact
    assert exact - reach < Fraction(1, 2**170)


WINDOWS = st.builds(
    Window,
    start=st.integers(0, 2**40),
    end=st.integers(0, 2**40),
    h_bps=st.integers(0, MOST_H),
    tail_bps=st.integers(0, 10_000),
)


@given(WINDOWS, DISTANCES)
@example(Window(1000, 4600, 100, 500), 0)
@example(Window(1000, 1000, 100, 500), MOST_DISTANCE)
@example(Window(1000, 900, 100, 500), MOST_DISTANCE)
@example(Window(1000, 4600, 100, 10_000), MOST_DISTANCE)
@example(Window(1000, 1001, MOST_H, 0), MOST_DISTANCE)
def test_a_host_is_let_in_from_the_first_second_on_and_not_before(
    window: Window, away: int
) -> None:
    first = window.opens_at(away)
    assert window.start <= first <= window.tail_from
    assert window.lets_in(away, first)
    assert first == window.start or not window.lets_in(away, first - 1)
    assert window.lets_in(away, first + 1)


@given(WINDOWS, DISTANCES)
def test_everybody_is_let_in_when_the_tail_begins(window: Window, away: int) -> None:
    assert window.lets_in(away, window.tail_from)


def test_nobody_is_let_in_at_the_very_start() -> None:
    window = Window(1000, 4600, 5000, 500)
    assert not window.lets_in(0, 1000)
    assert window.lets_in(0, 1001)
    assert window.tail_from == 1000 + 3600 * 95 // 100


def test_without_h_everybody_is_let_in_at_once() -> None:
    assert Window(1000, 4600, 0, 500).opens_at(MOST_DISTANCE) == 1000


@given(st.integers(0, MOST_H), st.binary(min_size=26, max_size=26))
def test_a_request_brings_its_own_h_in_its_nonce(h_bps: int, random: bytes) -> None:
    nonce = nonce_with_h(h_bps, random)
    assert len(nonce) == 32
    assert nonce.startswith(b"DISP")
    assert h_of_request(nonce, 77) == h_bps


@pytest.mark.parametrize("nonce", [bytes(32), b"DISP" + b"\xff" * 28, b"disp" + bytes(28)])
def test_any_other_nonce_leaves_h_to_the_contract(nonce: bytes) -> None:
    assert h_of_request(nonce, 77) == 77


@pytest.mark.parametrize(("h_bps", "random"), [(-1, 26), (10_000, 26), (5, 25), (5, 27)])
def test_a_nonce_with_a_wrong_h_is_refused(h_bps: int, random: int) -> None:
    with pytest.raises(InputError, match="h"):
        nonce_with_h(h_bps, bytes(random))


def test_h_falls_with_the_number_of_hosts() -> None:
    assert choose_h(500, 3600, 60) == 566
    chosen = [choose_h(hosts, 3600, 60) for hosts in (5, 50, 500, 5000, 10**9)]
    assert chosen == sorted(chosen, reverse=True)
    assert chosen[-1] == 1


@pytest.mark.parametrize("wrong", [(0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 0, 1), (1, 1, 1, 0)])
def test_no_h_follows_from_nothing(wrong: tuple[int, int, int, int]) -> None:
    with pytest.raises(InputError, match="more than 0"):
        choose_h(*wrong)


def test_one_host_alone_never_holds_more_than_may_be_lost() -> None:
    assert [may_hold(loss) for loss in (0, 1, 2, 5)] == [1, 1, 2, 5]
