"""The table of routes: everything the API answers, once."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from quire.faces.rest import blocks, data, debug, download, identity, market, status, upload
from quire.faces.rest import schemas as s
from quire.faces.rest.events import EventStreams
from quire.faces.rest.reply import EVENT_STREAM, JSON, TEXT
from quire.faces.rest.route import Answer, Param, Route
from quire.node.node import Node
from quire.node.why import Why

TIMEOUT = Param(
    "timeout",
    "how long the network may be asked, such as 5s, at most 1h; 30 s if not given",
    limits={"pattern": r"^[0-9]+(\.[0-9]+)?[smh]?$"},
)
BAD_CID = Answer("the CID cannot be read")
NOT_FOUND = Answer("it is not to be had")
TOO_LATE = Answer("nobody answered in time")
STOPPING = Answer("the node is stopping")
NETWORK = {
    502: Answer("another node failed"),
    503: STOPPING,
    504: TOO_LATE,
    507: Answer("it does not fit into the quota or on the disk"),
}
INLINE = Param(
    "inline",
    "1: to be shown instead of saved, for types that are safe to show",
    limits={"enum": ["0", "1", "true", "false"]},
)
STREAM = "application/octet-stream"
ANY = "*/*"  # a download has the media type it was stored with
ITEM = Answer("the dataset", JSON, s.DataItem)
NO_CHAIN = {503: Answer("this node has no chain")}


def all_routes(streams: EventStreams) -> list[Route]:
    """Every route. `streams` keeps the open event streams of the server."""
    return [*_data(), *_node(), *_debug(), *_market(), *_quire(streams)]


def _data() -> list[Route]:
    network = {400: BAD_CID, 404: NOT_FOUND} | NETWORK
    body = {
        200: Answer("the bytes", ANY),
        206: Answer("the wanted ranges of the bytes", ANY),
        304: Answer("unchanged"),
        412: Answer("If-Match names other content"),
        416: Answer("the range is outside the content"),
    }
    naming = (
        Param("filename", "file name; goes before Content-Disposition"),
        Param("mimetype", "media type; goes before Content-Type"),
        Param(
            "blockSize",
            "bytes of a block; that of the network if not given",
            "integer",
            limits={"enum": [1 << n for n in range(12, 20)]},
        ),
    )
    paging = (
        Param(
            "limit",
            "how many at most",
            "integer",
            limits={"minimum": 1, "maximum": data.MOST_LISTED},
        ),
        Param("cursor", "where the page before this one ended", limits={"pattern": "^[0-9]+$"}),
    )
    return [
        Route("POST", "/data", upload.upload, "Store the body as a dataset",
              {200: Answer("the manifest CID", TEXT), 400: Answer("the body ended too early"),
               422: Answer("a bad media type or file name"),
               415: Answer("the Content-Type is malformed"), 504: Answer("nothing was sent"),
               503: STOPPING, 507: Answer("it does not fit into the quota or on the disk")},
              body=STREAM, answers_options=True, params=naming),
        Route("GET", "/data", data.list_data, "List datasets",
              {200: Answer("datasets, oldest first", JSON, s.DataList)}, params=paging),
        Route("GET", "/data/{cid}", download.download_local,
              "Download a dataset or block of this node",
              body | network, params=(TIMEOUT, INLINE), answers_options=True),
        Route("DELETE", "/data/{cid}", data.delete, "Delete a dataset from this node",
              {204: Answer("it is not here any more"), 400: BAD_CID,
               409: Answer("a block that is part of a dataset")}, answers_options=True),
        Route("GET", "/data/{cid}/status", status.stat, "What this node holds of a dataset",
              {200: Answer("blocks present and in all", JSON, s.DatasetStat), 400: BAD_CID,
               404: NOT_FOUND}),
        Route("GET", "/data/{cid}/blocks/{index}", blocks.block,
              "One raw block of a dataset, its CID and proof in headers",
              body | network, params=(TIMEOUT, INLINE)),
        Route("POST", "/data/{cid}/network", data.start_fetch, "Fetch a dataset in the background",
              {200: ITEM} | network, params=(TIMEOUT,)),
        Route("GET", "/data/{cid}/network/stream", download.download_network,
              "Download a dataset or block from wherever it is",
              body | network, params=(TIMEOUT, INLINE)),
        Route("GET", "/data/{cid}/network/manifest", data.network_manifest, "Read a manifest",
              {200: ITEM} | network, params=(TIMEOUT,)),
        Route("GET", "/data/{cid}/exists", data.exists, "Whether a manifest or block is here",
              {200: Answer("under the CID and under `has`", JSON, dict[str, bool]), 400: BAD_CID}),
        Route("GET", "/space", data.space, "Quota and its use",
              {200: Answer("blocks and bytes", JSON, s.SpaceBody)}),
    ]  # fmt: skip


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


def _market() -> list[Route]:
    paths = (
        ("GET", "/sales/slots", "List slots that this node fills"),
        ("GET", "/sales/slots/{slotId}", "One slot"),
        ("GET", "/sales/availability", "List what this node offers"),
        ("POST", "/sales/availability", "Offer space"),
        ("PATCH", "/sales/availability/{id}", "Change an offer"),
        ("GET", "/sales/availability/{id}/reservations", "Reservations of an offer"),
        ("POST", "/storage/request/{cid}", "Buy storage for a dataset"),
        ("GET", "/storage/purchases", "List purchases"),
        ("GET", "/storage/purchases/{id}", "One purchase"),
    )
    return [
        Route(method, path, market.no_chain, summary, dict(NO_CHAIN), tag="marketplace",
              bases="compatible", answers_options=path == "/sales/availability/{id}")
        for method, path, summary in paths
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
        "/events": (
            Param("subject", "only events about this CID or peer"),
            Param("kind", "only kinds that begin so"),
            Param("since", "serial after which to begin; as the header Last-Event-ID"),
        )
    }
    return [
        Route(method, path, handler, summary, answers, bases="quire", tag=tag,  # type: ignore[arg-type]
              params=params.get(path, (TIMEOUT,) if method == "POST" else ()),
              is_open=path == "/health")
        for method, path, handler, summary, answers, tag in rows
    ]  # fmt: skip
