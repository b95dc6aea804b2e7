"""Weights and draw of providers, as point.md 5.2 has them."""

from __future__ import annotations

import hashlib
import hmac
import math
from collections import Counter
from dataclasses import replace

import pytest

from quire.point.billing import cost
from quire.point.choosing import (
    Situation,
    choose,
    draw_number,
    is_in_reach,
    latency_factor,
    price_factor,
    spread_after,
    weigh,
)
from quire.point.prospect import Company, Prospect
from quire.point.reputation import Reputation
from support.prospects import DAY, MIB, NOW, need, offer, peer_id, prospect, reputation

HERE = Situation(b"secret", NOW, NOW)
USUAL = float(cost(offer(0).offer, MIB, DAY))


def picks(
    prospects: list[Prospect], chunks: int, count: int = 1, situation: Situation = HERE
) -> Counter[str]:
    found: Counter[str] = Counter()
    for chunk in range(chunks):
        wanted = need(chunk.to_bytes(4, "big"))
        for each in choose(prospects, wanted, count, Company(count), situation):
            found[each.peer] += 1
    return found


def test_a_price_counts_as_the_formula_says() -> None:
    assert price_factor(10, 10) == price_factor(3, 10) == 1.0
    assert price_factor(20, 10) == pytest.approx(math.exp(-1))
    assert price_factor(0, 0) == 1.0
    assert price_factor(1, 0) == 0.0


def test_latency_counts_as_the_formula_says() -> None:
    assert latency_factor(0.0) == 1.0
    assert latency_factor(0.2) == pytest.approx(0.5)
    assert latency_factor(0.6) == pytest.approx(0.25)


def test_the_reach_doubles_every_five_seconds_until_it_is_whole() -> None:
    assert [spread_after(s) for s in (0, 4.99, 5, 9.99, 10, 1e9)] == [0.25, 0.25, 0.5, 0.5, 1, 1]


def test_a_quarter_of_all_peers_is_in_reach_of_a_replica() -> None:
    near = sum(is_in_reach(b"chunk", 0, peer_id(n), 0.25) for n in range(2000))
    assert 420 < near < 580  # 500 and four standard deviations
    assert all(is_in_reach(b"chunk", 0, peer_id(n), 1.0) for n in range(50))


def test_who_is_in_reach_stays_in_reach_when_it_grows() -> None:
    for number in range(200):
        narrow = is_in_reach(b"chunk", 2, peer_id(number), 0.25)
        assert not narrow or is_in_reach(b"chunk", 2, peer_id(number), 0.5)


def test_the_number_of_a_draw_is_that_of_hmac() -> None:
    """HMAC-SHA-256 of chunk, replica (4 bytes) and peer id, computed elsewhere once."""
    digest = hmac.new(b"secret", b"chunk" + bytes([0, 0, 0, 1]) + peer_id(3), hashlib.sha256)
    expected = int.from_bytes(digest.digest()[:8], "big") / 2**64
    assert draw_number(b"secret", b"chunk", 1, peer_id(3)) == pytest.approx(expected, abs=1e-12)


def test_shares_follow_the_weights() -> None:
    """Of two that differ in their round trip only, the nearer has twice the other's weight."""
    one, other = neighbours()
    near, far = prospect(one, rtt=0.0), prospect(other, rtt=0.2)
    found = choose_many_with_whole_reach([near, far])
    assert 0.62 < found[near.peer] / found.total() < 0.71


def neighbours() -> tuple[int, int]:
    """Two whose hashes begin alike, so that they are always in the same quarter."""
    tops = [hashlib.sha256(peer_id(n)).digest()[0] >> 6 for n in range(1, 20)]
    other = next(n for n in range(2, 20) if tops[n - 1] == tops[0])
    return 1, other


def choose_many_with_whole_reach(prospects: list[Prospect]) -> Counter[str]:
    """Replicas of which all peers are in the narrowest reach, so that only weights matter."""
    found: Counter[str] = Counter()
    chunk = 0
    while found.total() < 2000:
        seed = chunk.to_bytes(4, "big")
        chunk += 1
        if all(is_in_reach(seed, 0, p.terms.peer_id, 0.25) for p in prospects):
            (best,) = choose(prospects, need(seed), 1, Company(1), HERE)
            found[best.peer] += 1
    return found


