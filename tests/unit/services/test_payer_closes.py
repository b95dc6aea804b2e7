import asyncio

import pytest

from quire.base.errors import (
    ChannelTooSmall,
)
from quire.chain.hub import CHALLENGE_SECONDS
from quire.channels.channel import At
from support.machine_kit import in_virtual_time
from support.pay_kit import PAYEE, TOKENS, Town, a_hub_world


def in_town(story, **options):
    """Run a story in a town in virtual time."""

    async def main(clock):
        world = a_hub_world(tokens=options.pop("tokens", TOKENS))
        async with Town(clock, world, **options) as town:
            return await story(town)

    return in_virtual_time(main)


def test_a_channel_is_closed_and_what_is_left_comes_back_after_the_challenge():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.pay("a/0", 10)
        await town.payer.close(PAYEE)
        await asyncio.sleep(1)
        assert town.payer.channel(PAYEE).at is At.CHALLENGE
        assert await town.payer.room(PAYEE) == 0
        with pytest.raises(ChannelTooSmall):
            await town.pay("a/1", 10)
        await town.claiming.look()
        town.pass_time(CHALLENGE_SECONDS)
        await asyncio.sleep(30)
        assert town.payer.channel(PAYEE).at is At.RELEASED
        assert await town.payer_hub.balance() == 390
        assert await town.payee_hub.balance() == 10

    in_town(story)


def test_a_channel_that_closes_and_is_needed_again_is_topped_up_which_ends_the_close():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.payer.close(PAYEE)
        await asyncio.sleep(1)
        await town.payer.fund(PAYEE, 100)
        assert (await town.channel()).close_at == 0
        assert await town.pay("a/0", 10) == 10

    in_town(story)


def test_a_released_channel_goes_on_with_its_sums():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.pay("a/0", 10)
        await town.payer.close(PAYEE)
        await asyncio.sleep(1)
        town.pass_time(CHALLENGE_SECONDS)
        await asyncio.sleep(30)
        assert await town.payee_hub.balance() == 0  # nobody watched: what was promised is owed
        await town.payer.fund(PAYEE, 20)
        assert await town.pay("a/1", 20) == 30
        assert await town.claiming.claim_all() == 30

    in_town(story)


def test_a_journal_that_was_set_back_to_a_close_does_not_end_a_later_one():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.payer.close(PAYEE)
        await asyncio.sleep(1)
        old = town.payer_journal.reopened()
        await town.payer.fund(PAYEE, 100)
        town.pass_time(CHALLENGE_SECONDS)
        await town.payer.close(PAYEE)
        await asyncio.sleep(1)
        await town.restart_payer(old)
        await asyncio.sleep(30)
        assert town.payer.channel(PAYEE).at is At.CHALLENGE
        town.pass_time(CHALLENGE_SECONDS)
        await asyncio.sleep(30)
        assert town.payer.channel(PAYEE).at is At.RELEASED
        assert await town.payer_hub.balance() == 400

    in_town(story)
