"""Sending transactions to a node that refuses, forgets, or takes them late: in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from quire.base.errors import ChainUnreachable, InsufficientFunds, NotMined, QuireError, RpcRefused
from quire.chain.fees import FeeSettings
from quire.chain.heads import Heads
from quire.chain.outgoing import GIVE_UP_BLOCKS, Transaction
from quire.chain.port import Receipt
from quire.chain.sender import Sender
from quire.chain.wallet import Wallet
from quire.sim.loop import SimLoop, run
from support.fake_account import FakeAccountNode

PAY = Transaction(b"\x99" * 20, value=5)
SETTINGS = FeeSettings(max_priority_fee=2, max_fee=1000)
FIRST_PRICE = 22  # twice the base fee and the tip


def scenario(
    node: FakeAccountNode, play: Callable[[Sender, FakeAccountNode], Awaitable[None]]
) -> None:
    async def main() -> None:
        heads = Heads(node)
        await heads.start()
        sender = Sender(node, heads, Wallet(b"\x46" * 32), 1, SETTINGS)
        await sender.start()
        try:
            await play(sender, node)
        finally:
            await sender.stop()
            await heads.stop()

    loop = SimLoop(random.Random(1))
    run(loop, main())
    assert loop.failures == []


async def blocks(node: FakeAccountNode, count: int = 1) -> None:
    """So many, each with time to do something about it."""
    for _ in range(count):
        node.mine()
        await asyncio.sleep(1)


def sending(sender: Sender, count: int = 1) -> asyncio.Task[list[Receipt | QuireError]]:
    return asyncio.create_task(sender.send_many([PAY] * count))


def test_a_chain_without_a_base_fee_gets_transactions_of_the_older_kind() -> None:
    async def play(sender: Sender, node: FakeAccountNode) -> None:
        task = sending(sender, 2)
        await asyncio.sleep(1)
        await blocks(node)
        assert [isinstance(one, Receipt) for one in await task] == [True, True]
        assert [(sent.nonce, sent.price, sent.is_dynamic) for sent in node.mined] == [
            (0, 30, False),
            (1, 30, False),
        ]

    scenario(FakeAccountNode(base_fee=None), play)


@pytest.mark.parametrize("base_fee", [10, None])
def test_every_three_blocks_an_eighth_more_is_offered(base_fee: int | None) -> None:
    async def play(sender: Sender, node: FakeAccountNode) -> None:
        node.floor = 60
        task = sending(sender)
        await asyncio.sleep(1)
        await blocks(node, 30)
        (receipt,) = await task
        assert isinstance(receipt, Receipt)
        prices = [sent.price for sent in node.handed]
        assert {sent.nonce for sent in node.handed} == {0}
        assert all(new * 8 >= old * 9 for old, new in pairwise(prices))
        assert prices[-2] < node.floor <= prices[-1]
        assert receipt.block == 3 * (len(prices) - 1) + 1
        assert len(node.mined) == 1

    scenario(FakeAccountNode(base_fee=base_fee), play)


def test_no_more_than_the_greatest_fee_is_offered_and_in_the_end_it_is_given_up() -> None:
    async def play(sender: Sender, node: FakeAccountNode) -> None:
        node.floor = 10**9
        task = sending(sender)
        await asyncio.sleep(1)
        await blocks(node, GIVE_UP_BLOCKS - 1)
        assert not task.done()
        await blocks(node)
        (outcome,) = await task
        assert isinstance(outcome, NotMined)
        assert max(sent.price for sent in node.handed) <= SETTINGS.max_fee

    scenario(FakeAccountNode(), play)


def test_a_nonce_that_another_program_used_is_passed_over() -> None:
    async def play(sender: Sender, node: FakeAccountNode) -> None:
        node.refuse = ["nonce too low", "replacement transaction underpriced", None]
        task = sending(sender)
        await asyncio.sleep(1)
        await blocks(node)
        assert [sent.nonce for sent in node.handed] == [2]
        assert not task.done() or await task

    scenario(FakeAccountNode(), play)


def test_one_whose_nonce_another_transaction_took_is_told_of() -> None:
    async def play(sender: Sender, node: FakeAccountNode) -> None:
        task = sending(sender)
        await asyncio.sleep(1)
        other = node.pool.pop(0)
        node.blocks[-1].append(type(other)("0xother", 0, 1, is_dynamic=True))
        await blocks(node, 4)
        (outcome,) = await task
        assert isinstance(outcome, NotMined)
        assert "took its nonce" in outcome.message

    scenario(FakeAccountNode(), play)


def test_an_offer_that_is_too_low_already_is_raised_at_once() -> None:
    async def play(sender: Sender, node: FakeAccountNode) -> None:
        node.refuse = ["max fee per gas less than block base fee", "transaction underpriced"]
        task = sending(sender)
        await asyncio.sleep(1)
        await blocks(node)
        assert isinstance((await task)[0], Receipt)
        assert node.mined[0].price > FIRST_PRICE * 9 * 9 // 64

    scenario(FakeAccountNode(), play)


@pytest.mark.parametrize(
    ("words", "error"),
    [("insufficient funds for gas * price + value", InsufficientFunds), ("no thanks", RpcRefused)],
)
def test_what_a_node_will_not_take_is_told_at_once(words: str, error: type[QuireError]) -> None:
    async def play(sender: Sender, node: FakeAccountNode) -> None:
        node.refuse = [words]
        with pytest.raises(error, match=words.split(" *", maxsplit=1)[0]):
            await sender.send(PAY)
        task = sending(sender)  # its nonce is free for the next one
        await asyncio.sleep(1)
        await blocks(node)
        assert [sent.nonce for sent in node.mined] == [0]
        await task

    scenario(FakeAccountNode(), play)


def test_nothing_is_sent_that_cannot_be_paid_for_together_with_what_is_on_its_way() -> None:
    async def play(sender: Sender, node: FakeAccountNode) -> None:
        cost = 1000 * FIRST_PRICE + PAY.value
        node.balance = 2 * cost + 3
        task = sending(sender, 3)
        await asyncio.sleep(1)
        await blocks(node)
        first, second, third = await task
        assert isinstance(first, Receipt)
        assert isinstance(second, Receipt)
        assert isinstance(third, InsufficientFunds)
        assert f"send it {cost - 3} wei more" in third.message
        assert len(node.handed) == 2

    scenario(FakeAccountNode(), play)


def test_transactions_whose_blocks_were_taken_back_are_sent_again_though_nobody_waits() -> None:
    async def play(sender: Sender, node: FakeAccountNode) -> None:
        for _ in range(3):
            task = sending(sender)
            await asyncio.sleep(1)
            await blocks(node)
            await task
        node.take_back(2)
        await asyncio.sleep(1)
        assert sorted(node.pool) == [1, 2]
        await blocks(node)
        assert [sent.nonce for sent in node.mined] == [0, 1, 2]

    scenario(FakeAccountNode(), play)


def test_one_that_a_node_forgot_is_told_to_it_again_before_later_ones_get_stuck() -> None:
    async def play(sender: Sender, node: FakeAccountNode) -> None:
        task = sending(sender, 2)
        await asyncio.sleep(1)
        node.pool.clear()
        later = sending(sender)
        await asyncio.sleep(1)
        assert sorted(node.pool) == [2]
        node.floor = 10**9
        await blocks(node, 3)
        node.floor = 0
        await blocks(node)
        assert [sent.nonce for sent in node.mined] == [2, 0, 1]
        assert all(isinstance(one, Receipt) for one in [*await task, *await later])

    scenario(FakeAccountNode(), play)


def test_an_answer_that_is_lost_leaves_the_nonce_to_what_the_node_says() -> None:
    async def play(sender: Sender, node: FakeAccountNode) -> None:
        node.lose = 1
        with pytest.raises(ChainUnreachable):
            await sender.send(PAY)
        task = sending(sender)
        await asyncio.sleep(1)
        await blocks(node)
        assert isinstance((await task)[0], Receipt)
        assert [sent.nonce for sent in node.mined] == [0, 1]

    scenario(FakeAccountNode(), play)


def test_who_stops_waiting_does_not_stop_the_transaction() -> None:
    async def play(sender: Sender, node: FakeAccountNode) -> None:
        node.floor = 60
        task = sending(sender)
        await asyncio.sleep(1)
        task.cancel()
        await blocks(node, 30)
        assert len(node.mined) == 1

    scenario(FakeAccountNode(), play)
