"""A provider is killed at every stage of a replica, and goes on where it was (point.md 6.7, 11)."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quire.base.clock import SystemClock
from quire.base.errors import PeerError
from quire.chain.abi import address_text
from quire.chain.deployment import ADDRESSES
from quire.chain.dev_accounts import dev_account
from quire.chain.hub import HubDomain
from quire.faces.local import LocalNode
from quire.formats.replica import ReplicaAnswer
from quire.formats.replica_answers import LinkState
from quire.formats.replica_asking import Asking, OfferRequest, SignRequest, StatusRequest
from quire.formats.replica_codes import Code, LeaseState
from quire.formats.replica_parts import ranges_of
from quire.net.requests import Requests
from quire.point.offer import open_offer
from quire.point.values import BLOCK_BYTES
from quire.services.retail.replica_client import ReplicaClient
from support.libp2p import make_node
from support.local_chain import deployed_chain
from support.provider_kit import CLIENT_KEY, DAY, PROTOCOL, Customer, Replica

LINK = bytes(range(16))
REPLICA = Replica.random(7, 60 * BLOCK_BYTES + 999)


def flags(directory: Path, chain_url: str) -> list[str]:
    directory.mkdir(parents=True)
    key = directory / "eth-key"
    key.write_text("0x" + dev_account(1).key.hex())
    key.chmod(0o600)
    return [
        *("--eth-provider", chain_url, "--eth-private-key", str(key), "--provider"),
        *("--marketplace-address", address_text(ADDRESSES["Marketplace"])),
        *("--circom-no-zkey", "--retail-price", "0", "--storage-quota", "100m"),
    ]


@dataclass
class _At:
    """Where the provider is now. `hub` is what its offer says of the hub and of the time."""

    node: LocalNode
    clock: SystemClock = field(default_factory=SystemClock)
    hub: Any = None

    @property
    def provider_peer(self) -> str:
        return self.node.peer_id

    @property
    def addresses(self) -> list[str]:
        return self.node.addresses


async def meet(at: _At) -> Customer:
    """A client with a peer of its own, who has seen the offer."""
    transport = make_node()
    await transport.start()
    requests = Requests(transport)
    client = ReplicaClient(requests, PROTOCOL, at.clock)
    customer = Customer(CLIENT_KEY, transport, client, at, requests)
    answer = await customer.ask(LINK, OfferRequest(0, 0))
    offer = open_offer(answer.body.offer, answer.body.sig_payee, answer.body.sig_peer).offer
    now = offer.valid_until - 3600
    domain = HubDomain(offer.chain_id, offer.contract)
    at.hub = SimpleNamespace(domain=domain, clock=SimpleNamespace(now=lambda: now))
    customer.payee = offer.payee
    return customer


async def insist(customer: Customer, body: Asking) -> ReplicaAnswer:
    """Ask until there is an answer; the provider may just have been killed."""
    async with asyncio.timeout(60):
        while True:
            try:
                answer = await customer.ask(LINK, body)
            except PeerError:
                await asyncio.sleep(0.1)
                continue
            if answer.code is not Code.BUSY:
                return answer
            await asyncio.sleep(0.1)


async def status(customer: Customer) -> LinkState:
    answer = await insist(customer, StatusRequest())
    assert isinstance(answer.body, LinkState), answer
    return answer.body


@pytest.mark.slow
async def test_a_provider_that_is_killed_at_every_stage_goes_on(tmp_path) -> None:
    loop = asyncio.get_running_loop()
    async with deployed_chain() as (chain, _):
        with ExitStack() as nodes:
            node = LocalNode(
                tmp_path / "provider", arguments=flags(tmp_path / "provider", chain.url)
            )
            await loop.run_in_executor(None, nodes.enter_context, node)
            at = _At(node)
            customer = await meet(at)

            async def kill() -> None:
                node.kill()
                await loop.run_in_executor(None, node.start)

            try:
                await go_through(customer, kill)
            finally:
                await customer.leave()


async def go_through(customer: Customer, kill) -> None:
    order = await customer.order(REPLICA, DAY)
    assert (await insist(customer, order)).code is Code.OK
    assert (await insist(customer, REPLICA.map)).code is Code.OK
    await kill()
    assert (await status(customer)).state is LeaseState.MAPPED
    # Blocks are under way when it dies: what was acknowledged may be lost, what is said to be here
    # is here.
    sending = [
        asyncio.ensure_future(customer.ask(LINK, REPLICA.run(i, 4))) for i in range(0, 40, 4)
    ]
    await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
    await kill()
    await asyncio.gather(*sending, return_exceptions=True)
    held = ranges_of((await status(customer)).have.bitmap, REPLICA.blocks)
    for index in range(REPLICA.blocks):
        if index not in held:
            assert (await insist(customer, REPLICA.run(index))).code is Code.OK
    assert (await status(customer)).have.is_complete
    await kill()
    # Complete, and nobody has signed: the receipt comes without a block being sent again.
    assert (await status(customer)).state is LeaseState.COMPLETE
    signed = await insist(customer, SignRequest(REPLICA.root))
    assert signed.code is Code.OK
    await kill()
    assert (await status(customer)).state is LeaseState.STORED
    assert await insist(customer, SignRequest(REPLICA.root)) == signed
    assert (await insist(customer, REPLICA.map)).code is Code.ALREADY_STORED
