"""Scenarios 9 and 15 of the retail layer on a hub in memory, to the token."""

from __future__ import annotations

from support import channel_scenes
from support.machine_kit import in_virtual_time
from support.pay_kit import PAYER, PAYER_KEY, Town, a_hub_world


def test_an_exhausted_channel_is_topped_up_once_and_every_bill_is_paid():
    async def main(clock):
        async with Town(clock, a_hub_world()) as town:
            await channel_scenes.exhausted(town)

    in_virtual_time(main)


def test_an_empty_wallet_stops_paying_until_there_is_money():
    async def main(clock):
        world = a_hub_world()

        async def send_tokens(amount):
            world.state.tokens[PAYER] += amount

        async with Town(clock, world) as town:
            await channel_scenes.without_money(town, send_tokens)

    in_virtual_time(main)


def test_old_vouchers_revert_the_newest_is_paid_and_the_rest_comes_back():
    async def main(clock):
        async with Town(clock, a_hub_world()) as town:

            async def pass_time(seconds):
                town.pass_time(seconds)

            await channel_scenes.replay_and_close(town, PAYER_KEY, pass_time)

    in_virtual_time(main)
