"""quire offer, quire sales, quire slots: what people type and what they get."""

from __future__ import annotations

import asyncio

import pytest

from quire.chain.abi import id_text, request_id, slot_id
from quire.chain.memory.market import MemoryMarket
from quire.faces.rest.route import QUIRE_BASE
from support.command import quire
from support.http import send
from support.live import live_node, memory_network
from support.memory_world import CLIENT, a_world
from support.selling import mining, request_for, selling_node, verifiable

OFFER = ("--size", "10m", "--price", "1", "--duration", "2h", "--collateral", "1000000000")


async def run(seller_or_url, *arguments):
    url = getattr(seller_or_url, "url", seller_or_url)
    return await asyncio.to_thread(quire, *arguments, api=url)


async def test_space_is_offered_listed_changed_and_withdrawn(tmp_path):
    async with selling_node(tmp_path, a_world()) as seller:
        nothing = await run(seller, "offer", "list")
        assert (nothing.code, "nothing is offered" in nothing.err) == (0, True)
        made = await run(seller, "offer", "add", *OFFER, "--disabled")
        offer = made.out.decode().strip()
        assert len(offer) == 66
        shown = (await run(seller, "offer", "list")).out.decode()
        assert "10.0 MiB of 10.0 MiB free" in shown
        assert "collateral 1,000,000,000 of 1,000,000,000 left" in shown
        assert "switched off" in shown
        changed = await run(seller, "offer", "change", offer, "--enable", "--price", "7")
        assert changed.code == 0
        (listed,) = (await run(seller, "offer", "list", "--json")).json
        assert (listed["enabled"], listed["minPricePerBytePerSecond"]) == (True, "7")
        assert (await run(seller, "offer", "remove", offer)).code == 0
        assert (await run(seller, "offer", "list", "--json")).json == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("add",), 2, "say also --size, --price, --duration, --collateral"),
        (("add", "--size", "0", *OFFER[2:]), 2, "Total size must be larger then zero"),
        (("add", "--size", "900t", *OFFER[2:]), 2, "Not enough storage quota"),
        (("add", *OFFER, "--until", "-4"), 2, "-4"),
        (("change", "0x" + "11" * 32), 2, "say what is to be changed"),
        (("change", "0x" + "11" * 32, "--disable"), 3, "Availability not found"),
        (("remove", "zz"), 2, "is not an id of a request or slot"),
    ],
)
async def test_what_cannot_be_offered_is_said_in_words(tmp_path, arguments, code, words):
    async with selling_node(tmp_path, a_world()) as seller:
        done = await run(seller, "offer", *arguments)
        assert (done.code, words in done.err) == (code, True), done.err


async def test_a_sale_is_listed_shown_and_followed_to_its_end(tmp_path):
    world, network = a_world(period=10, timeout=5, downtime=1), memory_network()
    async with (
        mining(world),
        live_node(tmp_path / "owner", network) as (owner, owner_url),
        selling_node(tmp_path / "host", world, network=network) as seller,
    ):
        nothing = await run(seller, "sales")
        assert (nothing.code, "nothing was sold" in nothing.err) == (0, True)
        dataset = await verifiable(owner, owner_url)
        (address,) = owner.transport.listen_addresses()
        path = f"{QUIRE_BASE}/connect/{owner.transport.peer_id}?addrs={address}"
        assert (await send(seller.url, "GET", path, {}, b"")).status == 200
        await run(seller, "offer", "add", *OFFER)
        request = request_for(dataset, expiry=120, duration=240)
        await MemoryMarket(world, CLIENT).request_storage(request)
        slot = id_text(slot_id(request_id(request), 2))
        async with asyncio.timeout(30):
            while len((await run(seller, "slots", "--json")).json) < 6:
                await asyncio.sleep(0.1)
        assert slot in (await run(seller, "slots")).out.decode()
        assert "SaleProving" in (await run(seller, "sales")).out.decode()
        shown = (await run(seller, "sales", slot)).out.decode()
        assert "the slot is held and proved until its end" in shown
        assert "collateral 262,144, earns 262,144 a second" in shown
        following = asyncio.create_task(run(seller, "sales", slot, "--watch"))
        await asyncio.sleep(0.5)
        world.set_time(world.head.timestamp + 400)
        followed = await following
        assert followed.code == 0, followed.err
        assert "SaleFinished" in followed.err
        assert "returned 262,144, lost 0" in followed.out.decode()
        unknown = await run(seller, "sales", "0x" + "11" * 32)
        assert (unknown.code, "Provider not filling slot" in unknown.err) == (3, True)
