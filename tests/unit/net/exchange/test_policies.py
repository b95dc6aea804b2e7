"""The pure parts: estimates, fair queue, budget, rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.base.errors import Bug
from quire.base.ranges import RangeSet
from quire.base.rng import seeded_rng
from quire.net.exchange.budget import Budget
from quire.net.exchange.estimate import PeerEstimate, RateMeter
from quire.net.exchange.fair_queue import FairQueue
from quire.net.exchange.limits import ExchangeLimits
from quire.net.exchange.scheduler import Scheduler

KIB, MIB = 1 << 10, 1 << 20
LIMITS = ExchangeLimits()


def measured(bytes_per_second: float, rtt: float = 0.0) -> PeerEstimate:
    estimate = PeerEstimate(LIMITS)
    estimate.answered(rtt)
    now = 0.0
    for _ in range(30):
        estimate.delivered(MIB, now, now + MIB / bytes_per_second)
        now += MIB / bytes_per_second
    return estimate


def test_an_unknown_peer_is_asked_for_little_and_given_time() -> None:
    estimate = PeerEstimate(LIMITS)
    assert estimate.bytes_per_second is None
    assert estimate.window_bytes() == MIB
    assert estimate.piece_blocks(65536) == 4
    assert estimate.timeout_seconds(100 * MIB) == 30.0


def test_speed_is_measured_over_busy_time_only() -> None:
    estimate = measured(10 * MIB)
    assert estimate.bytes_per_second == pytest.approx(10 * MIB)
    estimate.delivered(MIB, 1000.0, 1000.1)
    assert estimate.bytes_per_second == pytest.approx(10 * MIB)


@pytest.mark.parametrize(
    ("speed", "rtt", "window", "blocks"),
    [
        (400 * MIB, 0.001, 8 * MIB, 32),
        (10 * MIB, 0.3, 5 * MIB, 32),
        (1 * MIB, 0.05, 256 * KIB, 4),
        (10 * KIB, 0.05, 256 * KIB, 1),
    ],
)
def test_the_window_follows_speed_and_distance(
    speed: float, rtt: float, window: int, blocks: int
) -> None:
    estimate = measured(speed, rtt)
    assert estimate.window_bytes() == pytest.approx(window, rel=0.01)
    assert estimate.piece_blocks(65536) == blocks


def test_waiting_is_bounded_at_both_ends() -> None:
    assert measured(100 * MIB).timeout_seconds(MIB) == 5.0
    assert measured(1 * MIB).timeout_seconds(4 * MIB) == pytest.approx(12.0)
    assert measured(10 * KIB).timeout_seconds(MIB) == 45.0


def test_timeouts_shrink_the_window_and_deliveries_restore_it() -> None:
    estimate = measured(20 * MIB)
    before = estimate.window_bytes()
    for _ in range(3):
        estimate.timed_out()
    assert estimate.window_bytes() == pytest.approx(before / 8, rel=0.01)
    for turn in range(12):
        estimate.delivered(MIB, 100.0 + turn, 100.0 + turn + 0.05)
    assert estimate.window_bytes() == pytest.approx(before, rel=0.01)


def test_a_rate_is_right_from_the_first_seconds_and_fades() -> None:
    meter = RateMeter(0.0)
    for tick in range(1, 101):
        meter.add(MIB, tick / 100)
        if tick >= 10:
            assert meter.shown(tick / 100) == pytest.approx(100 * MIB, rel=0.15)
    assert meter.shown(30.0) < MIB


def test_a_queue_is_served_in_turns_whatever_the_costs() -> None:
    queue: FairQueue[int] = FairQueue(MIB)
    for number in range(40):
        queue.push("many", MIB // 4, number)
    for number in range(4):
        queue.push("big", 2 * MIB, number)
    given: list[tuple[str, int]] = []
    for _ in range(20):
        entry = queue.pop(lambda key: True)
        assert entry is not None
        given.append((entry[0], entry[1]))
    shares = {key: sum(cost for k, cost in given if k == key) for key in ("many", "big")}
    assert abs(shares["many"] - shares["big"]) <= 2 * MIB


def test_a_key_that_may_not_be_served_is_passed_over_and_keeps_its_place() -> None:
    queue: FairQueue[str] = FairQueue(MIB)
    queue.push("a", 10, "a1")
    queue.push("b", 10, "b1")
    assert queue.pop(lambda key: key != "a") == ("b", 10, "b1")
    assert queue.pop(lambda key: key != "a") is None
    assert queue.remove("a", "nothing") is None
    assert queue.remove("a", "a1") == 10
    assert queue.pop(lambda key: True) is None
    queue.push("a", 10, "a2")
    queue.clear("a")
    assert list(queue) == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3 * MIB)), max_size=40))
def test_everything_comes_out_once_and_in_the_order_of_its_key(
    items: list[tuple[str, int]],
) -> None:
    queue: FairQueue[int] = FairQueue(MIB)
    for number, (key, cost) in enumerate(items):
        queue.push(key, cost, number)
    out: dict[str, list[int]] = {}
    while (entry := queue.pop(lambda key: True)) is not None:
        out.setdefault(entry[0], []).append(entry[2])
    for key in "abc":
        assert out.get(key, []) == [n for n, (k, _) in enumerate(items) if k == key]


def test_a_budget_serves_waiters_in_turns() -> None:
    budget = Budget(2)
    taken: list[str] = []

    def taker(name: str) -> None:
        while budget.has_room(1, waiters[name]):
            budget.take(1)
            taken.append(name)

    waiters = {name: (lambda name=name: taker(name)) for name in "ab"}
    for name in "ab":
        taker(name)
    assert taken == ["a", "a"]
    for _ in range(4):
        budget.give(1)
    assert sorted(taken[2:]) == ["a", "a", "b", "b"]
    assert budget.used_bytes == 2


def test_a_budget_grants_one_reservation_however_large() -> None:
    budget = Budget(10)
    assert budget.has_room(100, lambda: None)
    budget.take(100)
    assert not budget.has_room(1, lambda: None)
    budget.give(100)
    with pytest.raises(Bug):
        budget.give(1)


def scheduler(leaves: int = 256) -> Scheduler:
    return Scheduler(leaves, RangeSet(), seeded_rng(1), region_blocks=64, end_game_pieces=2)


def test_windows_are_fetched_in_order_before_the_rest() -> None:
    it = scheduler()
    it.peer_has("p", RangeSet([(0, 256)]))
    it.want_all(True)
    it.want_window(1, 100, 140)
    starts = []
    for _ in range(4):
        piece = it.next_piece("p", 16, 0.0)
        assert piece is not None
        starts.append((piece.start, piece.stop))
    assert starts[:3] == [(100, 112), (112, 128), (128, 140)]
    assert starts[3][0] % 16 == 0 or starts[3][0] in (140,)


def test_peers_share_what_a_reader_waits_for_and_end_together() -> None:
    it = scheduler()
    for peer in "abc":
        it.peer_has(peer, RangeSet([(0, 256)]))
    it.want_all(True)
    it.want_window(1, 0, 32)
    counts = []
    for turn in range(9):
        piece = it.next_piece("abc"[turn % 3], 64, 0.0)
        assert piece is not None
        counts.append(piece.count)
    assert counts == [8, 8, 4, 4, 2, 2, 2, 2, 64]


def test_what_a_reader_waits_for_and_is_late_may_get_one_second_owner() -> None:
    it = scheduler(64)
    it.peer_has("a", RangeSet([(0, 64)]))
    it.want_all(True)
    it.want_window(1, 16, 32)
    pieces = [it.next_piece("a", 8, 1.0, at) for at in (3.0, 2.0, 1.0)]
    it.peer_has("b", RangeSet([(0, 64)]))
    awaited, later, background = pieces
    assert awaited is not None
    assert later is not None
    assert background is not None
    assert it.next_late_at(0.0) == 1.0
    assert it.late(1.5) == []  # nobody waits for the piece in the background
    assert it.late(2.0) == [later]
    assert it.late(3.0) == [awaited]  # one for each late peer
    assert it.may_own("b", later)
    assert not it.may_own("a", later)
    assert it.own(later, "b")
    assert it.late(3.0) == []
    assert it.own(awaited, "b")
    assert it.late(9.0) == []
    assert not it.own(background, "b")  # two at a time
    assert it.is_elsewhere(later, "a")
    it.peer_lacks("b", 31, 32)
    assert not it.is_elsewhere(later, "a")
    assert it.claim(later, "b") == ["a"]
    assert not it.may_own("b", later)


def test_a_region_is_finished_before_the_next_and_regions_are_random() -> None:
    orders = []
    for seed in range(6):
        it = Scheduler(1024, RangeSet(), seeded_rng(seed), region_blocks=64, end_game_pieces=2)
        it.peer_has("p", RangeSet([(0, 1024)]))
        it.want_all(True)
        regions = []
        while (piece := it.next_piece("p", 16, 0.0)) is not None:
            if not regions or regions[-1] != piece.start // 64:
                regions.append(piece.start // 64)
        assert sorted(regions) == list(range(16))
        orders.append(tuple(regions))
    assert len(set(orders)) > 1


def test_rare_regions_come_before_common_ones() -> None:
    rare_first = 0
    for seed in range(20):
        it = Scheduler(256, RangeSet(), seeded_rng(seed), region_blocks=64, end_game_pieces=2)
        it.peer_has("a", RangeSet([(0, 256)]))
        it.peer_has("b", RangeSet([(0, 192)]))
        it.want_all(True)
        piece = it.next_piece("a", 16, 0.0)
        assert piece is not None
        rare_first += piece.start >= 192
    assert rare_first >= 15


def test_the_last_pieces_go_to_a_second_peer_only_when_they_are_late() -> None:
    it = scheduler(32)
    for peer in "ab":
        it.peer_has(peer, RangeSet([(0, 32)]))
    it.want_all(True)
    first, second = it.next_piece("a", 16, 10.0), it.next_piece("a", 16, 10.0)
    assert first is not None
    assert second is not None
    assert it.second_owner("b", 9.0, None) is None
    assert it.second_owner("b", 9.0, 0.9) is None
    assert it.second_owner("b", 9.0, 0.4) is first
    assert it.second_owner("b", 10.0, None) is second
    assert it.second_owner("b", 99.0, None) is None
    assert it.claim(first, "b") == ["a"]
    assert it.claim(first, "a") is None
    it.finished(first)
    it.remove_peer("a")
    assert it.pieces() == [second]
    assert list(second.owners) == ["b"]
