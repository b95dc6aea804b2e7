"""Of two orders that bring the same proof at the same time one is paid."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quire.aggregation.order import At, Good
from quire.aggregation.values import ProveWork, Service
from quire.base.clock import SystemClock
from quire.base.errors import Refused
from quire.base.waits import Waits
from quire.services.ordering.proof_orders import ProofOrders
from support.aggregator_messages import WORD, an_order
from support.machine_kit import LoopChainClock

FIRST = an_order(Service.PROVE, At.CHECKING)
SECOND = replace(FIRST, job_id=bytes(16))
OTHER = replace(SECOND, work=ProveWork(WORD, bytes(96) + WORD))


def handler(*others) -> ProofOrders:
    clock = SystemClock()
    return ProofOrders(
        WORD, lambda _public, _proof: True, LoopChainClock(clock), clock, Waits(clock),
        others=lambda: others,
    )  # fmt: skip


async def test_the_second_good_proof_of_a_claim_is_not_used() -> None:
    orders = handler()
    assert isinstance(await orders.check(FIRST), Good)
    with pytest.raises(Refused, match="another aggregator was quicker"):
        await orders.check(SECOND)
    assert isinstance(await orders.check(FIRST), Good)  # asked again, as after a crash
    assert isinstance(await orders.check(OTHER), Good)


async def test_nor_is_it_after_a_restart() -> None:
    orders = handler(replace(FIRST, at=At.PAYING))
    with pytest.raises(Refused, match="another aggregator was quicker"):
        await orders.check(SECOND)
    orders = handler(replace(FIRST, at=At.SETTLED, paid=1))
    with pytest.raises(Refused, match="another aggregator was quicker"):
        await orders.check(SECOND)
    assert isinstance(await handler(replace(FIRST, at=At.CANCELLED)).check(SECOND), Good)
