"""An order that nobody has heard of yet."""

from __future__ import annotations

import random

from quire.aggregation.order import At, Order
from quire.aggregation.values import JOB_ID_BYTES, Work
from quire.chain.values import Address
from quire.services.ordering.ports import Found


def new_order(
    found: Found, work: Work, rng: random.Random, account: Address, subject: str, deadline: int
) -> Order:
    """Of this aggregator, at the offer that it made. `account` pays; `subject`: what it is for, a
    dataset or a slot; `deadline`: unix seconds of the chain."""
    return Order(
        job_id=rng.randbytes(JOB_ID_BYTES),
        at=At.FUNDING,
        peer=found.peer,
        addresses=tuple(found.addresses),
        account=account,
        subject=subject,
        offer=found.offer,
        work=work,
        deadline=deadline,
        serve_seconds=0,
    )
