"""The bond behind what this node promises as an aggregator: how much it is, put in, taken out."""

from __future__ import annotations

from aiohttp import web

from quire.base.errors import Busy, InputError
from quire.chain.abi import address_text
from quire.chain.bonds import Bonds
from quire.faces.rest.channels import positive_amount
from quire.faces.rest.jobs import aggregation_of
from quire.faces.rest.market import trading_of
from quire.faces.rest.market_body import read_body
from quire.faces.rest.reply import JSON, Plain, reply_json
from quire.faces.rest.route import Answer, Handler, Route
from quire.faces.rest.shape import Shape
from quire.node.node import Node

_NONE = "this chain has no contract of submission bonds that is known; see --bonds-address"


class BondBody(Shape, frozen=True):
    """`amount`: what stands behind promises; of it `leaving` was announced to leave at `leavesAt`
    (unix seconds of the chain, 0: nothing was). `promised`: of proofs that were taken and are not
    in the chain yet; `tokens`: of the account, outside."""

    account: str
    contract: str
    chain_id: int
    amount: str
    leaving: str
    leaves_at: int
    promised: str
    tokens: str


async def show(_request: web.Request, node: Node) -> web.Response:
    return reply_json(await _body(node))


async def deposit(request: web.Request, node: Node) -> web.Response:
    bonds = bonds_of(node)
    await bonds.deposit(await positive_amount(request))
    return reply_json(await _body(node))


async def announce(request: web.Request, node: Node) -> web.Response:
    """That an amount is to leave; 0 takes it back."""
    bonds, amount = bonds_of(node), (await read_body(request)).uint256("amount")
    if amount >= 1 << 128:
        raise InputError(f"{amount} is more than there are tokens")
    bond = await bonds.bond()
    if amount > bond.amount:
        raise InputError(f"{amount} are to leave, and the bond has {bond.amount} tokens")
    await bonds.announce(amount)
    return reply_json(await _body(node))


async def withdraw(_request: web.Request, node: Node) -> web.Response:
    """What was announced, now that its time has come."""
    await bonds_of(node).withdraw()
    return reply_json(await _body(node))


def bonds_of(node: Node) -> Bonds:
    """Raises Plain 503."""
    bonds = aggregation_of(node).bonds
    if bonds is None:
        raise Plain(503, _NONE, Busy(_NONE))
    return bonds


async def _body(node: Node) -> BondBody:
    aggregation, bonds = aggregation_of(node), bonds_of(node)
    bond = await bonds.bond()
    return BondBody(
        account=address_text(bonds.account),
        contract=address_text(bonds.domain.contract),
        chain_id=bonds.domain.chain_id,
        amount=str(bond.amount),
        leaving=str(bond.leaving),
        leaves_at=bond.leaves_at,
        promised=str(aggregation.promised()),
        tokens=str(await trading_of(node).market.balance()),
    )


def bond_routes() -> list[Route]:
    """Part of the table of routes."""
    shown = {200: Answer("the bond as it is now", JSON, BondBody)}
    sent = {
        409: Answer("the contract refuses"),
        502: Answer("the chain does not answer"),
        503: Answer("this node has no chain, no hub on it, or no contract of bonds"),
        507: Answer("no space is left on the disk"),
    }
    body = {400: Answer("a bad amount"), 413: Answer("the body is too large")}
    poor = {402: Answer("the account has too little")}
    rows: list[tuple[str, str, Handler, str, dict[int, Answer], str]] = [
        ("GET", "/bond", show, "The bond behind promises of this aggregator", {}, ""),
        ("POST", "/bond/deposit", deposit, "Put tokens into the bond", body | poor, JSON),
        ("POST", "/bond/announce", announce, "Say how much of the bond is to leave", body | poor,
         JSON),
        ("POST", "/bond/withdraw", withdraw, "Take what was announced, when it may leave", poor,
         ""),
    ]  # fmt: skip
    return [
        Route(method, path, handler, summary, shown | sent | answers, tag="aggregator",
              bases="quire", body=media)
        for method, path, handler, summary, answers, media in rows
    ]  # fmt: skip
