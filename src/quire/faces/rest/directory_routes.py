"""The routes of directories."""

from __future__ import annotations

from quire.faces.rest import directory, directory_put
from quire.faces.rest.directory_shapes import DirectoryMade, ListBody
from quire.faces.rest.reply import JSON
from quire.faces.rest.route import Answer, Bases, Param, Route

_TIMEOUT = Param("timeout", "how long the network may be asked, such as 5s; 30 s if not given")
_PART = (
    Param("limit", "entries in one answer, at most 10000; 1000 if not given", kind="integer"),
    Param("after", "the `next` of the answer before"),
    Param("recursive", "1 or true: everything below, not one level"),
)
_FAILURES = {
    400: Answer("the CID or a parameter cannot be read"),
    404: Answer("it is not to be had, or there is no such path"),
    409: Answer("the CID is not a directory"),
    504: Answer("nobody answered in time"),
}


def directory_routes() -> list[Route]:
    """Reading at all bases, under names that no other node of the family uses."""
    made = {
        201: Answer("the CID of the directory", JSON, DirectoryMade),
        400: Answer("an entry is refused, or the body cannot be read"),
        404: Answer("the dataset of an entry is not to be had"),
        413: Answer("the list of entries is too long"),
        422: Answer("a name is not valid"),
        504: Answer("nobody answered in time"),
        507: Answer("it does not fit into the quota or on the disk"),
    }
    posts: tuple[tuple[str, Bases], ...] = (("/directories", "quire"), ("/directory", "compatible"))
    tag = "directories"
    return [
        Route("GET", "/data/{cid}/path/{path}", directory.path_of_directory,
              "A file of a directory, a listing, or a tar stream",
              {200: Answer("the bytes of a file; of a directory its listing", "*/*"),
               206: Answer("the wanted range of the bytes of a file", "*/*"),
               304: Answer("unchanged"),
               416: Answer("the range is outside the file")} | _FAILURES,
              tag=tag, params=(Param("format", "tar, or json for a listing"), *_PART, _TIMEOUT)),
        Route("GET", "/data/{cid}/list", directory.list_directory, "List a directory",
              {200: Answer("a part of the listing", JSON, ListBody)} | _FAILURES,
              tag=tag, params=(Param("path", "a directory within it"), *_PART, _TIMEOUT)),
        Route("GET", "/datasets/{cid}/blocks", directory.proved_blocks,
              "Whole blocks behind the proof that they belong to the dataset",
              {200: Answer("proof, then blocks; Quire-Proof-Bytes says where the blocks begin",
                           "application/octet-stream")} | _FAILURES,
              bases="quire", tag="datasets",
              params=(Param("start", "the first block; 0 if not given", kind="integer"),
                      Param("count", "how many; 1 if not given", kind="integer"), _TIMEOUT)),
        *(Route("POST", path, directory_put.make_directory,
                "Make a directory of datasets or of a tar stream", made, bases=bases, tag=tag,
                body="application/json, application/x-tar", params=(_TIMEOUT,))
          for path, bases in posts),
    ]  # fmt: skip
