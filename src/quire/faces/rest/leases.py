"""Sealed replicas that this node keeps for others: who has what, until when, what is owed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from quire.base.errors import Busy, InputError, NotFound
from quire.chain.abi import address_text
from quire.faces.rest.purchase_shapes import NoteBody, WaitsFor
from quire.faces.rest.reply import JSON, reply_json
from quire.faces.rest.route import Answer, Route
from quire.faces.rest.shape import Shape
from quire.formats.cid import tree_cid
from quire.node.node import Node
from quire.node.why_link import WhyLink, why_link
from quire.point.lease import Lease
from quire.point.values import LINK_ID_BYTES, LinkId
from quire.services.providing.view import ClientView, client_views, next_bill

if TYPE_CHECKING:
    from quire.node.retail import Retail
    from quire.services.providing.provider import Provider

NO_PROVIDER = "this node keeps no replicas for others; start it with --provider"


class BillBody(Shape, frozen=True):
    """`dueAt`: unix seconds of the chain. `amount` in the smallest unit of the token."""

    number: int
    due_at: int
    amount: str


class LeaseBody(Shape, frozen=True):
    """`state`: RESERVED MAPPED RECEIVING COMPLETE STORED GRACE DELETED. `client`: who pays; `peer`:
    who asked. `blocks`, `received`: of 64 KiB. `treeCid`: of the sealed blocks; empty before their
    map came. Times in unix seconds of the chain. `history`: only of one that was asked for."""

    link_id: str
    state: str
    words: str
    client: str
    peer: str
    sealed_bytes: int
    blocks: int
    received: int
    tree_cid: str
    expires_at: int
    price_byte_second: str
    next_bill: BillBody | None
    waits_for: WaitsFor | None
    trouble: str | None
    ended: bool
    history: list[NoteBody]


class LeaseClient(Shape, frozen=True):
    """What a client has here. `received`: what his vouchers promise; `due`: billed and not
    received, below 0 when he has paid ahead; texts, in the smallest unit of the token."""

    client: str
    words: str
    replicas: int
    bytes: int
    received: str
    due: str
    overdue_seconds: int


class LeaseList(Shape, frozen=True):
    """`heldBytes`: of all replicas, promised or here; `freeBytes`: what others can have;
    `readBytes`: read since the start."""

    leases: list[LeaseBody]
    clients: list[LeaseClient]
    held_bytes: int
    free_bytes: int
    read_bytes: int


async def list_leases(_request: web.Request, node: Node) -> web.Response:
    """The oldest first; those that ended are remembered for a while."""
    retail, provider = _provider_of(node)
    leases = provider.leases
    return reply_json(
        LeaseList(
            leases=[_lease_body(provider, lease, []) for lease in leases],
            clients=[_client_body(view) for view in client_views(leases, retail.income)],
            held_bytes=provider.room.held_bytes,
            free_bytes=provider.room.free_bytes(),
            read_bytes=provider.reading.read_bytes,
        )
    )


async def show_lease(request: web.Request, node: Node) -> web.Response:
    _, provider = _provider_of(node)
    link_id = link_of(request)
    lease = provider.leases.find(link_id)
    if lease is None:
        raise NotFound(f"this node has no lease of link {link_id.hex()}; quire leases shows them")
    history = await provider.leases.machines.history(link_id.hex())
    return reply_json(_lease_body(provider, lease, [NoteBody(n.at, n.note) for n in history]))


async def explain(request: web.Request, node: Node) -> web.Response:
    return reply_json(await why_link(node, link_of(request)))


def link_of(request: web.Request) -> LinkId:
    """The id in the path, 32 hexadecimal digits. Raises InputError."""
    text = request.match_info["linkId"]
    try:
        link_id = bytes.fromhex(text)
    except ValueError:
        link_id = b""
    if len(link_id) != LINK_ID_BYTES or len(text) != 2 * LINK_ID_BYTES:
        raise InputError(f"{text[:80]} is no link: {2 * LINK_ID_BYTES} hexadecimal digits are one")
    return link_id


def _provider_of(node: Node) -> tuple[Retail, Provider]:
    """Raises Busy."""
    if node.retail is None or node.retail.provider is None:
        raise Busy(NO_PROVIDER)
    return node.retail, node.retail.provider


def _lease_body(provider: Provider, lease: Lease, history: list[NoteBody]) -> LeaseBody:
    machines, key = provider.leases.machines, lease.order.link_id.hex()
    waits_for, trouble = machines.next_deadline(key), machines.trouble(key)
    bill = next_bill(lease)
    return LeaseBody(
        link_id=key,
        state=lease.at.name,
        words=provider.leases.words(lease),
        client=address_text(lease.order.client),
        peer=lease.order.peer,
        sealed_bytes=lease.order.sealed_bytes,
        blocks=lease.order.blocks,
        received=lease.received,
        tree_cid=str(tree_cid(lease.root)) if lease.root else "",
        expires_at=lease.expires_at,
        price_byte_second=str(lease.offer.offer.price_byte_second),
        next_bill=None if bill is None else BillBody(bill.number, bill.due_at, str(bill.amount)),
        waits_for=None if waits_for is None else WaitsFor(*waits_for),
        trouble=None if trouble is None else trouble.message,
        ended=lease.is_closed,
        history=history,
    )


def _client_body(view: ClientView) -> LeaseClient:
    return LeaseClient(
        client=address_text(view.client),
        words=view.words,
        replicas=view.replicas,
        bytes=view.size_bytes,
        received=str(view.received),
        due=str(view.due),
        overdue_seconds=view.overdue_seconds,
    )


def lease_routes() -> list[Route]:
    """Part of the table of routes."""
    no_provider = {503: Answer("this node keeps no replicas for others")}
    one = {400: Answer("not the id of a link"), 404: Answer("no such link here")}
    return [
        Route("GET", "/leases", list_leases, "Replicas that this node keeps, and who owes what",
              {200: Answer("leases, the oldest first", JSON, LeaseList)} | no_provider,
              tag="retail", bases="quire"),
        Route("GET", "/leases/{linkId}", show_lease, "One lease with its history",
              {200: Answer("the lease", JSON, LeaseBody)} | one | no_provider,
              tag="retail", bases="quire"),
        Route("GET", "/links/{linkId}/why", explain, "How a link or upload stands, in words",
              {200: Answer("sentences, waits and events", JSON, WhyLink)} | one,
              tag="retail", bases="quire"),
    ]  # fmt: skip
