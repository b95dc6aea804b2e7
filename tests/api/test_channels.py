"""Payment channels of whole nodes: what one pays, the other has, and what the API says of it."""

from __future__ import annotations

import asyncio
import json

import pytest

from quire.chain.abi import address_text
from quire.faces.rest.route import QUIRE_BASE
from support.command import quire
from support.http import send
from support.live import memory_network
from support.pay_kit import PAYEE, PAYEE_KEY, PAYER, PAYER_KEY, TOKENS, a_hub_world
from support.retail_nodes import introduce, retail_node
from support.trading import trading_node


async def test_two_nodes_pay_each_other(tmp_path):
    world, network = a_hub_world(), memory_network()
    async with (
        retail_node(tmp_path / "one", world, PAYER_KEY, network) as one,
        retail_node(tmp_path / "two", world, PAYEE_KEY, network) as two,
    ):
        await introduce(one, two)
        await one.retail.payments.fund(PAYEE, 100)
        await two.retail.payments.fund(PAYER, 70)
        for number in range(4):
            assert await one.retail.payments.pay(f"a/{number}", two.peer, PAYEE, 100) == 100 * (
                number + 1
            )
            assert await two.retail.payments.pay(f"b/{number}", one.peer, PAYER, 70) == 70 * (
                number + 1
            )
        assert two.retail.income.account(PAYER).received == 400
        assert one.retail.income.account(PAYEE).received == 280
        assert await two.retail.claiming.claim_all() == 400
        assert await one.retail.claiming.claim_all() == 280
        assert await two.hub.balance() == 400
        assert await one.hub.balance() == 280


async def ask(node, method, path, body=None):
    data = b"" if body is None else json.dumps(body).encode()
    reply = await send(node.url, method, QUIRE_BASE + path, {}, data)
    return reply.status, json.loads(reply.body)


async def test_a_deposit_lets_uploads_that_wait_for_tokens_go_on(tmp_path, monkeypatch):
    async with retail_node(tmp_path / "one", a_hub_world(), PAYER_KEY, memory_network()) as one:
        there = []

        async def funds_came():
            there.append(await one.hub.balance())

        monkeypatch.setattr(one.retail.keeping.uploads, "funds_came", funds_came)
        assert (await ask(one, "POST", "/channels/deposit", {"amount": TOKENS + 1}))[0] == 402
        assert there == []
        assert (await ask(one, "POST", "/channels/deposit", {"amount": 500}))[0] == 200
        assert there == [500]


async def test_the_api_shows_both_roles_and_moves_money(tmp_path):
    world, network = a_hub_world(), memory_network()
    payee_text, payer_text = address_text(PAYEE), address_text(PAYER)
    async with (
        retail_node(tmp_path / "one", world, PAYER_KEY, network) as one,
        retail_node(tmp_path / "two", world, PAYEE_KEY, network) as two,
    ):
        await introduce(one, two)
        status, nothing = await ask(one, "GET", "/channels")
        assert (status, nothing["paid"], nothing["earning"]) == (200, [], [])
        assert (nothing["account"], nothing["balance"]) == (payer_text, "0")
        assert await ask(one, "POST", "/channels/deposit", {"amount": "500"}) == (
            200,
            {"balance": "500", "tokens": str(TOKENS - 500)},
        )
        status, channel = await ask(one, "POST", f"/channels/{payee_text}/topup", {"amount": 300})
        assert (status, channel["room"], channel["deposit"]) == (200, "300", "300")
        await two.retail.income.bill(PAYER, "a/0", 120)
        await one.retail.payments.pay("a/0", two.peer, PAYEE, 100)

        _, found = await ask(one, "GET", "/channels")
        (paid,) = found["paid"]
        assert paid["words"] == "100 of 300 tokens are promised"
        assert (paid["payee"], paid["state"], paid["bills"]) == (payee_text, "open", 1)
        assert (found["balance"], found["tokens"]) == ("200", str(TOKENS - 500))
        _, found = await ask(two, "GET", "/channels")
        (earning,) = found["earning"]
        assert earning["words"].startswith("120 tokens were billed, 100 received in vouchers")
        assert (earning["payer"], earning["due"], earning["unclaimed"]) == (payer_text, "20", "100")

        _, why = await ask(one, "GET", f"/channels/0x{PAYEE.hex()}/why")
        assert "100 of 300 tokens are promised; there is room for 200 more." in why["sentences"][0]
        assert any("SEND_MICROPAYMENT" in event["kind"] for event in why["events"])
        _, why = await ask(two, "GET", f"/channels/{payer_text}/why")
        assert "20 tokens are due" in why["sentences"][0]

        assert await ask(two, "POST", "/channels/claim") == (200, {"claimed": "100"})
        assert await ask(two, "POST", "/channels/withdraw", {"amount": "100"}) == (
            200,
            {"balance": "0", "tokens": str(TOKENS + 100)},
        )
        status, channel = await ask(one, "POST", f"/channels/{payee_text}/close")
        assert (status, channel["state"] in ("closing", "challenge")) == (200, True)
        status, refused = await ask(one, "POST", f"/channels/{payee_text}/release")
        assert (status, refused["code"]) == (409, "refused")
        text = (await send(one.url, "GET", f"{QUIRE_BASE}/metrics", {}, b"")).text
        assert "quire_channel_promised_tokens_total 100.0" in text
        text = (await send(two.url, "GET", f"{QUIRE_BASE}/metrics", {}, b"")).text
        assert "quire_channel_due_tokens 20.0" in text


