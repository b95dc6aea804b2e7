"""On what terms a node codes, proves and submits for others, and its limits."""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.units import GIB
from quire.formats.aggregator_codes import Service


@dataclass(frozen=True, slots=True)
class AggregatorSettings:
    """Prices and the bond in the smallest unit of the token.

    services       that are offered
    encode_price   for a GiB of the original
    first_percent  of the price of coding, due as soon as the result is checked; the rest is due
                   when hosts have the blocks
    prove_price    for one proof
    submit_price   for one proof in the chain
    bond           promised with each proof that is taken to be submitted
    max_bytes      the largest dataset that is coded
    jobs           of coding and proving, at work at once, of all customers
    """

    services: tuple[Service, ...] = tuple(Service)
    encode_price: int = 0
    first_percent: int = 60
    prove_price: int = 0
    submit_price: int = 0
    bond: int = 0
    max_bytes: int = 64 * GIB
    jobs: int = 16


@dataclass(frozen=True, slots=True)
class AggregatorLimits:
    """What one customer, or one peer, may have, and how long who orders has.

    customer_jobs    being worked on, or waiting to be paid
    customer_works   of coding and proving, at work at once
    unpaid_jobs      that he let end unpaid or disputed, before he has to wait
    unpaid_seconds   for how long such a job counts
    release_seconds  to check a result and pay its first part
    serve_seconds    that coded blocks are served, at most, after the first part was paid
    longest_seconds  from the accept to the deadline of a job
    """

    customer_jobs: int = 256
    customer_works: int = 8
    unpaid_jobs: int = 1
    unpaid_seconds: int = 3600
    release_seconds: int = 3600
    serve_seconds: int = 2 * 86400
    longest_seconds: int = 7 * 86400
