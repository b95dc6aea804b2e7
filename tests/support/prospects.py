"""Providers as the choice sees them, made up."""

from __future__ import annotations

import hashlib

from quire.formats.peer_id import encode_peer_id, peer_id_of
from quire.point.choice_port import Need
from quire.point.prospect import Prospect
from quire.point.reputation import Reputation
from quire.point.values import Offer, SignedOffer

NOW = 1_800_000_000.0
DAY = 86400
MIB = 1 << 20


def peer_id(number: int) -> bytes:
    """39 bytes that are a peer id in form; nobody has its key."""
    return peer_id_of(b"\x02" + hashlib.sha256(number.to_bytes(4, "big")).digest())


def account(number: int) -> bytes:
    return hashlib.sha256(b"account" + number.to_bytes(4, "big")).digest()[:20]


def offer(
    number: int,
    *,
    price: int = 10,
    payee: int | None = None,
    operator: bytes = b"",
    free_bytes: int = 1 << 30,
    max_seconds: int = 90 * DAY,
    valid_until: int = int(NOW) + 3600,
) -> SignedOffer:
    """Not signed; of a contract that does not matter."""
    terms = Offer(
        peer_id=peer_id(number),
        payee=account(number if payee is None else payee),
        chain_id=31337,
        contract=account(0),
        price_byte_second=price,
        price_get_byte=0,
        fee_put_byte=0,
        free_bytes=free_bytes,
        max_seconds=max_seconds,
        credit_bytes=MIB,
        valid_until=valid_until,
        operator=operator,
    )
    data = repr(terms).encode()
    return SignedOffer(terms, data, hashlib.sha256(data).digest(), bytes(65), b"")


def reputation(
    successes: float = 20.0, failures: float = 0.0, *, days: float = 60.0, now: float = NOW
) -> Reputation:
    return Reputation(now - days * DAY, now, successes, failures)


def prospect(
    number: int,
    signed: SignedOffer | None = None,
    known: Reputation | None = None,
    *,
    rtt: float = 0.05,
    networks: tuple[str, ...] = (),
    asns: tuple[int, ...] = (),
) -> Prospect:
    peer = encode_peer_id(peer_id(number))
    return Prospect(peer, (), signed or offer(number), known or reputation(), rtt, networks, asns)


def need(
    seed: bytes = b"chunk",
    *,
    sealed_bytes: int = MIB,
    seconds: int = DAY,
    used: tuple[str, ...] = (),
    sharing: tuple[SignedOffer, ...] = (),
    budget: int | None = None,
) -> Need:
    return Need(seed, sealed_bytes, seconds, used, sharing, budget)
