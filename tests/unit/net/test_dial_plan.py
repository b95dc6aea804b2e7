"""When to dial whom."""

from __future__ import annotations

import pytest

from quire.base.rng import seeded_rng
from quire.net.dial_plan import (
    FIRST_PAUSE_SECONDS,
    JITTER,
    MAX_BOOTSTRAP_PAUSE_SECONDS,
    MAX_DIALS,
    MAX_FAILURES,
    STABLE_SECONDS,
    DialPlan,
)
from quire.net.known_peer import KnownPeer


def plan_of(*peers: str, bootstrap: bool = True, target_peers: int = 16) -> DialPlan:
    plan = DialPlan(seeded_rng(1), target_peers=target_peers)
    for peer in peers:
        plan.add(KnownPeer(peer, ("/a",)), is_bootstrap=bootstrap, now=0.0)
    return plan


def names(plan: DialPlan, now: float) -> list[str]:
    return [target.peer for target in plan.take_due(now)]


def test_new_targets_are_due_at_once_and_only_once() -> None:
    plan = plan_of("a", "b")
    assert plan.next_at() == 0.0
    assert names(plan, 0.0) == ["a", "b"]
    assert names(plan, 0.0) == []
    assert plan.next_at() is None


def test_each_failure_doubles_the_pause_up_to_the_longest() -> None:
    plan = plan_of("a")
    now = 0.0
    for failure in range(12):
        assert names(plan, now) == ["a"]
        target = plan.failed("a", "silence", now)
        assert target is not None
        assert target.failures == failure + 1
        pause = min(FIRST_PAUSE_SECONDS * 2**failure, MAX_BOOTSTRAP_PAUSE_SECONDS)
        assert pause * (1 - JITTER) <= target.next_at - now <= pause * (1 + JITTER)
        assert names(plan, target.next_at - 0.001) == []
        now = target.next_at


def test_a_remembered_peer_is_given_up_and_a_bootstrap_peer_never() -> None:
    plan = plan_of("a", bootstrap=False)
    for _ in range(MAX_FAILURES - 1):
        assert plan.failed("a", "silence", 0.0) is not None
    assert plan.failed("a", "silence", 0.0) is None
    assert plan.targets() == []


def test_remembered_peers_are_dialled_only_while_connections_lack() -> None:
    plan = plan_of("a", "b", "c", bootstrap=False, target_peers=2)
    assert names(plan, 0.0) == ["a", "b"]
    plan.joined("a", 0.0)
    plan.joined("x", 0.0)
    plan.failed("b", "silence", 0.0)
    assert names(plan, 1e6) == []
    plan.left("x", 1.0)
    assert names(plan, 1e6) == ["c"]


def test_bootstrap_peers_are_dialled_however_many_are_connected() -> None:
    plan = plan_of("a", target_peers=1)
    plan.joined("x", 0.0)
    assert names(plan, 0.0) == ["a"]


def test_dials_at_once_are_bounded_and_nothing_is_due_meanwhile() -> None:
    plan = plan_of(*(f"p{number}" for number in range(MAX_DIALS + 3)))
    assert len(names(plan, 0.0)) == MAX_DIALS
    assert plan.next_at() is None
    plan.joined("p0", 0.0)
    assert plan.next_at() == 0.0
    assert names(plan, 0.0) == [f"p{MAX_DIALS}"]


def test_a_connected_peer_is_not_dialled_until_it_left_and_rested() -> None:
    plan = plan_of("a")
    names(plan, 0.0)
    plan.joined("a", 0.0)
    assert plan.is_connected("a")
    assert plan.next_at() is None
    plan.left("a", STABLE_SECONDS)
    due = plan.next_at()
    assert due is not None
    assert due > STABLE_SECONDS
    assert names(plan, STABLE_SECONDS) == []
    assert names(plan, due) == ["a"]


def test_connections_that_end_quickly_count_as_failures() -> None:
    plan = plan_of("a")
    for flap in range(1, 5):
        plan.joined("a", 10.0 * flap)
        plan.left("a", 10.0 * flap + 1)
        assert plan.targets()[0].failures == flap
    plan.joined("a", 100.0)
    plan.left("a", 100.0 + STABLE_SECONDS)
    assert plan.targets()[0].failures == 0


def test_a_dial_that_succeeded_without_a_connection_rests() -> None:
    plan = plan_of("a")
    names(plan, 0.0)
    plan.settled("a", 0.0)
    assert names(plan, 0.0) == []
    assert names(plan, FIRST_PAUSE_SECONDS) == ["a"]


def test_addresses_of_one_peer_gather() -> None:
    plan = plan_of("a")
    plan.add(KnownPeer("a", ("/b", "/a")), is_bootstrap=False, now=0.0)
    (target,) = plan.targets()
    assert (target.addresses, target.is_bootstrap) == (("/a", "/b"), True)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_rests_the_same(seed: int) -> None:
    def rests() -> list[float]:
        plan = DialPlan(seeded_rng(seed), target_peers=1)
        plan.add(KnownPeer("a", ("/a",)), is_bootstrap=True, now=0.0)
        found = (plan.failed("a", "silence", 0.0) for _ in range(5))
        return [target.next_at for target in found if target is not None]

    assert rests() == rests()


def test_strangers_may_come_and_go() -> None:
    plan = plan_of()
    plan.joined("x", 0.0)
    plan.left("x", 1.0)
    plan.left("x", 2.0)
    plan.settled("x", 2.0)
    assert plan.targets() == []
