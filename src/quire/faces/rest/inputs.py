"""What comes in with a request: CIDs, timeouts, names, media types, numbers."""

from __future__ import annotations

import math
import re

from aiohttp import web

from quire.base.errors import BadEncoding, InputError
from quire.base.units import parse_duration
from quire.chain.abi import parse_id
from quire.faces.rest.disposition import checked_filename, filename_in
from quire.faces.rest.reply import HTML, Plain
from quire.formats.cid import Cid
from quire.formats.names import check_mimetype
from quire.node.node import Node

MAX_TIMEOUT_SECONDS = 3600.0
YEARS_MAX_SECONDS = 1000 * 365.25 * 86_400  # beyond it nobody means a time
MIN_UPLOAD_BLOCK_BYTES, MAX_UPLOAD_BLOCK_BYTES = 4096, 524288
_MALFORMED_TYPE = re.compile(r"[^/\s;]+/[^/\s;]+\s*(;.*)?")
_TOO_SHORT = re.compile(r"(?:0[xX])?\w{0,63}", re.ASCII)
_FORM = "application/x-www-form-urlencoded"


def cid_of(request: web.Request) -> Cid:
    """The CID in the path, in any base. Raises `BadCid`."""
    return Cid.parse(request.match_info["cid"])


def timeout_of(request: web.Request, node: Node) -> float:
    """Seconds this request may wait for the network: `?timeout=`, else the node's setting."""
    text = request.query.get("timeout")
    if text is None:
        return node.config.request_timeout
    seconds = parse_duration(text)
    if not 0 < seconds <= MAX_TIMEOUT_SECONDS:
        raise InputError(f"timeout={text} is not above 0 and at most {MAX_TIMEOUT_SECONDS:.0f} s")
    return seconds


def until_of(request: web.Request, node: Node) -> float | None:
    """When `?for=` from now is over; None for ever. Raises InputError."""
    text = request.query.get("for")
    seconds = 0.0 if text is None else parse_duration(text)
    if not math.isfinite(seconds) or seconds > YEARS_MAX_SECONDS:
        raise InputError(f"for={text} is beyond 1000 years; 0 is for ever")
    return node.clock.now() + seconds if seconds else None


def whole_of(text: str, name: str, low: int, high: int) -> int:
    """A number in path or query. Raises `InputError`."""
    if text.isascii() and text.isdigit() and len(text) < 19 and low <= int(text) <= high:
        return int(text)
    raise InputError(f"{name}={text[:40]} is not a whole number from {low} to {high}")


def id_of(request: web.Request, name: str) -> bytes:
    """The 32 bytes of an id in the path. Raises `Plain`."""
    text = request.match_info[name]
    try:
        return parse_id(text)
    except BadEncoding as error:
        words = "hex string too short" if _TOO_SHORT.fullmatch(text) else error.message
        raise Plain(400, words, error) from None


def is_wanted(request: web.Request, name: str) -> bool:
    """Whether a switch of the query is on. Raises `InputError`."""
    text = request.query.get(name, "0").lower()
    if text not in ("0", "1", "false", "true"):
        raise InputError(f"{name}={text[:40]} is neither 0 nor 1")
    return text in ("1", "true")


def block_size_of(request: web.Request, node: Node) -> int:
    """Bytes of a block of this upload: `?blockSize=`, else that of the network profile."""
    text = request.query.get("blockSize")
    if text is None:
        return node.profile.block_size
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InputError("Invalid blockSize parameter")
    size = int(text)
    if size & (size - 1) or not MIN_UPLOAD_BLOCK_BYTES <= size <= MAX_UPLOAD_BLOCK_BYTES:
        raise InputError(
            f"blockSize must be a power of two between {MIN_UPLOAD_BLOCK_BYTES} and"
            f" {MAX_UPLOAD_BLOCK_BYTES} bytes"
        )
    return size


def mimetype_of(request: web.Request) -> str | None:
    """The media type of an upload, without parameters; None when there is none.

    `?mimetype=` goes before the header, which many clients set to something of their own.
    """
    header = request.headers.get("Content-Type", "")  # two of them the HTTP parser refuses
    if header and _MALFORMED_TYPE.fullmatch(header.strip()) is None:
        raise Plain(415, "", InputError(f"the Content-Type {header!r} is malformed"))
    value = request.query.get("mimetype", header)
    if not value:
        return None
    try:
        mimetype = check_mimetype(value)
        is_form = header.lower().startswith("multipart/") or mimetype.lower() == _FORM
        if is_form or mimetype.lower().startswith("multipart/"):
            raise InputError("forms are not unpacked; send the bytes of the file as the body")
    except InputError as error:
        raise Plain(422, f"The MIME type '{value}' is not valid.", error, HTML) from None
    return mimetype


def filename_of(request: web.Request) -> str | None:
    """The file name of an upload: `?filename=`, else Content-Disposition; None when none is."""
    given, header = request.query.get("filename"), request.headers.get("Content-Disposition")
    try:
        if given is not None:
            return checked_filename(given)
        return None if header is None else filename_in(header)
    except InputError as error:
        raise Plain(422, "The filename is not valid.", error) from None