def test_newcomers_have_a_tenth_together() -> None:
    known = [prospect(n, known=reputation(200)) for n in range(18)]
    new = [prospect(n, known=reputation(0, days=0)) for n in (20, 21)]
    weights = weigh([*known, *new], need(), USUAL, NOW)
    assert sum(weights[18:]) / sum(weights) == pytest.approx(0.1)
    assert weights[18] == pytest.approx(weights[19])


def test_newcomers_that_have_more_than_a_tenth_keep_it() -> None:
    known = [prospect(1, known=reputation(200))]
    new = [prospect(n, known=reputation(0, days=0)) for n in range(20, 40)]
    weights = weigh([*known, *new], need(), USUAL, NOW)
    assert sum(weights[1:]) / sum(weights) > 0.1
    assert weights[1] == pytest.approx(Reputation(NOW, NOW).bound(NOW) * 0.5 * 0.8, rel=1e-6)


def test_a_replica_goes_to_the_best_in_reach_and_not_always_to_the_best_of_all() -> None:
    best = prospect(0, known=reputation(10_000), rtt=0.0)
    others = [prospect(n, known=reputation(10), rtt=0.3) for n in range(1, 20)]
    found = picks([best, *others], 1000)
    assert 0.1 < found[best.peer] / 1000 < 0.4
    assert len(found) == 20


def test_the_reach_grows_only_as_far_as_it_is_allowed() -> None:
    far = next(n for n in range(100) if not is_in_reach(b"chunk", 0, peer_id(n), 0.5))
    only = [prospect(far)]
    for spread, expected in ((0.25, 0), (0.5, 0), (1.0, 1)):
        found = choose(only, need(), 1, Company(1), replace(HERE, spread=spread))
        assert len(found) == expected


def test_the_unwanted_are_drawn_when_there_is_nobody_else() -> None:
    bad = prospect(1, known=reputation(0, 50))
    assert bad.reputation.bound(NOW) == 0.0
    assert [p.peer for p in choose([bad], need(), 1, Company(1), HERE)] == [bad.peer]
    good = prospect(2)
    assert picks([bad, good], 200)[bad.peer] == 0


def test_replicas_are_numbered_on_from_those_that_were() -> None:
    """A chunk that lost its first provider draws its next replica with other numbers."""
    prospects = [prospect(n) for n in range(40)]
    first = choose(prospects, need(), 3, Company(3), HERE)
    second = choose(prospects, need(used=(first[0].peer,)), 1, Company(1), HERE)
    third = choose(prospects, need(used=(first[0].peer, "gone")), 1, Company(1), HERE)
    assert len({p.peer for p in (*first, *second)}) == 4 or second[0].peer == first[1].peer
    assert second[0].peer != first[0].peer
    assert second[0].peer != third[0].peer


def test_free_providers_come_before_those_that_cost() -> None:
    free = [prospect(n, offer(n, price=0)) for n in range(3)]
    dear = prospect(9, offer(9, price=1))
    assert picks([*free, dear], 300)[dear.peer] == 0
    assert picks([dear], 1)[dear.peer] == 1


def test_those_in_use_still_say_what_is_usual_to_pay() -> None:
    """Otherwise two dear ones would be the usual case as soon as two of three cheap ones are."""
    cheap = [prospect(n, offer(n, price=1)) for n in range(3)]
    dear = [prospect(n, offer(n, price=1000)) for n in (8, 9)]
    for chunk in range(100):
        wanted = need(chunk.to_bytes(4, "big"), used=(cheap[0].peer, cheap[1].peer))
        (chosen,) = choose([*cheap, *dear], wanted, 1, Company(2), HERE)
        assert chosen is cheap[2]


def test_age_counts_as_the_formula_says() -> None:
    for days, expected in ((0, 0.5), (15, 0.75), (30, 1.0), (300, 1.0)):
        assert reputation(days=days).age_factor(NOW) == pytest.approx(expected)
    assert Reputation(NOW + DAY, NOW + DAY).age_factor(NOW) == 0.5  # a clock that was put back
