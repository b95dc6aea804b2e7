"""quire request, quire purchases, quire why: what people type and what they get."""

import asyncio
import json

import pytest

from quire.chain.abi import address_text
from support.command import quire
from support.live import live_node
from support.memory_world import CLIENT, TOKENS
from support.protect_kit import det
from support.trading import fill_all, trading_node

TERMS = ("--for", "600", "--price", "1", "--collateral", "1", "--expiry", "240")


async def run(trader_or_url, *arguments, stdin=b""):
    url = getattr(trader_or_url, "url", trader_or_url)
    return await asyncio.to_thread(quire, *arguments, api=url, stdin=stdin)


async def put(trader, size=1_000_000):
    done = await run(trader, "put", "--plain", "--no-name", "-", "--json", stdin=det(size))
    return done.json["cid"]


async def test_the_cost_is_shown_and_asked_for_before_anything_is_signed(tmp_path):
    async with trading_node(tmp_path) as trader:
        cid = await put(trader)
        refused = await run(trader, "request", cid, *TERMS, stdin=b"n\n")
        shown = refused.out.decode()
        assert refused.code == 130
        assert "3, of which any 1 may be lost" in shown
        assert "at most 943,718,400 tokens, paid in now" in shown
        assert "524,288 of each host, 1,572,864 in all" in shown
        assert f"{address_text(CLIENT)} has {TOKENS:,} tokens" in shown
        assert "Pay this and ask for hosts?" in refused.err
        assert trader.world.state.requests == {}
        quoted = await run(trader, "request", cid, *TERMS, "--quote", "--json")
        assert quoted.json["maxPrice"] == "943718400"
        assert trader.world.state.requests == {}
        bought = await run(trader, "request", cid, *TERMS, stdin=b"y\n")
        assert bought.code == 0
        (request_id,) = trader.world.state.requests
        assert bought.out.decode().splitlines()[-1] == "0x" + request_id.hex()


async def test_a_purchase_is_listed_shown_explained_and_followed_to_its_end(tmp_path):
    async with trading_node(tmp_path) as trader:
        nothing = await run(trader, "purchases")
        assert (nothing.code, "nothing was bought" in nothing.err) == (0, True)
        cid = await put(trader)
        bought = await run(trader, "request", cid, *TERMS, "--yes", "--json")
        request_id = bought.json["requestId"]
        following = asyncio.create_task(run(trader, "purchases", request_id, "--watch"))
        await fill_all(trader, request_id)
        listed = (await run(trader, "purchases", "--json")).json
        assert [each["requestId"] for each in listed] == [request_id]
        shown = (await run(trader, "purchases", request_id)).out.decode()
        assert "every slot is filled and has proved itself: this node may leave" in shown
        assert shown.count("filled     0xA2") == 3 or shown.lower().count("filled     0xa2") == 3
        assert "next     the contract runs to its end, until 2027-01-15" in shown
        why = (await run(trader, "why", request_id)).out.decode()
        assert "Its slots now: 3 filled." in why
        await asyncio.sleep(0)
        trader.world.set_time(trader.world.head.timestamp + 700)
        trader.world.mine()
        followed = await following
        assert followed.code == 0
        assert "what is left of the money is back" in followed.out.decode()
        assert "finished" in followed.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--expiry", "600"), 2, "at most 599 s"),
        (("--nodes", "4", "--tolerance", "3"), 2, "with 4 nodes a tolerance from 1 to 2"),
        (("--nodes", "40", "--tolerance", "2"), 2, "fewer nodes work: with 16 for the data"),
        (("--for", "31d"), 2, "2592000 s works"),
        (("--price", "1000000000"), 4, "more are needed"),
        (("--nines", "9", "--nodes", "4"), 2, "give one or the other"),
        (("--nines", "12", "--for", "30d"), 2, "nines cannot be had"),
        (("--price", "0.5"), 2, "not a whole number"),
    ],
)
async def test_bad_input_ends_at_once_with_numbers_that_work(tmp_path, arguments, code, words):
    async with trading_node(tmp_path) as trader:
        cid = await put(trader)
        done = await run(trader, "request", cid, *TERMS, *arguments, "--yes")
        assert (done.code, words in done.err) == (code, True), done.err
        assert trader.world.state.requests == {}


async def test_unknown_things_and_missing_chains_are_told(tmp_path):
    async with trading_node(tmp_path / "a") as trader:
        unknown = await run(trader, "purchases", "0x" + "11" * 32)
        assert (unknown.code, "no purchase" in unknown.err) == (3, True)
        assert (await run(trader, "purchases", "0x11")).code == 2
        asked = await run(trader, "request", await put(trader), *TERMS, "--json")
        assert (asked.code, json.loads(asked.err)["code"]) == (2, "input")
    async with live_node(tmp_path / "b") as (_, url):
        none = await run(url, "purchases")
        assert (none.code, "Persistence is not enabled" in none.err) == (4, True)
