"""The routes of datasets, blocks and space."""

from __future__ import annotations

from quire.faces.rest import blocks, data, download, status, upload
from quire.faces.rest import schemas as s
from quire.faces.rest.reply import JSON, TEXT
from quire.faces.rest.route import Answer, Param, Route

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
_NETWORK = {400: BAD_CID, 404: NOT_FOUND} | NETWORK
_CONTENT = {
    200: Answer("the bytes", ANY),
    206: Answer("the wanted ranges of the bytes", ANY),
    304: Answer("unchanged"),
    412: Answer("If-Match names other content"),
    416: Answer("the range is outside the content"),
} | _NETWORK
BLOCK_SIZE = Param(
    "blockSize",
    "bytes of a block; that of the network if not given",
    "integer",
    limits={"enum": [1 << n for n in range(12, 20)]},
)
_NAMING = (
    Param("filename", "file name; goes before Content-Disposition"),
    Param("mimetype", "media type; goes before Content-Type"),
    BLOCK_SIZE,
)  # fmt: skip
_PAGING = (
    Param("limit", "how many at most", "integer",
          limits={"minimum": 1, "maximum": data.MOST_LISTED}),
    Param("cursor", "where the page before this one ended", limits={"pattern": "^[0-9]+$"}),
)  # fmt: skip


def data_routes() -> list[Route]:
    """What is the same at every base."""
    return [*_stored(), *_content(), *_facts()]


def _stored() -> list[Route]:
    return [
        Route("POST", "/data", upload.upload, "Store the body as a dataset",
              {200: Answer("the manifest CID", TEXT), 400: Answer("the body ended too early"),
               422: Answer("a bad media type or file name"),
               415: Answer("the Content-Type is malformed"), 504: Answer("nothing was sent"),
               503: STOPPING, 507: Answer("it does not fit into the quota or on the disk")},
              body=STREAM, answers_options=True, params=_NAMING),
        Route("GET", "/data", data.list_data, "List datasets",
              {200: Answer("datasets, oldest first", JSON, s.DataList)}, params=_PAGING),
        Route("DELETE", "/data/{cid}", data.delete, "Delete a dataset from this node",
              {204: Answer("it is not here any more"), 400: BAD_CID,
               409: Answer("a block that is part of a dataset")}, answers_options=True),
    ]  # fmt: skip


def _content() -> list[Route]:
    return [
        Route("GET", "/data/{cid}", download.download_local,
              "Download a dataset or block of this node",
              _CONTENT, params=(TIMEOUT, INLINE), answers_options=True),
        Route("GET", "/data/{cid}/network/stream", download.download_network,
              "Download a dataset or block from wherever it is",
              _CONTENT, params=(TIMEOUT, INLINE)),
        Route("GET", "/data/{cid}/blocks/{index}", blocks.block,
              "One raw block of a dataset, its CID and proof in headers",
              _CONTENT, params=(TIMEOUT, INLINE)),
    ]  # fmt: skip


def _facts() -> list[Route]:
    here = Answer("under the CID and under `has`", JSON, dict[str, bool])
    return [
        Route("POST", "/data/{cid}/network", data.start_fetch, "Fetch a dataset in the background",
              {200: ITEM} | _NETWORK, params=(TIMEOUT,)),
        Route("GET", "/data/{cid}/network/manifest", data.network_manifest, "Read a manifest",
              {200: ITEM} | _NETWORK, params=(TIMEOUT,)),
        Route("GET", "/data/{cid}/exists", data.exists, "Whether a manifest or block is here",
              {200: here, 400: BAD_CID}),
        Route("GET", "/data/{cid}/status", status.stat, "What this node holds of a dataset",
              {200: Answer("blocks present and in all", JSON, s.DatasetStat), 400: BAD_CID,
               404: NOT_FOUND}),
        Route("GET", "/space", data.space, "Quota and its use",
              {200: Answer("blocks and bytes", JSON, s.SpaceBody)}),
    ]  # fmt: skip