async def test_a_deposit_lets_uploads_that_wait_for_tokens_go_on(tmp_path, monkeypatch):
    told = []

    async def funds_came():
        told.append(await one.hub.balance())

    async with retail_node(tmp_path, a_hub_world(), PAYER_KEY) as one:
        monkeypatch.setattr(one.retail.keeping.uploads, "funds_came", funds_came)
        assert (await ask(one, "POST", "/channels/deposit", {"amount": TOKENS + 1}))[0] == 402
        assert (await ask(one, "POST", "/channels/deposit", {"amount": 500}))[0] == 200
        assert told == [500]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/channels/0x12/topup", {"amount": 1}, 400),
        ("POST", f"/channels/{'0x' + '11' * 20}/topup", {"amount": 0}, 400),
        ("POST", f"/channels/{'0x' + '11' * 20}/topup", {"amount": "-1"}, 400),
        ("POST", f"/channels/{'0x' + '11' * 20}/topup", {}, 400),
        ("POST", f"/channels/{'0x' + '11' * 20}/topup", {"amount": TOKENS + 1}, 402),
        ("POST", f"/channels/{'0x' + '11' * 20}/close", None, 404),
        ("POST", f"/channels/{'0x' + '11' * 20}/release", None, 404),
        ("GET", f"/channels/{'0x' + '11' * 20}/why", None, 404),
        ("POST", "/channels/deposit", {"amount": TOKENS + 1}, 402),
        ("POST", "/channels/deposit", {"amount": "x"}, 400),
        ("POST", "/channels/withdraw", {"amount": 1}, 402),
    ],
)
async def test_what_cannot_be_done_is_said(tmp_path, method, path, body, status):
    async with retail_node(tmp_path, a_hub_world(), PAYER_KEY) as one:
        found, answer = await ask(one, method, path, body)
        assert (found, bool(answer["message"])) == (status, True), answer


async def test_a_chain_that_is_away_leaves_what_is_known(tmp_path):
    async with retail_node(tmp_path, a_hub_world(), PAYER_KEY) as one:
        await one.retail.payments.fund(PAYEE, 100)
        one.hub.faults.is_unreachable = True
        status, found = await ask(one, "GET", "/channels")
        assert (status, found["balance"], found["paid"][0]["room"]) == (200, None, "400")
        assert "does not answer" in found["trouble"]


async def test_a_node_without_a_hub_says_so(tmp_path):
    async with trading_node(tmp_path) as trader:
        reply = await send(trader.url, "GET", f"{QUIRE_BASE}/channels", {}, b"")
        assert (reply.status, "no hub of them is known on this chain" in reply.text) == (503, True)


async def run(node, *arguments):
    return await asyncio.to_thread(quire, *arguments, api=node.url)


async def test_the_command_line_tells_channels_in_words(tmp_path):
    payee = address_text(PAYEE)
    async with retail_node(tmp_path, a_hub_world(), PAYER_KEY) as one:
        shown = await run(one, "channels")
        assert (shown.code, "no channels" in shown.out.decode()) == (0, True)
        put = await run(one, "channels", "deposit", "1,000")
        assert put.out.decode() == f"1,000 tokens in the hub, {TOKENS - 1000:,} in the wallet\n"
        made = await run(one, "channels", "topup", payee, "400", "--json")
        assert made.json["room"] == "400"
        shown = (await run(one, "channels")).out.decode()
        assert f"to   {payee}  open: 0 of 400 tokens are promised; claimed 0, room for 400" in shown
        assert (await run(one, "channels", "--json")).json["balance"] == "600"
        assert (await run(one, "channels", "withdraw", "600")).code == 0
        assert (await run(one, "channels", "claim")).out.decode().startswith("claimed 0 tokens")
        told = (await run(one, "why", payee)).out.decode()
        assert "This node pays it through a channel that is open" in told
        assert (await run(one, "channels", "close", payee)).code == 0
        assert (await run(one, "channels", "release", payee)).code == 4
        poor = await run(one, "channels", "topup", address_text(PAYER), "2000000")
        assert (poor.code, "hub and wallet of this account have" in poor.err) == (4, True)
        assert (await run(one, "channels", "topup", "0x12", "5")).code == 2
