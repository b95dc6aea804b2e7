"""What is done about a transaction, from what each look at the chain finds."""

from __future__ import annotations

import asyncio

from quire.chain.fees import DynamicFees
from quire.chain.outgoing import GIVE_UP_BLOCKS, KEPT_BLOCKS, Next, Outgoing, Transaction
from quire.chain.port import Receipt
from quire.chain.receipt import Mined


def outgoing(at: int = 100) -> Outgoing:
    loop = asyncio.get_running_loop()
    to = Transaction(b"\x11" * 20, value=7)
    return Outgoing(to, 0, 1000, DynamicFees(5, 1), [], at, loop.create_future())


def mined(block: int) -> Mined:
    return Mined(Receipt(b"\x01" * 32, block, 900), has_succeeded=True)


async def test_it_is_settled_when_it_is_deep_enough() -> None:
    one = outgoing()
    assert one.seen(mined(101), 101, depth=2) is Next.WAIT
    assert one.seen(mined(101), 102, depth=2) is Next.WAIT
    assert one.seen(mined(101), 103, depth=2) is Next.SETTLE


async def test_it_is_replaced_after_three_blocks_and_again_three_blocks_later() -> None:
    one = outgoing()
    found = []
    for newest in range(100, 110):
        found.append(one.seen(None, newest, 0))
        if found[-1] is Next.REPLACE:
            one.blocks_offered = 0
    assert [n for n, what in enumerate(found) if what is Next.REPLACE] == [3, 6, 9]
    assert {what for what in found if what is not Next.REPLACE} == {Next.WAIT}


async def test_it_is_given_up_after_fifty_blocks() -> None:
    one = outgoing()
    for newest in range(101, 100 + GIVE_UP_BLOCKS):
        assert one.seen(None, newest, 0) is not Next.GIVE_UP
    assert one.seen(None, 100 + GIVE_UP_BLOCKS, 0) is Next.GIVE_UP


async def test_many_blocks_in_a_moment_count_as_one() -> None:
    one = outgoing()
    assert one.seen(None, 100, 0) is Next.WAIT
    assert one.seen(None, 400, 0) is Next.WAIT
    assert one.seen(None, 400, 0) is Next.WAIT
    assert one.seen(mined(401), 401, 0) is Next.SETTLE


async def test_one_whose_block_was_taken_back_is_sent_again_and_has_time_anew() -> None:
    one = outgoing()
    assert one.seen(mined(101), 101, 0) is Next.SETTLE
    one.done.set_result(mined(101))
    assert one.seen(None, 140, 0) is Next.SEND_AGAIN
    assert one.seen(None, 141, 0) is Next.WAIT
    assert one.seen(mined(142), 142, 0) is Next.WAIT


async def test_it_is_kept_until_no_reorganisation_reaches_it() -> None:
    one = outgoing()
    one.seen(mined(101), 101, 0)
    one.done.set_result(mined(101))
    assert not one.is_over(101 + KEPT_BLOCKS)
    assert one.is_over(102 + KEPT_BLOCKS)


async def test_what_it_may_cost_is_promised_until_it_is_paid() -> None:
    one = outgoing()
    assert one.most_wei == 1000 * 5 + 7
    one.seen(mined(101), 101, 0)
    assert one.most_wei == 0
