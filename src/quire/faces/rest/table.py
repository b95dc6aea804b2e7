"""The table of routes: everything the API answers, once."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from quire.faces.rest import debug, identity, status, tus
from quire.faces.rest import schemas as s
from quire.faces.rest.bond import bond_routes
from quire.faces.rest.caching import caching_routes
from quire.faces.rest.channel_table import channel_routes
from quire.faces.rest.data_routes import (
    BAD_CID,
    BLOCK_SIZE,
    NOT_FOUND,
    STREAM,
    TIMEOUT,
    data_routes,
)
from quire.faces.rest.directory_routes import directory_routes
from quire.faces.rest.events import EventStreams
from quire.faces.rest.file_table import file_routes, pointer_routes
from quire.faces.rest.job_table import job_routes
from quire.faces.rest.leases import lease_routes
from quire.faces.rest.proof_table import proof_routes
from quire.faces.rest.protect_table import protect_routes
from quire.faces.rest.providers import provider_routes
from quire.faces.rest.purchase_table import purchase_routes
from quire.faces.rest.rebuild_table import rebuild_routes
from quire.faces.rest.replica_table import replica_routes
from quire.faces.rest.reply import EVENT_STREAM, JSON, TEXT
from quire.faces.rest.retention_table import retention_routes
from quire.faces.rest.route import Answer, Param, Route
from quire.faces.rest.sales_table import sales_routes
from quire.faces.rest.slot_table import slot_routes
from quire.faces.rest.validator import validator_routes
from quire.node.node import Node
from quire.node.why import Why


def all_routes(streams: EventStreams) -> list[Route]:
    """Every route. `streams` keeps the open event streams of the server."""
    own = [*_quire(streams), *_uploads(), *retention_routes(), *protect_routes(), *slot_routes()]
    own += [*rebuild_routes(), *proof_routes(), *file_routes(), *pointer_routes()]
    market = [*sales_routes(), *purchase_routes(), *validator_routes(), *provider_routes()]
    market += [*lease_routes(), *channel_routes(), *caching_routes(), *replica_routes(streams)]
    market += [*job_routes(), *bond_routes()]
    return [*data_routes(), *directory_routes(), *_node(), *_debug(), *market, *own]


def _node() -> list[Route]:
    peer = {200: Answer("the peer id, as text when preferred", JSON, s.PeerIdBody)}
    return [
        Route("GET", "/spr", identity.spr, "Signed peer record of this node",
              {200: Answer("the record, as text when preferred", JSON, s.SprBody),
               503: Answer("no address yet", JSON)}, tag="node"),
        Route("GET", "/peerid", identity.peer_id, "Peer id of this node", peer, tag="node"),
        Route("GET", "/node/peerid", identity.peer_id, "Peer id of this node", peer, tag="node"),
        Route("GET", "/connect/{peerId}", identity.connect, "Connect to a peer",
              {200: Answer("connected", TEXT), 400: Answer("a bad peer id, or not reachable")},
              params=(Param("addrs", "multiaddress to dial", repeated=True), TIMEOUT), tag="node"),
    ]  # fmt: skip


def _debug() -> list[Route]:
    return [
        Route("GET", "/debug/info", debug.info, "The node in one object",
              {200: Answer("identity, addresses, routing table", JSON, dict[str, Any])},
              tag="debug"),
        Route("POST", "/debug/chronicles/loglevel", debug.log_level, "Change the log levels",
              {200: Answer("changed", TEXT), 400: Answer("no level, or a bad one")},
              params=(Param("level", "LEVEL[;LEVEL:topic,topic]"),), tag="debug"),
    ]  # fmt: skip


def _quire(streams: EventStreams) -> list[Route]:
    async def events(request: web.Request, node: Node) -> web.StreamResponse:
        return await streams.stream(request, node)

    fetch = Answer("the fetch", JSON, s.FetchStatus)
    here = {400: BAD_CID, 404: NOT_FOUND}
    told = "insight"
    rows: list[tuple[str, str, object, str, dict[int, Answer], str]] = [
        ("GET", "/events", events, "Follow what happens, as server-sent events",
         {200: Answer("a stream of events", EVENT_STREAM), 400: Answer("a bad serial")},
         told),
        ("GET", "/status", status.status, "The node at this moment",
         {200: Answer("status", JSON, s.StatusBody)}, told),
        ("GET", "/datasets/{cid}", status.stat, "What this node holds of a dataset",
         {200: Answer("state of the dataset", JSON, s.DatasetStat)} | here, "datasets"),
        ("GET", "/datasets/{cid}/manifest", status.manifest, "The manifest as it is stored",
         {200: Answer("bytes whose SHA-256 the CID names", STREAM)} | here, "datasets"),
        ("GET", "/datasets/{cid}/proof", status.proof, "What proves a range of blocks",
         {200: Answer("digests of the range's neighbours, from the leaves up", STREAM)} | here,
         "datasets"),
        ("POST", "/datasets/{cid}/fetch", status.start_fetch, "Fetch in the background",
         {202: fetch} | here, "datasets"),
        ("GET", "/datasets/{cid}/fetch", status.get_fetch, "Progress of the fetch",
         {200: fetch} | here, "datasets"),
        ("DELETE", "/datasets/{cid}/fetch", status.cancel_fetch, "Stop the fetch",
         {204: Answer("it does not run any more")} | here, "datasets"),
        ("GET", "/datasets/{cid}/why", status.explain, "The causal chain of a CID, in words",
         {200: Answer("the explanation", JSON, Why), 400: BAD_CID}, "datasets"),
        ("GET", "/peers", status.peers, "Live connections",
         {200: Answer("peers", JSON, s.PeerList)}, told),
        ("GET", "/metrics", status.metrics, "Metrics for Prometheus",
         {200: Answer("metrics", TEXT)}, told),
        ("GET", "/health", status.health, "Whether the node is ready",
         {200: Answer("it is", TEXT)}, told),
        ("GET", "/version", status.version, "Version and network",
         {200: Answer("version", JSON, s.VersionBody)}, told),
        ("GET", "/doctor", status.doctor, "Check the surroundings",
         {200: Answer("findings", JSON, s.Doctor)}, told),
    ]  # fmt: skip
    params = {
        "/datasets/{cid}/manifest": (TIMEOUT,),
        "/datasets/{cid}/proof": (
            Param("start", "first block", "integer"),
            Param("count", "number of blocks", "integer"),
        ),
        "/events": (
            Param("subject", "only events about this CID or peer"),
            Param("kind", "only kinds that begin so"),
            Param("since", "serial after which to begin; as the header Last-Event-ID"),
        ),
    }
    return [
        Route(method, path, handler, summary, answers, bases="quire", tag=tag,  # type: ignore[arg-type]
              params=params.get(path, (TIMEOUT,) if method == "POST" else ()),
              is_open=path == "/health")
        for method, path, handler, summary, answers, tag in rows
    ]  # fmt: skip


def _uploads() -> list[Route]:
    refused = {
        400: Answer("a header is missing or malformed"),
        412: Answer("another version of tus"),
        413: Answer("more than the upload, or this node, can take"),
        503: Answer("too many uploads, or the node is stopping"),
    }
    unknown = {404: Answer("there is no such upload"), 410: Answer("it expired or was removed")}
    full = {415: Answer("another Content-Type"), 460: Answer("the checksum does not match"),
            507: Answer("it does not fit into the quota or on the disk")}  # fmt: skip
    one = "/uploads/{uploadId}"
    offset = {409: Answer("the bytes do not follow what is here")}
    taken = Answer("taken; Quire-Cid tells the manifest CID once all is here")
    rows: list[tuple[str, str, object, str, dict[int, Answer], str]] = [
        ("GET", "/uploads", tus.list_uploads, "List resumable uploads",
         {200: Answer("uploads, oldest first", JSON, s.UploadList)}, ""),
        ("POST", "/uploads", tus.create, "Begin a resumable upload (tus 1.0)",
         {201: Answer("begun; Location names it"), 422: Answer("a bad name or type, or empty")}
         | refused | full, ""),
        ("GET", one, tus.show, "One resumable upload",
         {200: Answer("the upload", JSON, s.UploadState)} | unknown, ""),
        ("HEAD", one, tus.act, "How far an upload is (tus 1.0)",
         {200: Answer("Upload-Offset tells")} | refused | unknown, ""),
        ("PATCH", one, tus.act, "Send more of an upload (tus 1.0)",
         {204: taken, 422: Answer("empty")} | offset | refused | unknown | full, tus.MEDIA_TYPE),
        ("DELETE", one, tus.act, "Give an upload up (tus 1.0)",
         {204: Answer("nothing is left of it")} | refused | unknown, ""),
        ("POST", one, tus.act, "One of the others, by X-HTTP-Method-Override",
         {200: Answer("as HEAD"), 204: taken, 405: Answer("no such method"),
          422: Answer("empty")} | offset | refused | unknown | full, ""),
    ]  # fmt: skip
    size = {("POST", "/uploads"): (BLOCK_SIZE,)}
    return [
        Route(method, path, handler, summary, answers, bases="quire", tag="uploads",  # type: ignore[arg-type]
              params=size.get((method, path), ()), body=body, answers_options=True,
              options=tus.options)
        for method, path, handler, summary, answers, body in rows
    ]  # fmt: skip
