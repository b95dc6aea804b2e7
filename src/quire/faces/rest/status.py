"""The node about itself: status, datasets and their fetches, peers, version, doctor, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web

import quire
from quire.base.errors import InputError, NotFound, UnknownDataset
from quire.faces.metrics import metrics_answer
from quire.faces.rest.check import scrub_body
from quire.faces.rest.data import space_body
from quire.faces.rest.identity import announced_addresses, spr_of
from quire.faces.rest.inputs import cid_of, timeout_of
from quire.faces.rest.protect_shapes import protect_status
from quire.faces.rest.reply import reply_empty, reply_json, reply_text
from quire.faces.rest.schemas import (
    AnnounceBody,
    BannedPeer,
    Doctor,
    FetchStatus,
    LagBody,
    PastPeer,
    PeerBody,
    PeerList,
    ProofQueueBody,
    ReachBody,
    StatusBody,
    TransferBody,
    VersionBody,
    WantedPeer,
    dataset_stat,
)
from quire.flow.active import ActiveTransfer
from quire.flow.fetch import Fetch
from quire.formats.cid import Cid, is_manifest
from quire.formats.tus import decode_size
from quire.net.exchange.ledger import Account
from quire.net.transport import ConnectionInfo
from quire.node.doctor import examine_node
from quire.node.doctor_aggregation import examine_aggregation
from quire.node.doctor_chain import examine_trading
from quire.node.node import Node
from quire.node.why import why


async def status(_request: web.Request, node: Node) -> web.Response:
    announced = node.announcer.status()
    peer = node.transport.peer_id
    body = StatusBody(
        peer_id=peer,
        version=quire.__version__,
        profile=node.profile.name,
        uptime_seconds=round(node.clock.now() - node.started_at, 3),
        addresses=[f"{address}/p2p/{peer}" for address in announced_addresses(node)],
        reachability=msgspec.convert(
            node.transport.reachability(), ReachBody, from_attributes=True
        ),
        spr=spr_of(node),
        peers=len({c.peer for c in node.transport.connections()}),
        space=space_body(node),
        uploads=_transfers([*node.uploads.active, *node.resumable.active], node),
        downloads=_transfers(node.downloads.active, node),
        fetches=[fetch_status(f) for f in node.fetches.all() if not f.has_ended],
        protections=[protect_status(job) for job in node.protections.active],
        proofs=_proofs(node),
        announce=AnnounceBody(announced.queued, announced.published, announced.failed),
        exchange=node.exchange.status(),
        waits=node.waits.of(),
        scrub=scrub_body(node),
        loop_lag=LagBody(
            round(node.lag.quantile(0.5) * 1000, 3), round(node.lag.quantile(0.99) * 1000, 3)
        ),
    )
    return reply_json(body)


def _proofs(node: Node) -> ProofQueueBody:
    proofs = node.proving.proofs
    counts = proofs.counts
    return ProofQueueBody(
        waiting=proofs.waiting_count,
        running=proofs.running_count,
        complete=counts.complete,
        failed=counts.failed,
        late=counts.late,
        cancelled=counts.cancelled,
    )


def _transfers(active: Iterable[ActiveTransfer], node: Node) -> list[TransferBody]:
    now = node.clock.monotonic()
    return [
        TransferBody(t.id, t.subject, t.done_bytes, t.total_bytes, round(now - t.since, 3))
        for t in active
    ]


async def stat(request: web.Request, node: Node) -> web.Response:
    """What this node holds of a dataset; does not ask the network."""
    cid = cid_of(request)
    dataset = await node.store.dataset(cid) if is_manifest(cid) else None
    if dataset is None:
        raise UnknownDataset(f"{cid} is not on this node; fetch it first", cid=str(cid))
    return reply_json(dataset_stat(dataset))


async def manifest(request: web.Request, node: Node) -> web.Response:
    """The manifest as it is stored, asked from the network when it is not here."""
    dataset = await node.fetches.manifest(cid_of(request), timeout_of(request, node))
    return web.Response(body=dataset.manifest_bytes, content_type="application/octet-stream")


async def proof(request: web.Request, node: Node) -> web.Response:
    """What proves a range of blocks against the tree's root; for a range that this node knows."""
    cid = cid_of(request)
    dataset = await node.store.dataset(cid) if is_manifest(cid) else None
    if dataset is None:
        raise UnknownDataset(f"{cid} is not on this node; fetch it first", cid=str(cid))
    start = decode_size(request.query.get("start", ""), "start")
    count = decode_size(request.query.get("count", ""), "count")
    if count == 0 or start + count > dataset.block_count:
        raise InputError(f"blocks {start} to {start + count} are not among {dataset.block_count}")
    nodes = await node.store.prove_range(dataset.tree_root, start, count)
    return web.Response(body=nodes, content_type="application/octet-stream")


