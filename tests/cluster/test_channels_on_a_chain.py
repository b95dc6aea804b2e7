"""Payment channels on the real contract: the scenes, and two nodes that pay each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from quire.base.clock import SystemClock
from quire.base.errors import VoucherRefused
from quire.chain.abi import address_text
from quire.chain.deploy import Deployment
from quire.chain.deployment import DEPLOYER
from quire.chain.dev_accounts import dev_account
from quire.chain.dev_chain import DevChain, DevChainOptions
from quire.chain.evm.opening import MarketSettings, OpenMarket, open_market
from quire.chain.wallet import Wallet
from quire.channels.voucher import Voucher
from support import channel_scenes
from support.live import live_node, memory_network
from support.local_chain import deployed_chain
from support.pay_kit import Town
from support.retail_nodes import connect_nodes

PAYER, PAYEE = dev_account(1), dev_account(2)
BURNT = bytes(19) + b"\x01"
# Contracts that answer everything with the yes of ERC-1271, and with nothing.
SAYS_YES = bytes.fromhex("631626ba7e60e01b5f5260205ff3")
SAYS_NO = bytes.fromhex("5f5ff3")


@asynccontextmanager
async def a_chain(directory: Path) -> AsyncIterator[tuple[DevChain, Deployment]]:
    async with deployed_chain(options=DevChainOptions(state_file=directory / "chain.json")) as both:
        yield both


@asynccontextmanager
async def a_town(chain: DevChain, deployment: Deployment) -> AsyncIterator[Town]:
    settings = MarketSettings(
        chain.url, address_text(deployment.marketplace), hub=address_text(deployment.hub)
    )
    opened: list[OpenMarket] = []
    try:
        opened.append(await open_market(settings, Wallet(PAYER.key), SystemClock()))
        opened.append(await open_market(settings, Wallet(PAYEE.key), SystemClock()))
        hubs = (opened[0].hub, opened[1].hub)
        async with Town(SystemClock(), None, hubs=hubs, payer_key=PAYER.key) as town:
            yield town
    finally:
        for each in opened:
            await each.stop()


async def transfer(chain: DevChain, token: bytes, sender: bytes, to: bytes, amount: int) -> None:
    """Tokens, by an account that the chain signs for."""
    data = bytes.fromhex("a9059cbb") + to.rjust(32, b"\0") + amount.to_bytes(32, "big")
    call = {"from": address_text(sender), "to": address_text(token), "data": f"0x{data.hex()}"}
    await chain.call("eth_sendTransaction", call)


async def test_an_exhausted_channel_is_topped_up_once_and_every_bill_is_paid(tmp_path):
    async with a_chain(tmp_path) as (chain, deployment), a_town(chain, deployment) as town:
        await channel_scenes.exhausted(town)


async def test_an_empty_wallet_stops_paying_until_there_is_money(tmp_path):
    async with a_chain(tmp_path) as (chain, deployment), a_town(chain, deployment) as town:

        async def send_tokens(amount):
            giver, taker = PAYER.address, BURNT
            if amount > 0:
                giver, taker = DEPLOYER, PAYER.address
            await transfer(chain, deployment.token, giver, taker, abs(amount))

        await channel_scenes.without_money(town, send_tokens)


async def test_old_vouchers_revert_the_newest_is_paid_and_the_rest_comes_back(tmp_path):
    async with a_chain(tmp_path) as (chain, deployment), a_town(chain, deployment) as town:

        async def pass_time(seconds):
            close_at = (await town.channel()).close_at
            await chain.warp(close_at)

        await channel_scenes.replay_and_close(town, PAYER.key, pass_time)


async def test_a_contract_signs_vouchers_as_it_likes(tmp_path):
    async with a_chain(tmp_path) as (chain, deployment), a_town(chain, deployment) as town:
        payee, payer = town.payee, PAYER.address
        await town.payer.fund(PAYEE.address, 100)
        voucher = Voucher(payer, PAYEE.address, 70, b"whatever it likes")
        with pytest.raises(VoucherRefused):
            await payee.take(voucher)
        await chain.call("anvil_setCode", address_text(payer), f"0x{SAYS_YES.hex()}")
        assert await payee.take(voucher) == 70
        assert await town.claiming.claim_all() == 70
        await chain.call("anvil_setCode", address_text(payer), f"0x{SAYS_NO.hex()}")
        with pytest.raises(VoucherRefused):
            await payee.take(Voucher(payer, PAYEE.address, 80, b"whatever it likes"))


async def test_two_nodes_pay_each_other_through_the_contract(tmp_path):
    async with a_chain(tmp_path) as (chain, deployment):
        network = memory_network()

        def flags(name, account):
            key = tmp_path / f"{name}.key"
            key.write_text(account.key.hex())
            key.chmod(0o600)
            return {
                "eth_provider": chain.url,
                "eth_private_key": str(key),
                "marketplace_address": address_text(deployment.marketplace),
                "hub_address": address_text(deployment.hub),
            }

        one_flags, two_flags = flags("one", PAYER), flags("two", PAYEE)
        async with (
            live_node(tmp_path / "one", network, **one_flags) as (one, url),
            live_node(tmp_path / "two", network, **two_flags) as (two, _),
        ):
            await connect_nodes(url, two)
            ours, theirs = one.retail, two.retail
            await asyncio.gather(
                ours.payments.fund(PAYEE.address, 100), theirs.payments.fund(PAYER.address, 70)
            )
            peer, other = two.transport.peer_id, one.transport.peer_id
            for number in range(4):
                await asyncio.gather(
                    ours.payments.pay(f"a/{number}", peer, PAYEE.address, 100),
                    theirs.payments.pay(f"b/{number}", other, PAYER.address, 70),
                )
            assert theirs.income.account(PAYER.address).received == 400
            assert ours.income.account(PAYEE.address).received == 280
            assert await theirs.claiming.claim_all() == 400
            assert await ours.claiming.claim_all() == 280
            assert (await ours.hub.balance(), await theirs.hub.balance()) == (280, 400)
