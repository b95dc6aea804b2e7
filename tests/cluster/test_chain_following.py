"""Following a real chain through re-organisations, restarts and lost connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from quire.chain.block import Log
from quire.chain.dev_accounts import dev_account
from quire.chain.dev_chain import DevChain, DevChainOptions
from quire.chain.follow import Stretch, follow
from quire.chain.port import Head
from support.chain_access import Access, access
from support.cut_proxy import cut_proxy
from support.local_chain import local_chain

CONTRACT = b"\xcc" * 20
TELLS = "0x60006000a0"  # each call is one log without data
SECONDS = 30.0


@dataclass
class Listener:
    logs: list[Log] = field(default_factory=list)
    head: Head | None = None
    rewinds: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, stretch: Stretch) -> None:
        if stretch.is_rewound:
            self.rewinds += 1
            self.logs = [log for log in self.logs if log.block <= stretch.after]
        self.logs += stretch.logs
        self.head = stretch.head
        self.changed.set()

    async def at(self, chain: DevChain) -> None:
        """Wait until the newest block of the chain was heard."""
        block = await chain.call("eth_getBlockByNumber", "latest", False)
        async with asyncio.timeout(SECONDS):
            while self.head is None or self.head.hash.hex() != block["hash"][2:]:
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def listening(here: Access, listener: Listener) -> AsyncIterator[Listener]:
    async def listen() -> None:
        async with aclosing(follow(here.rpc, here.heads, CONTRACT, listener.head)) as stretches:
            async for stretch in stretches:
                listener.hear(stretch)

    task = asyncio.create_task(listen())
    try:
        yield listener
    finally:
        task.cancel()
        await asyncio.wait([task])


async def tell(chain: DevChain, count: int = 1) -> None:
    transaction = {"from": dev_account(1).text, "to": f"0x{CONTRACT.hex()}", "gas": hex(50_000)}
    for _ in range(count):
        sent = await chain.call("eth_sendTransaction", transaction)
        async with asyncio.timeout(SECONDS):
            while await chain.call("eth_getTransactionReceipt", sent) is None:
                await asyncio.sleep(0.005)


async def logs_on_chain(chain: DevChain) -> list[tuple[int, str]]:
    span = {"fromBlock": "0x0", "toBlock": "latest", "address": f"0x{CONTRACT.hex()}"}
    return [
        (int(x["blockNumber"], 16), x["blockHash"]) for x in await chain.call("eth_getLogs", span)
    ]


def heard(listener: Listener) -> list[tuple[int, str]]:
    return [(log.block, f"0x{log.block_hash.hex()}") for log in listener.logs]


@asynccontextmanager
async def telling_chain(
    options: DevChainOptions = DevChainOptions(),  # noqa: B008
) -> AsyncIterator[DevChain]:
    async with local_chain(options) as chain:
        await chain.call("anvil_setCode", f"0x{CONTRACT.hex()}", TELLS)
        yield chain


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_logs_are_heard_as_they_come(scheme: str) -> None:
    async with (
        telling_chain() as chain,
        access(chain, url=f"{scheme}://127.0.0.1:{chain.port}") as here,
        listening(here, Listener()) as listener,
    ):
        await listener.at(chain)
        for _ in range(3):
            await tell(chain, 2)
            await listener.at(chain)
        assert heard(listener) == await logs_on_chain(chain)
        assert len(listener.logs) == 6
        assert listener.rewinds == 0


@pytest.mark.parametrize("depth", [1, 3, 6])
async def test_blocks_that_are_taken_back_are_told_of(depth: int) -> None:
    async with (
        telling_chain() as chain,
        access(chain) as here,
        listening(here, Listener()) as listener,
    ):
        await listener.at(chain)
        await tell(chain, 8)
        await listener.at(chain)
        await chain.rewind(depth)
        await tell(chain, 2)
        await listener.at(chain)
        assert listener.rewinds == 1
        assert heard(listener) == await logs_on_chain(chain)
        assert len(listener.logs) == 8 - depth + 2


async def test_a_chain_that_is_set_back_and_goes_another_way_is_followed() -> None:
    async with (
        telling_chain() as chain,
        access(chain) as here,
        listening(here, Listener()) as listener,
    ):
        await listener.at(chain)
        await tell(chain, 2)
        snapshot = await chain.call("evm_snapshot")
        await tell(chain, 3)
        await listener.at(chain)
        await chain.call("evm_revert", snapshot)
        await chain.mine(2)
        await tell(chain, 4)
        await listener.at(chain)
        assert listener.rewinds == 1
        assert heard(listener) == await logs_on_chain(chain)
        assert len(listener.logs) == 6


@pytest.mark.parametrize("blocks", [10, 400])
async def test_what_happened_while_nobody_listened_is_caught_up(blocks: int) -> None:
    listener = Listener()
    async with telling_chain() as chain:
        async with access(chain) as here, listening(here, listener):
            await listener.at(chain)
            await tell(chain, 1)
            await listener.at(chain)
        await tell(chain, 3)
        await chain.mine(blocks)
        await tell(chain, 3)
        async with access(chain) as here, listening(here, listener):
            await listener.at(chain)
        assert heard(listener) == await logs_on_chain(chain)
        assert len(listener.logs) == 7
        assert listener.rewinds == 0


async def test_blocks_taken_back_while_nobody_listened_are_told_of() -> None:
    listener = Listener()
    async with telling_chain() as chain:
        async with access(chain) as here, listening(here, listener):
            await listener.at(chain)
            await tell(chain, 5)
            await listener.at(chain)
        await chain.rewind(3)
        await tell(chain, 4)
        async with access(chain) as here, listening(here, listener):
            await listener.at(chain)
        assert listener.rewinds == 1
        assert heard(listener) == await logs_on_chain(chain)


async def test_the_node_of_the_chain_may_be_restarted(tmp_path: Path) -> None:
    options = DevChainOptions(state_file=tmp_path / "chain.json")
    async with (
        telling_chain(options) as chain,
        access(chain) as here,
        listening(here, Listener()) as listener,
    ):
        await listener.at(chain)
        await tell(chain, 2)
        await listener.at(chain)
        await chain.stop()
        await chain.start_again()
        await tell(chain, 2)
        await listener.at(chain)
        assert heard(listener) == await logs_on_chain(chain)
        assert len(listener.logs) == 4
        assert listener.rewinds == 0


async def test_the_node_of_the_chain_may_lose_what_it_had_not_written(tmp_path: Path) -> None:
    options = DevChainOptions(state_file=tmp_path / "chain.json")
    async with (
        telling_chain(options) as chain,
        access(chain) as here,
        listening(here, Listener()) as listener,
    ):
        await tell(chain, 2)
        await chain.stop()
        await chain.start_again()
        await tell(chain, 5)
        await listener.at(chain)
        await chain.kill()
        await chain.start_again()
        await chain.mine()
        await tell(chain, 3)
        await listener.at(chain)
        assert heard(listener) == await logs_on_chain(chain)
        assert len(listener.logs) == 5
        assert listener.rewinds == 1


async def test_connections_may_be_lost_at_any_moment() -> None:
    async with (
        telling_chain() as chain,
        cut_proxy(chain.port) as proxy,
        access(chain, url=f"ws://127.0.0.1:{proxy.port}") as here,
        listening(here, Listener()) as listener,
    ):
        await listener.at(chain)
        for turn in range(12):
            proxy.cut() if turn % 3 == 0 else proxy.drop()
            await tell(chain, 1 + turn % 2)
            if turn % 4 == 1:
                await chain.rewind(1)
            proxy.mend()
            if turn % 2:
                await listener.at(chain)
        assert heard(listener) == await logs_on_chain(chain)
        assert proxy.accepted > 4


async def test_the_clock_follows_a_chain_whose_time_is_moved() -> None:
    async with telling_chain() as chain, access(chain) as here:
        assert abs(here.clock.now() - await chain.time()) < 5
        later = here.clock.now() + 3600
        waiting = asyncio.create_task(here.clock.until(later))
        await asyncio.sleep(0)
        assert not waiting.done()
        await chain.advance(4000)
        async with asyncio.timeout(SECONDS):
            await waiting
        assert abs(here.clock.now() - await chain.time()) < 5
