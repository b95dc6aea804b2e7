"""Transactions on a real chain that withholds blocks, takes them back, or loses connections."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from quire.base.errors import InsufficientFunds, NotMined, RpcRefused
from quire.chain.dev_accounts import dev_account
from quire.chain.dev_chain import DevChain, DevChainOptions
from quire.chain.fees import GWEI, FeeSettings
from quire.chain.outgoing import GIVE_UP_BLOCKS, Transaction
from quire.chain.port import Receipt
from support.chain_access import PAY, RECIPIENT, access
from support.cut_proxy import cut_proxy
from support.local_chain import local_chain

# Runtime code that reverts with four bytes: PUSH4 deadbeef PUSH1 e0 SHL PUSH1 0 MSTORE …
REVERTS = "0x63deadbeef60e01b60005260046000fd"
# Reverts with the same when the word in storage 0 is not zero.
REVERTS_IF_SET = "0x600054600757005b63deadbeef60e01b60005260046000fd"
CONTRACT = b"\xcc" * 20


async def paid(chain: DevChain) -> int:
    return int(await chain.call("eth_getBalance", f"0x{RECIPIENT.hex()}", "latest"), 16)


async def in_pool(chain: DevChain, count: int) -> None:
    """Wait until so many transactions wait for a block."""
    async with asyncio.timeout(20):
        while int((await chain.call("txpool_status"))["pending"], 16) != count:
            await asyncio.sleep(0.01)


async def put_code(chain: DevChain, code: str) -> None:
    await chain.call("anvil_setCode", f"0x{CONTRACT.hex()}", code)


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_a_transaction_is_paid_for_and_in_a_block(scheme: str) -> None:
    async with (
        local_chain() as chain,
        access(chain, url=f"{scheme}://127.0.0.1:{chain.port}") as here,
    ):
        before = await here.sender.balance()
        receipt = await here.sender.send(PAY)
        assert await paid(chain) == PAY.value
        assert receipt.block == 1
        assert receipt.gas_used == 21000
        assert before - await here.sender.balance() == receipt.fee + PAY.value


async def test_many_are_sent_with_nonces_in_a_row_into_one_block() -> None:
    async with local_chain() as chain, access(chain) as here:
        await chain.hold()
        sending = asyncio.create_task(here.sender.send_many([PAY] * 8))
        await in_pool(chain, 8)
        await chain.mine()
        receipts = await sending
        assert [r.block for r in receipts if isinstance(r, Receipt)] == [1] * 8


async def test_what_the_contract_refuses_is_refused_before_it_is_sent() -> None:
    async with local_chain() as chain, access(chain) as here:
        await put_code(chain, REVERTS)
        with pytest.raises(RpcRefused) as caught:
            await here.sender.send(Transaction(CONTRACT))
        assert caught.value.data == bytes.fromhex("deadbeef")
        assert await chain.call("eth_getTransactionCount", dev_account(0).text, "pending") == "0x0"


async def test_one_that_cannot_be_does_not_keep_the_others_from_being_sent() -> None:
    async with local_chain() as chain, access(chain) as here:
        await put_code(chain, REVERTS)
        outcomes = await here.sender.send_many([PAY, Transaction(CONTRACT), PAY])
        assert [type(outcome) for outcome in outcomes] == [Receipt, RpcRefused, Receipt]
        assert await paid(chain) == 2 * PAY.value


async def test_the_reason_of_one_that_failed_in_its_block_is_found() -> None:
    async with local_chain() as chain, access(chain) as here:
        await put_code(chain, REVERTS_IF_SET)
        await chain.hold()
        sending = asyncio.create_task(here.sender.send(Transaction(CONTRACT, gas_percent=200)))
        await in_pool(chain, 1)
        await chain.call("anvil_setStorageAt", f"0x{CONTRACT.hex()}", "0x0", f"0x{1:064x}")
        await chain.mine()
        with pytest.raises(RpcRefused) as caught:
            await sending
        assert caught.value.data == bytes.fromhex("deadbeef")


async def test_an_account_without_gas_money_is_told_the_numbers() -> None:
    async with local_chain() as chain, access(chain) as here:
        await chain.call("anvil_setBalance", dev_account(0).text, hex(1000))
        with pytest.raises(
            InsufficientFunds, match=r"has 1000 wei.*21000 gas.* wei more"
        ) as caught:
            await here.sender.send(Transaction(RECIPIENT))
        assert caught.value.facts["balance"] == 1000


async def test_one_that_no_block_takes_is_replaced_by_one_that_offers_more() -> None:
    """The chain asks more than its first offer: it is taken as soon as the offer was raised."""
    async with local_chain() as chain, access(chain) as here:
        await chain.hold()
        sending = asyncio.create_task(here.sender.send(PAY))
        await in_pool(chain, 1)
        # From now on blocks hold nothing that offers less than 3 gwei.
        await chain.call("anvil_setNextBlockBaseFeePerGas", hex(20 * GWEI))
        blocks = 0
        while not sending.done() and blocks < GIVE_UP_BLOCKS:
            await chain.mine()
            blocks += 1
            await asyncio.sleep(0.05)
            await chain.call("anvil_setNextBlockBaseFeePerGas", hex(20 * GWEI))
        receipt = await sending
        assert receipt.fee >= 20 * GWEI * 21000
        assert await chain.call("eth_getTransactionCount", dev_account(0).text, "latest") == "0x1"
        assert await paid(chain) == PAY.value


async def test_after_fifty_blocks_it_is_given_up_and_the_next_one_goes_through() -> None:
    dear = FeeSettings(max_fee=3 * GWEI)
    async with local_chain() as chain, access(chain, fees=dear) as here:
        await chain.hold()
        sending = asyncio.create_task(here.sender.send(PAY))
        await in_pool(chain, 1)
        await chain.call("anvil_dropAllTransactions")
        async with asyncio.timeout(60):
            while not sending.done():
                await chain.call("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
                await chain.mine()
                await asyncio.sleep(0.01)
        with pytest.raises(NotMined, match=f"none of {GIVE_UP_BLOCKS} blocks"):
            await sending
        await chain.call("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        await chain.mine()
        await chain.call("evm_setAutomine", True)
        await here.sender.send(PAY)


async def test_transactions_of_blocks_that_were_taken_back_are_sent_again() -> None:
    async with local_chain() as chain, access(chain) as here:
        for _ in range(4):
            await here.sender.send(PAY)
        await chain.hold()
        await chain.call("anvil_reorg", 3, [])
        await in_pool(chain, 3)
        await chain.mine()
        assert await paid(chain) == 4 * PAY.value


async def test_transactions_that_the_node_of_the_chain_lost_are_sent_again(tmp_path: Path) -> None:
    options = DevChainOptions(state_file=tmp_path / "chain.json")
    async with local_chain(options) as chain, access(chain) as here:
        await here.sender.send(PAY)
        await chain.stop()
        await chain.start_again()
        for _ in range(3):
            await here.sender.send(PAY)
        await chain.kill()
        await chain.start_again()
        await chain.mine()
        async with asyncio.timeout(30):
            while await paid(chain) < 4 * PAY.value:
                await asyncio.sleep(0.02)
        await here.sender.send(PAY)
        assert await paid(chain) == 5 * PAY.value


async def test_with_a_depth_a_transaction_counts_when_so_many_blocks_follow() -> None:
    async with local_chain() as chain, access(chain, depth=2) as here:
        sending = asyncio.create_task(here.sender.send(PAY))
        async with asyncio.timeout(20):
            while await chain.block_number() < 1:
                await asyncio.sleep(0.01)
        await chain.call("anvil_reorg", 1, [])
        async with asyncio.timeout(20):
            while not sending.done():
                await chain.mine()
                await asyncio.sleep(0.01)
        receipt = await sending
        assert 0 < receipt.block <= await chain.block_number() - 2
        assert await paid(chain) == PAY.value


async def test_another_program_may_use_the_account_at_the_same_time() -> None:
    other = Transaction(RECIPIENT, value=7)
    async with local_chain() as chain, access(chain) as here, access(chain) as there:
        receipts = await asyncio.gather(
            *(here.sender.send(PAY) for _ in range(4)),
            *(there.sender.send(other) for _ in range(4)),
        )
        assert len({receipt.hash for receipt in receipts}) == 8
        assert await paid(chain) == 4 * PAY.value + 4 * other.value


async def test_a_connection_that_is_cut_does_not_send_a_transaction_twice() -> None:
    async with (
        local_chain() as chain,
        cut_proxy(chain.port) as proxy,
        access(chain, url=f"ws://127.0.0.1:{proxy.port}") as here,
    ):
        for _ in range(5):
            sending = asyncio.create_task(here.sender.send(PAY))
            await asyncio.sleep(0)
            proxy.drop()
            await sending
        assert await paid(chain) == 5 * PAY.value


async def test_a_transaction_waits_for_a_node_that_comes_back() -> None:
    async with (
        local_chain() as chain,
        cut_proxy(chain.port) as proxy,
        access(chain, url=f"ws://127.0.0.1:{proxy.port}") as here,
    ):
        proxy.cut()
        before = proxy.accepted
        sending = asyncio.create_task(here.sender.send(PAY))
        async with asyncio.timeout(20):
            while proxy.accepted < before + 2:
                await asyncio.sleep(0.01)
        proxy.mend()
        await sending
        assert await paid(chain) == PAY.value


async def test_what_is_sent_is_what_web3_would_send() -> None:
    """The fees, the nonce, the gas and the type, and how the node reads all fields."""
    async with local_chain() as chain, access(chain) as here:
        await put_code(chain, "0x00")
        await chain.hold()
        call = Transaction(CONTRACT, bytes(range(100)), value=7)
        sending = asyncio.create_task(here.sender.send(call))
        await in_pool(chain, 1)
        (pool,) = (await chain.call("txpool_content"))["pending"].values()
        (told,) = pool.values()
        loop = asyncio.get_running_loop()
        wanted = await loop.run_in_executor(None, filled_by_web3, chain.port, call)
        assert told["type"] == "0x2"
        assert told["input"] == f"0x{call.data.hex()}"
        names = ("from", "to", "value", "gas", "maxFeePerGas", "maxPriorityFeePerGas", "chainId")
        assert {name: number(told[name]) for name in names} == {
            name: number(wanted[name]) for name in names
        }
        await chain.mine()
        assert (await sending).block == 1


def filled_by_web3(port: int, call: Transaction) -> dict[str, object]:
    from web3 import HTTPProvider, Web3
    from web3._utils.transactions import fill_transaction_defaults

    web3 = Web3(HTTPProvider(f"http://127.0.0.1:{port}"))
    shape = {
        "from": dev_account(0).text,
        "to": Web3.to_checksum_address(call.to),
        "data": call.data,
        "value": call.value,
    }
    fees = {"maxPriorityFeePerGas": GWEI, "gas": web3.eth.estimate_gas(shape)}
    return dict(fill_transaction_defaults(web3, shape | fees))


def number(value: object) -> int:
    return int(value, 16) if isinstance(value, str) else int(str(value))
