"""Who cannot have a replica of a chunk, and the words for it."""

from __future__ import annotations

import pytest

from quire.point.billing import cost
from quire.point.choice_port import Outcome
from quire.point.networks import networks_of, public_ips
from quire.point.prospect import Company, Prospect, Reason, why_not
from support.prospects import DAY, MIB, NOW, need, offer, prospect, reputation


def reason_of(candidate: Prospect, **wanted: object) -> tuple[Reason, str]:
    unfit = why_not(candidate, need(**wanted), now=NOW, chain_now=NOW)  # type: ignore[arg-type]
    assert unfit is not None
    return unfit.reason, unfit.words


def test_a_provider_that_has_room_and_time_at_the_price_suits() -> None:
    price = cost(offer(1).offer, MIB, DAY)
    assert price == 10 * MIB * DAY
    assert why_not(prospect(1), need(budget=price), now=NOW, chain_now=NOW) is None


def test_the_whole_term_and_the_fee_make_the_price() -> None:
    reason, words = reason_of(prospect(1), budget=10 * MIB * DAY - 1)
    assert reason is Reason.PRICE
    assert str(10 * MIB * DAY) in words
    assert str(10 * MIB * DAY - 1) in words


def test_each_thing_that_is_missing_is_said_in_words() -> None:
    ended = prospect(1, offer(1, valid_until=int(NOW) - 120))
    assert reason_of(ended) == (Reason.EXPIRED, "its offer ended 2 min 00 s ago")
    full = prospect(1, offer(1, free_bytes=MIB - 1))
    assert reason_of(full)[0] is Reason.SPACE
    assert reason_of(prospect(1, offer(1, free_bytes=1024))) == (
        Reason.SPACE,
        "it has 1.0 KiB free, and 1.0 MiB are needed",
    )
    short = prospect(1, offer(1, max_seconds=3600))
    assert reason_of(short) == (
        Reason.TERM,
        "it keeps for 1 h 00 min at most, and 24 h 00 min are wanted",
    )
    assert reason_of(prospect(1), used=(prospect(1).peer,))[0] is Reason.USED
    bad = reputation().after(Outcome.BAD_SIGNATURE, NOW, "it signed another root")
    assert reason_of(prospect(1, known=bad)) == (
        Reason.KEPT_AWAY,
        "it is excluded for another 7 days: it signed another root",
    )


def test_a_payee_has_one_replica_of_a_chunk() -> None:
    company = Company(3)
    company.join(offer(1).offer)
    unfit = company.refuses(prospect(2, offer(2, payee=1)))
    assert unfit is not None
    assert unfit.reason is Reason.PAYEE
    assert company.refuses(prospect(3)) is None


def test_an_operator_has_one_replica_of_a_chunk_and_no_name_is_no_operator() -> None:
    company = Company(3)
    company.join(offer(1, operator=b"acme").offer)
    unfit = company.refuses(prospect(2, offer(2, operator=b"acme")))
    assert unfit is not None
    assert unfit.reason is Reason.OPERATOR
    assert company.refuses(prospect(3)) is None
    company.join(offer(4).offer)
    assert company.refuses(prospect(5)) is None


def test_a_network_has_one_replica_of_a_chunk() -> None:
    company = Company(3)
    company.join(offer(1).offer, ("8.8.8.0/24",))
    unfit = company.refuses(prospect(2, networks=("9.9.9.0/24", "8.8.8.0/24")))
    assert unfit is not None
    assert unfit.reason is Reason.NETWORK
    assert "8.8.8.0/24" in unfit.words
    assert company.refuses(prospect(2, networks=("8.8.9.0/24",))) is None


@pytest.mark.parametrize(("replicas", "most"), [(1, 1), (2, 1), (3, 2), (5, 3)])
def test_half_of_the_replicas_may_be_in_one_autonomous_system(replicas: int, most: int) -> None:
    company = Company(replicas)
    for number in range(most):
        assert company.refuses(prospect(number, asns=(64500,))) is None
        company.join(offer(number).offer, (), (64500,))
    unfit = company.refuses(prospect(99, asns=(64501, 64500)))
    assert unfit is not None
    assert unfit.reason is Reason.ASN
    assert "AS64500" in unfit.words


def test_networks_are_those_of_public_addresses() -> None:
    assert networks_of(
        [
            "/ip4/8.8.8.8/tcp/1",
            "/ip4/8.8.8.9/udp/2/quic-v1",
            "/ip6/2001:4860:4860:1::8888/tcp/1",
            "/dns4/Node.Example.org./tcp/1",
        ]
    ) == ("8.8.8.0/24", "2001:4860:4860::/48", "node.example.org")


@pytest.mark.parametrize(
    "address",
    [
        "/ip4/127.0.0.1/tcp/1",
        "/ip6/::1/tcp/1",
        "/ip4/10.1.2.3/tcp/1",
        "/ip4/192.168.1.7/tcp/1",
        "/ip4/172.16.0.1/tcp/1",
        "/ip4/100.64.0.1/tcp/1",
        "/ip4/169.254.1.1/tcp/1",
        "/ip4/224.0.0.1/udp/1",
        "/ip6/fe80::1/tcp/1",
        "/ip6/fd00::1/tcp/1",
        "/ip6/::ffff:127.0.0.1/tcp/1",
        "/dns4/localhost/tcp/1",
        "nonsense",
        "",
    ],
)
def test_an_address_that_many_machines_have_is_in_no_network(address: str) -> None:
    assert networks_of([address]) == ()
    assert public_ips([address]) == []


def test_an_address_through_a_relay_is_in_the_network_of_the_relay() -> None:
    relay = f"/ip4/8.8.4.4/tcp/1/p2p/{prospect(1).peer}/p2p-circuit"
    assert networks_of([relay]) == ("8.8.4.0/24",)


def test_an_ipv4_address_written_as_ipv6_is_the_same_network() -> None:
    assert networks_of(["/ip6/::ffff:8.8.8.8/tcp/1"]) == ("8.8.8.0/24",)