async def start_fetch(request: web.Request, node: Node) -> web.Response:
    """Get a whole dataset in the background; joins the fetch that runs already."""
    fetch = node.fetches.start(cid_of(request), timeout_of(request, node))
    return reply_json(fetch_status(fetch), 202)


async def get_fetch(request: web.Request, node: Node) -> web.Response:
    return reply_json(fetch_status(_fetch(node, cid_of(request))))


async def cancel_fetch(request: web.Request, node: Node) -> web.Response:
    fetch = _fetch(node, cid_of(request))
    await node.fetches.cancel(fetch.cid)
    return reply_empty(204)


def _fetch(node: Node, cid: Cid) -> Fetch:
    fetch = node.fetches.of(cid)
    if fetch is None:
        raise NotFound(f"nobody asked this node to fetch {cid}; POST starts it", cid=str(cid))
    return fetch


def fetch_status(fetch: Fetch) -> FetchStatus:
    dataset = fetch.dataset
    total = None if dataset is None else dataset.manifest.dataset_size
    error = None if fetch.error is None else fetch.error.as_dict()
    if fetch.job is None:
        done = total if total is not None and fetch.state == "complete" else 0
        reason = "the manifest is being looked for" if fetch.state == "searching" else fetch.state
        return FetchStatus(str(fetch.cid), fetch.state, done, total, 0.0, None, {}, reason, error)
    progress = fetch.job.progress()
    return FetchStatus(
        cid=str(fetch.cid),
        state=fetch.state,
        verified_bytes=progress.verified_bytes,
        total_bytes=progress.total_bytes,
        rate_bytes_per_second=progress.rate_bytes_per_second,
        eta_seconds=progress.eta_seconds,
        peers=dict(progress.peers),
        reason=progress.reason,
        error=error,
    )


async def explain(request: web.Request, node: Node) -> web.Response:
    return reply_json(await why(node, cid_of(request)))


async def peers(_request: web.Request, node: Node) -> web.Response:
    accounts = node.exchange.ledger.all()
    live = node.transport.connections()
    connected = {c.peer for c in live}
    return reply_json(
        PeerList(
            [_peer(connection, accounts) for connection in live],
            [_wanted(entry) for entry in node.connector.status()],
            [
                PastPeer(peer, account.sent_bytes, account.received_bytes)
                for peer, account in accounts.items()
                if peer not in connected and (account.sent_bytes or account.received_bytes)
            ],
            [
                BannedPeer(ban.peer, round(ban.until - node.clock.monotonic(), 1), ban.reason)
                for ban in node.exchange.banned()
            ],
        )
    )


def _peer(connection: ConnectionInfo, accounts: dict[str, Account]) -> PeerBody:
    account = accounts.get(connection.peer, Account())
    return PeerBody(
        peer_id=connection.peer,
        address=connection.address,
        outgoing=connection.outgoing,
        since=connection.since,
        agent=connection.agent,
        protocols=list(connection.protocols),
        sent_bytes=account.sent_bytes,
        received_bytes=account.received_bytes,
    )


def _wanted(entry: dict[str, Any]) -> WantedPeer:
    """An entry of the connector's status in the API's names."""
    return WantedPeer(
        peer_id=entry["peer"],
        state=entry["state"],
        bootstrap=entry["bootstrap"],
        failures=entry["failures"],
        reason=entry["reason"],
        next_in_seconds=entry["next_in_seconds"],
    )


async def metrics(_request: web.Request, node: Node) -> web.Response:
    return metrics_answer(node)


async def health(_request: web.Request, _node: Node) -> web.Response:
    return reply_text("OK")


async def version(_request: web.Request, node: Node) -> web.Response:
    return reply_json(VersionBody("quire", quire.__version__, node.profile.name))


async def doctor(_request: web.Request, node: Node) -> web.Response:
    findings = await asyncio.get_running_loop().run_in_executor(None, examine_node, node)
    if node.trading is not None:
        findings += await examine_trading(node.trading, node.clock)
        if node.aggregation is not None:
            findings += await examine_aggregation(node.aggregation, node.trading.market)
    return reply_json(Doctor(findings))
