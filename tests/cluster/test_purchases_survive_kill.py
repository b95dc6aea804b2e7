"""A client that is killed in any state, or whose chain takes blocks back, pays once and gets back
what its hosts did not earn. Real chain, real journal, real SIGKILL."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from quire.base.clock import SystemClock
from quire.base.errors import Reverted
from quire.chain.abi import address_text, slot_id
from quire.chain.dev_accounts import dev_account
from quire.chain.dev_chain import DevChain, DevChainOptions
from quire.chain.events import StorageRequested
from quire.chain.evm.opening import MarketSettings, open_market
from quire.chain.port import Market
from quire.chain.values import RequestState
from quire.chain.wallet import Wallet
from support.local_chain import deployed_chain
from support.memory_world import PROOF
from support.purchase_child import MARKETPLACE

PATIENCE = 40.0
CLIENT, HOST = 3, 4
SLOTS = 3


@dataclass
class Story:
    chain: DevChain
    host: Market
    client: Market
    directory: Path
    process: asyncio.subprocess.Process | None = None
    states: list[str] = field(default_factory=list)
    key: str = ""

    async def rise(self, stop_at: str = "") -> None:
        """Start the client's process."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "support.purchase_child", str(self.directory), self.chain.url, str(CLIENT)),
            stop_at,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )

    async def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    def buy(self) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(b"buy\n")

    async def until(self, state: str, *, withdrawn: bool = False) -> None:
        """Read what the process tells until the purchase is there."""
        assert self.process is not None
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while True:
                line = await self.process.stdout.readline()
                assert line, f"the client ended before {state}; it told {self.states}"
                told = json.loads(line)
                if "ready" in told:
                    if state == "ready":
                        return
                    continue
                self.key = told["key"]
                self.states.append(told["state"])
                if (told["state"], told["withdrawn"]) == (state, withdrawn):
                    return

    @property
    def request_id(self) -> bytes:
        return bytes.fromhex(self.key[2:])

    async def fill(self) -> None:
        for slot in range(SLOTS):
            await self.host.reserve_slot(self.request_id, slot)
            await self.host.fill_slot(self.request_id, slot, PROOF)

    async def lose(self) -> None:
        """More slots than may be lost."""
        for slot in range(2):
            await self.host.free_slot(slot_id(self.request_id, slot))

    async def come_to(self, end: str) -> None:
        """What has to happen on the chain for an end."""
        if end == "failed":
            await self.lose()
        else:
            await self.chain.advance(601 if end == "cancelled" else 3601)

    async def comes_again_to(self, state: RequestState) -> None:
        """What was in the blocks that were taken back is in others."""
        async with asyncio.timeout(PATIENCE):
            while await self.on_chain() != 1:
                await asyncio.sleep(0.05)
            while await self.client.request_state(self.request_id) is not state:
                await asyncio.sleep(0.05)

    async def on_chain(self) -> int:
        """How many requests this client has made, in blocks that count."""
        events = await self.client.past_events(0)
        return sum(isinstance(event, StorageRequested) for event in events)


@asynccontextmanager
async def told_in(directory: Path):
    options = DevChainOptions(state_file=directory / "chain.json")
    async with deployed_chain(options=options) as (chain, _):
        await chain.mine(5)  # so that the contract is not among what is taken back
        opened = [
            await open_market(
                MarketSettings(chain.url, MARKETPLACE),
                Wallet(dev_account(index).key),
                SystemClock(),
            )
            for index in (HOST, CLIENT)
        ]
        story = Story(chain, opened[0].market, opened[1].market, directory)
        try:
            yield story
        finally:
            if story.process is not None and story.process.returncode is None:
                await story.kill()
            for each in opened:
                await each.stop()


ENDS = {"finished": "finished", "cancelled": "cancelled", "failed": "errored"}


@pytest.mark.parametrize(
    ("state", "end"),
    [
        ("pending", "finished"),
        ("submitted", "cancelled"),
        ("started", "finished"),
        ("started", "failed"),
        ("finished", "finished"),
        ("cancelled", "cancelled"),
        ("failed", "failed"),
    ],
)
async def test_a_client_that_is_killed_in_a_state_goes_on(tmp_path, state, end) -> None:
    async with told_in(tmp_path) as story:
        before = await story.client.balance()
        await story.rise(stop_at=state)
        story.buy()
        if state == "pending":
            await story.until("pending")
            await story.kill()
            await story.rise()
        await story.until("submitted")
        if state == "submitted":
            await story.kill()
        if end != "cancelled":
            await story.fill()
            if state not in ("pending", "submitted"):
                await story.until("started")
            if state == "started":
                await story.kill()
        await story.come_to(end)
        if state == end:
            await story.until(end)
            await story.kill()
        if state != "pending":
            await story.rise()
        await story.until(ENDS[end], withdrawn=True)
        assert await story.on_chain() == 1
        request = await story.client.request(story.request_id)
        paid = before - await story.client.balance()
        if end == "finished":
            assert 0 < paid <= request.ask.max_price
        else:
            assert paid == 0
        with pytest.raises(Reverted):
            await story.client.withdraw(story.request_id)
        ended = {"finished": "FINISHED", "cancelled": "CANCELLED", "failed": "FAILED"}[end]
        assert await story.client.request_state(story.request_id) is RequestState[ended]


@pytest.mark.parametrize("state", ["submitted", "started", "cancelled"])
async def test_three_blocks_that_are_taken_back_in_a_state_do_no_harm(tmp_path, state) -> None:
    async with told_in(tmp_path) as story:
        before = await story.client.balance()
        await story.rise()
        story.buy()
        await story.until("submitted")
        if state == "started":
            await story.fill()
            await story.until("started")
        if state == "cancelled":
            await story.chain.mine(3)  # only the withdrawal is taken back, not the request
            await story.come_to("cancelled")
            await story.until("cancelled", withdrawn=True)
        await story.chain.rewind(3)
        expected = RequestState.STARTED if state == "started" else RequestState.NEW
        if state != "cancelled":
            await story.comes_again_to(expected)  # senders notice that a block was taken back
            await story.chain.advance(4000)
        end = "finished" if state == "started" else "cancelled"
        await story.until(end, withdrawn=True)
        async with asyncio.timeout(PATIENCE):
            while await story.client.my_requests():
                await asyncio.sleep(0.05)
        assert await story.on_chain() == 1
        paid = before - await story.client.balance()
        assert (paid > 0) == (end == "finished")


@pytest.mark.parametrize("state", ["submitted", "started"])
async def test_a_chain_whose_node_is_away_for_a_while_is_waited_for(tmp_path, state) -> None:
    async with told_in(tmp_path) as story:
        await story.rise()
        story.buy()
        await story.until("submitted")
        if state == "started":
            await story.fill()
            await story.until("started")
        await story.chain.stop()
        await story.chain.start_again()
        await story.chain.advance(4000)
        end = "finished" if state == "started" else "cancelled"
        await story.until(end, withdrawn=True)
        assert await story.on_chain() == 1


async def test_a_client_without_coins_for_gas_gets_its_money_back_later(
    tmp_path,
) -> None:
    async with told_in(tmp_path) as story:
        before = await story.client.balance()
        address = address_text(story.client.account)
        await story.rise()
        story.buy()
        await story.until("submitted")
        await story.chain.call("anvil_setBalance", address, "0x0")
        await story.chain.advance(700)
        await story.until("cancelled")
        await story.chain.call("anvil_setBalance", address, hex(10**18))
        await story.chain.mine()
        await story.until("cancelled", withdrawn=True)
        assert await story.client.balance() == before
