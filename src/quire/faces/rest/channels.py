"""Payment channels of the node, in both roles, and what can be done with them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from quire.base.errors import BadEncoding, ChainError, InputError
from quire.chain.abi import address_text, parse_address
from quire.chain.values import Address
from quire.channels.account import words_of_account
from quire.channels.channel import Channel
from quire.faces.rest.channel_shapes import (
    ChannelList,
    ClaimedBody,
    FundsBody,
    PaidChannel,
    earning_channel,
    paid_channel,
)
from quire.faces.rest.market import no_hub_here, trading_of
from quire.faces.rest.market_body import read_body
from quire.faces.rest.reply import reply_json
from quire.node.node import Node
from quire.node.why_channel import why_channel

if TYPE_CHECKING:
    from quire.node.retail import Retail


def retail_of(node: Node) -> Retail:
    """Raises Plain 503 when this node has no hub of payment channels."""
    trading_of(node)
    if node.retail is None:
        raise no_hub_here()
    return node.retail


async def show_all(_request: web.Request, node: Node) -> web.Response:
    """As the hub has them now, or as they were known last."""
    retail = retail_of(node)
    payments, income, hub = retail.payments, retail.income, retail.hub
    balance = tokens = trouble = None
    try:
        balance, tokens, *_ = await asyncio.gather(
            hub.balance(),
            hub.tokens(),
            income.look([each.payer for each in income.accounts()]),
            *(payments.look(each.payee) for each in payments.channels()),
        )
    except ChainError as error:
        trouble = error.message
    return reply_json(
        ChannelList(
            account=address_text(hub.account),
            hub=address_text(hub.domain.contract),
            chain_id=hub.domain.chain_id,
            balance=None if balance is None else str(balance),
            tokens=None if tokens is None else str(tokens),
            trouble=trouble,
            paid=[_paid(retail, each) for each in payments.channels()],
            earning=[earning_channel(each, words_of_account(each)) for each in income.accounts()],
        )
    )


async def top_up(request: web.Request, node: Node) -> web.Response:
    """Let a channel have room for an amount; nothing is sent where it has."""
    retail, payee = retail_of(node), account_of(request, "payee")
    await retail.payments.top_up(payee, await positive_amount(request))
    return _shown(retail, await retail.payments.look(payee))


async def close(request: web.Request, node: Node) -> web.Response:
    retail = retail_of(node)
    return _shown(retail, await retail.payments.close(account_of(request, "payee")))


async def release(request: web.Request, node: Node) -> web.Response:
    retail = retail_of(node)
    return _shown(retail, await retail.payments.release(account_of(request, "payee")))


async def claim(_request: web.Request, node: Node) -> web.Response:
    """Claim whatever payers have promised, worth its gas or not."""
    return reply_json(ClaimedBody(str(await retail_of(node).claiming.claim_all())))


async def deposit(request: web.Request, node: Node) -> web.Response:
    retail = retail_of(node)
    await retail.deposit(await positive_amount(request))
    hub = retail.hub
    return reply_json(FundsBody(str(await hub.balance()), str(await hub.tokens())))


async def withdraw(request: web.Request, node: Node) -> web.Response:
    hub = retail_of(node).hub
    await hub.withdraw(await positive_amount(request))
    return reply_json(FundsBody(str(await hub.balance()), str(await hub.tokens())))


async def explain(request: web.Request, node: Node) -> web.Response:
    retail_of(node)
    return reply_json(await why_channel(node, account_of(request, "account")))


def account_of(request: web.Request, name: str) -> Address:
    """The account in the path. Raises InputError."""
    try:
        return parse_address(request.match_info[name])
    except BadEncoding as error:
        raise InputError(error.message) from None


async def positive_amount(request: web.Request) -> int:
    """Tokens, as the body says. Raises InputError."""
    amount = (await read_body(request)).uint256("amount")
    if not 0 < amount < 1 << 128:
        raise InputError("say the amount: a whole number of tokens (smallest unit) above 0")
    return amount


def _shown(retail: Retail, channel: Channel) -> web.Response:
    return reply_json(_paid(retail, channel))


def _paid(retail: Retail, channel: Channel) -> PaidChannel:
    payments = retail.payments
    return paid_channel(
        channel,
        payments.words(channel),
        len(payments.bills(channel.payee)),
        payments.next_deadline(channel.payee),
        payments.trouble(channel.payee),
    )
