"""Whatever providers there are, a choice keeps its rules."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from quire.base.rng import seeded_rng
from quire.point.choosing import Situation, choose, is_in_reach
from quire.point.prospect import Company, Prospect, why_not
from support.prospects import DAY, MIB, NOW, need, offer, prospect, reputation

NETWORKS = ("8.8.8.0/24", "9.9.9.0/24", "1.1.1.0/24")
numbers = st.integers(0, 10_000)


@st.composite
def prospects_of(draw: st.DrawFn) -> list[Prospect]:
    """Up to a dozen providers, some of one payee, operator, network or autonomous system."""
    found = {}
    for number in draw(st.lists(numbers, max_size=12, unique=True)):
        signed = offer(
            number,
            price=draw(st.integers(0, 40)),
            payee=draw(st.sampled_from([number, 1, 2])),
            operator=draw(st.sampled_from([b"", b"acme", b"other"])),
            free_bytes=draw(st.sampled_from([0, MIB, 1 << 40])),
            max_seconds=draw(st.sampled_from([3600, 90 * DAY])),
        )
        known = reputation(
            draw(st.floats(0, 50)), draw(st.floats(0, 50)), days=draw(st.floats(0, 60))
        )
        if draw(st.booleans()):
            known = replace(known, backoff_until=NOW + draw(st.floats(-10, 10)))
        found[number] = prospect(
            number,
            signed,
            known,
            rtt=draw(st.floats(0, 2)),
            networks=tuple(draw(st.lists(st.sampled_from(NETWORKS), max_size=2, unique=True))),
            asns=tuple(draw(st.lists(st.sampled_from([64500, 64501]), max_size=1))),
        )
    return list(found.values())


situations = st.builds(
    Situation, st.binary(min_size=1, max_size=8), st.just(NOW), st.just(NOW),
    st.sampled_from([0.25, 0.5, 1.0]),
)  # fmt: skip
needs = st.builds(
    need,
    st.binary(max_size=8),
    sealed_bytes=st.sampled_from([0, MIB]),
    budget=st.none() | st.just(20 * MIB * DAY),
)
counts = st.integers(0, 5)


@given(prospects_of(), needs, counts, situations)
def test_nobody_is_chosen_whom_a_filter_refuses(found, wanted, count, situation) -> None:
    chosen = choose(found, wanted, count, Company(count), situation)
    assert len(chosen) <= count
    for each in chosen:
        assert why_not(each, wanted, now=NOW, chain_now=NOW) is None


@given(prospects_of(), needs, counts, situations)
def test_no_two_share_a_payee_an_operator_or_a_network(found, wanted, count, situation) -> None:
    chosen = choose(found, wanted, count, Company(count), situation)
    payees = [p.terms.payee for p in chosen]
    operators = [p.terms.operator for p in chosen if p.terms.operator]
    networks = [network for p in chosen for network in p.networks]
    asns = [asn for p in chosen for asn in p.asns]
    assert len(set(payees)) == len(payees)
    assert len(set(operators)) == len(operators)
    assert len(set(networks)) == len(networks)
    assert all(asns.count(asn) <= (count + 1) // 2 for asn in asns)


@given(prospects_of(), needs, counts, situations, st.randoms(use_true_random=False))
def test_the_order_in_which_they_were_found_does_not_matter(
    found, wanted, count, situation, rng
) -> None:
    again = list(found)
    rng.shuffle(again)
    one = choose(found, wanted, count, Company(count), situation)
    other = choose(again, wanted, count, Company(count), situation)
    assert [p.peer for p in one] == [p.peer for p in other]


@given(prospects_of(), needs, situations)
def test_with_the_whole_reach_somebody_is_found_whenever_somebody_suits(
    found, wanted, situation
) -> None:
    whole = replace(situation, spread=1.0)
    suits = [p for p in found if why_not(p, wanted, now=NOW, chain_now=NOW) is None]
    assert bool(choose(found, wanted, 1, Company(1), whole)) is bool(suits)


@given(prospects_of(), needs, situations, st.integers(1, 60), st.integers(0, 11))
def test_who_asks_for_less_is_not_chosen_less(found, wanted, situation, less, which) -> None:
    """Monotone in price: whoever is drawn at a price is drawn at any lower one."""
    chosen = choose(found, wanted, 1, Company(1), situation)
    if not chosen:
        return
    best = chosen[0]
    terms = best.terms
    cheaper = replace(terms, price_byte_second=max(0, terms.price_byte_second - less))
    changed = [replace(p, offer=replace(p.offer, offer=cheaper)) if p is best else p for p in found]
    again = choose(changed, wanted, 1, Company(1), situation)
    assert [p.peer for p in again] == [best.peer]


@given(prospects_of(), needs, situations, st.floats(0.1, 50))
def test_who_has_done_better_is_not_chosen_less(found, wanted, situation, more) -> None:
    """More successes of one who is no newcomer, everything else as it is."""
    chosen = choose(found, wanted, 1, Company(1), situation)
    if not chosen or chosen[0].reputation.is_new(NOW):
        return
    best = chosen[0]
    better = replace(best.reputation, successes=best.reputation.successes + more)
    changed = [replace(p, reputation=better) if p is best else p for p in found]
    again = choose(changed, wanted, 1, Company(1), situation)
    assert [p.peer for p in again] == [best.peer]


@given(prospects_of(), needs, counts, situations)
def test_a_replacement_is_none_of_those_that_were(found, wanted, count, situation) -> None:
    """A chunk whose replicas fail one after the other uses every provider once at most."""
    whole = replace(situation, spread=1.0)
    used: list[str] = []
    while True:
        step = replace(wanted, used=tuple(used))
        chosen = choose(found, step, max(count, 1), Company(max(count, 1)), whole)
        if not chosen:
            break
        assert not {p.peer for p in chosen} & set(used)
        used += [p.peer for p in chosen]
    suits = [p for p in found if why_not(p, wanted, now=NOW, chain_now=NOW) is None]
    assert sorted(used) == sorted(p.peer for p in suits)


def test_nobody_else_can_tell_whom_a_node_draws() -> None:
    """Two nodes with the same knowledge draw apart from each other."""
    found = [prospect(number, known=reputation(100)) for number in range(32)]
    rng = seeded_rng(1)
    same, expected, chunks = 0, 0.0, 400
    for _ in range(chunks):
        wanted = need(rng.randbytes(8))
        ids = [p.terms.peer_id for p in found]
        expected += 1 / sum(is_in_reach(wanted.seed, 0, each, 0.25) for each in ids)
        one, other = (
            choose(found, wanted, 1, Company(1), Situation(secret, NOW, NOW))[0].peer
            for secret in (b"one", b"other")
        )
        same += one == other
    assert abs(same - expected) < 4 * chunks**0.5 / 2
    assert expected < chunks / 2
