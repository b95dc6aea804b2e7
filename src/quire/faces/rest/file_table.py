"""The routes of contents that this node encrypts and decrypts, and of signed values."""

from __future__ import annotations

from quire.faces.rest import files, pointers
from quire.faces.rest.data_routes import ANY, INLINE, NETWORK, NOT_FOUND, STREAM, TIMEOUT
from quire.faces.rest.file_shapes import FileMade
from quire.faces.rest.pointer_shapes import PointerPut
from quire.faces.rest.reply import JSON
from quire.faces.rest.route import Answer, Param, Route

_CAP = Param(files.CAP_HEADER, "a read capability, pn1r:… or pn1l:…")
_EXACT = Param(
    "exact",
    "1: let the stored length tell the true one; it is padded if not given",
    limits={"enum": ["0", "1", "true", "false"]},
)


def file_routes() -> list[Route]:
    """At Quire's own base."""
    return [
        Route("POST", "/files", files.put_file, "Encrypt the body and store it",
              {201: Answer("the capabilities, which this node does not keep", JSON, FileMade),
               400: Answer("the body ended too early"), 411: Answer("without Content-Length"),
               415: Answer("the Content-Type is malformed"),
               422: Answer("a bad media type or file name"), 503: Answer("the node is stopping"),
               504: Answer("nothing was sent"),
               507: Answer("it does not fit into the quota or on the disk")},
              bases="quire", tag="files", body=STREAM,
              params=(Param("filename", "file name; goes before Content-Disposition"),
                      Param("mimetype", "media type; goes before Content-Type"), _EXACT)),
        Route("GET", "/files", files.get_file, "Read what a read capability names, decrypted here",
              {200: Answer("the bytes", ANY), 206: Answer("the wanted ranges of the bytes", ANY),
               304: Answer("unchanged"),
               400: Answer("the capability cannot be read, or does not read"),
               404: NOT_FOUND, 412: Answer("If-Match names other content"),
               416: Answer("the range is outside the content"),
               422: Answer("the capability does not fit the dataset")} | NETWORK,
              bases="quire", tag="files", params=(TIMEOUT, INLINE), headers=(_CAP,)),
    ]  # fmt: skip


def pointer_routes() -> list[Route]:
    """At Quire's own base."""
    return [
        Route("PUT", "/pointers", pointers.put_pointer,
              "Keep a signed value, and offer it to peers",
              {200: Answer("where it is kept", JSON, PointerPut),
               400: Answer("the body is no signed value"),
               409: Answer("a newer version is here, or there is no room"),
               413: Answer("it is too long"), 504: Answer("nothing was sent")},
              bases="quire", tag="pointers", body=STREAM),
        Route("GET", "/pointers/{locator}", pointers.get_pointer,
              "The newest version of a signed value, from wherever it is",
              {200: Answer("the value", STREAM), 404: Answer("nobody has it")},
              bases="quire", tag="pointers", params=(TIMEOUT,)),
    ]  # fmt: skip
