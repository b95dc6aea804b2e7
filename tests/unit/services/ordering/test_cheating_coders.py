"""Whatever an aggregator says that is not so is found, and not paid: the sum of all vouchers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from quire.aggregation.order import At
from quire.aggregation.receipt import decode_receipt
from quire.base.errors import Refused
from quire.formats.aggregator import AggregatorAnswer
from quire.formats.aggregator_codes import Code, Reason, Stage
from quire.services.aggregating.jobs import bill_key
from quire.services.ordering import served_blocks
from quire.services.ordering.encoding import EncodeTerms
from quire.sim.liar import LIES
from support.encoding_nodes import CLIENT_KEY, Town, lying, town

TERMS = EncodeTerms(4, 2)
SIZE = 50 * 4096 - 7
FOUND = {
    "parity": Reason.PARITY,
    "leaf": Reason.LEAVES,
    "tree root": Reason.TREE_ROOT,
    "slot root": Reason.SLOT_ROOT,
    "verify root": Reason.VERIFY_ROOT,
    "digest": Reason.DIGEST,
    "parameters": Reason.PARAMETERS,
    "foreign order": Reason.SIGNATURE,
    "foreign customer": Reason.SIGNATURE,
    "foreign offer": Reason.SIGNATURE,
    "foreign dataset": Reason.PARAMETERS,
    "short list": Reason.PARAMETERS,
}


def in_town(directory: Path, main: Callable[[Town], Awaitable[None]]) -> None:
    async def run() -> None:
        async with town(directory) as it, asyncio.timeout(60):
            await main(it)

    asyncio.run(run())


async def cheated(it: Town, reason: Reason) -> None:
    """Order, and see that it was found and cost nothing."""
    (coder,) = it.coders
    with pytest.raises(Refused, match="coded by nobody"):
        await it.encoding.encode(await it.dataset(SIZE, seed=len(it.orders.all())), TERMS)
    order = await it.until_told(it.orders.all()[-1].key)
    assert (order.at, order.reason) == (At.CHEATED, reason)
    assert order.paid == order.cost == 0
    assert it.promised(coder) == 0
    assert it.aggregators.shuns(coder.peer)
    job = it.job(coder, order.key)
    assert job.at is Stage.DISPUTED
    assert job.reason is reason


def test_every_lie_has_its_reason() -> None:
    assert FOUND.keys() == LIES.keys()


@pytest.mark.parametrize("lie", FOUND)
def test_a_lie_is_found_and_not_paid(tmp_path: Path, lie: str) -> None:
    async def main(it: Town) -> None:
        lying(lie)(it.coders[0])
        await cheated(it, FOUND[lie])

    in_town(tmp_path, main)


def test_a_receipt_signed_by_somebody_else_is_found_and_not_paid(tmp_path: Path) -> None:
    async def main(it: Town) -> None:
        lying("", CLIENT_KEY)(it.coders[0])
        await cheated(it, Reason.SIGNATURE)

    in_town(tmp_path, main)


def test_a_stale_receipt_is_found_and_not_paid(tmp_path: Path) -> None:
    """The first order is good, and paid; its receipt, told for the next one too, is not."""

    async def main(it: Town) -> None:
        (coder,) = it.coders
        lying("", is_stale=True)(coder)
        cid = await it.dataset(SIZE)
        encoded = await it.encoding.encode(cid, TERMS)
        (first,) = it.orders.all()
        await it.until(first.key, At.SERVING)
        it.encoding.hosts_have(encoded)
        price = (await it.until_told(first.key)).cost
        assert it.promised(coder) == price > 0
        with pytest.raises(Refused, match="the receipt is that of the order"):
            await it.encoding.encode(cid, TERMS)
        second = await it.until_told(it.orders.all()[-1].key)
        assert (second.at, second.reason) == (At.CHEATED, Reason.SIGNATURE)
        assert it.promised(coder) == price

    in_town(tmp_path, main)


async def withhold(it: Town, key: str) -> None:
    """What was coded for an order is not there any more."""
    store = it.coders[0].node.store
    encoded = decode_receipt(it.orders.get(key).result).encoded
    await store.delete(encoded)
    await store.reclaimed()


def test_blocks_that_are_withheld_after_the_payment_cost_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served_blocks, "SAMPLE_SECONDS", 1.0)
    monkeypatch.setattr(served_blocks, "PAUSE_SECONDS", 0.01)

    async def main(it: Town) -> None:
        (coder,) = it.coders
        await it.encoding.encode(await it.dataset(SIZE), TERMS)
        (order,) = it.orders.all()
        await it.until(order.key, At.SERVING)
        await withhold(it, order.key)
        it.encoding.not_needed(order.key)
        ended = await it.until_told(order.key)
        assert (ended.at, ended.reason, ended.paid) == (At.WITHHELD, Reason.WITHHELD, 1)
        offer = order.offer.offer
        assert it.promised(coder) == offer.price_first < offer.price
        assert it.job(coder, order.key).at is Stage.DISPUTED
        assert coder.retail.income.due(it.client.hub.account) == 0

    in_town(tmp_path, main)


def test_hosts_that_have_the_blocks_are_proof_enough_that_they_were_served(tmp_path: Path) -> None:
    async def main(it: Town) -> None:
        encoded = await it.encoding.encode(await it.dataset(SIZE), TERMS)
        (order,) = it.orders.all()
        await it.until(order.key, At.SERVING)
        it.encoding.hosts_have(encoded)
        await withhold(it, order.key)
        assert (await it.until_told(order.key)).at is At.SETTLED

    in_town(tmp_path, main)


def test_who_bills_twice_and_never_has_enough_gets_the_price_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It bills every part again under other names, and says UNPAID to every release."""
    monkeypatch.setattr("quire.services.ordering.order_work.RELEASE_PAUSE_SECONDS", 0.001)

    async def main(it: Town) -> None:
        (coder,) = it.coders
        account, income = it.client.hub.account, coder.retail.income
        aggregator = coder.aggregation.aggregator
        assert aggregator is not None
        asked: list[int] = []

        async def greedy(job: object, part: int) -> AggregatorAnswer:
            asked.append(part)
            await income.bill(account, bill_key(bytes(16), len(asked)), 1000)
            return AggregatorAnswer(Code.UNPAID, "more")

        monkeypatch.setattr(aggregator._releasing, "release", greedy)
        encoded = await it.encoding.encode(await it.dataset(SIZE), TERMS)
        (order,) = it.orders.all()
        await it.until(order.key, At.SERVING)
        it.encoding.hosts_have(encoded)
        ended = await it.until_told(order.key)
        assert ended.at is At.SETTLED
        assert sorted(set(asked)) == [0, 1]
        assert len(asked) > 2
        assert it.promised(coder) == ended.offer.offer.price == ended.cost

    in_town(tmp_path, main)
