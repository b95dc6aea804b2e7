"""What comes in with a request: CIDs, timeouts, names, media types, ranges."""

from __future__ import annotations

import re
from urllib.parse import unquote

from aiohttp import web

from quire.base.errors import InputError
from quire.base.units import parse_duration
from quire.faces.rest.reply import HTML, Plain
from quire.formats.cid import Cid
from quire.formats.names import check_filename, check_mimetype
from quire.node.node import Node

MAX_TIMEOUT_SECONDS = 3600.0
_PARAM = re.compile(r';\s*([\w*]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))')
_MALFORMED_TYPE = re.compile(r"[^/\s;]+/[^/\s;]+\s*(;.*)?")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


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


def mimetype_of(request: web.Request) -> str | None:
    """The media type of an upload, without parameters; None when there is none."""
    values = request.headers.getall("Content-Type", [])
    if len(values) > 1:
        raise Plain(400, "", InputError("two Content-Type headers; send one"))
    if not values or not values[0]:
        return None
    value = values[0]
    if _MALFORMED_TYPE.fullmatch(value.strip()) is None:
        raise Plain(415, "", InputError(f"the Content-Type {value!r} is malformed"))
    try:
        mimetype = check_mimetype(value)
        if mimetype.lower().startswith("multipart/") or mimetype.lower() == _FORM:
            raise InputError("forms are not unpacked; send the bytes of the file as the body")
    except InputError as error:
        raise Plain(422, f"The MIME type '{value}' is not valid.", error, HTML) from None
    return mimetype


_FORM = "application/x-www-form-urlencoded"


def filename_of(request: web.Request) -> str | None:
    """The file name of Content-Disposition, by RFC 6266; None when there is none."""
    header = request.headers.get("Content-Disposition")
    if header is None:
        return None
    found: dict[str, str] = {}
    for name, quoted, bare in _PARAM.findall(";" + header.partition(";")[2]):
        found.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted else bare)
    name = _extended(found["filename*"]) if "filename*" in found else found.get("filename")
    if name is None:
        return None
    try:
        name = name.encode("utf-8", "surrogateescape").decode("utf-8")
        check_filename(name)
    except (InputError, UnicodeDecodeError) as error:
        cause = error if isinstance(error, InputError) else InputError("it is not UTF-8")
        raise Plain(422, "The filename is not valid.", cause) from None
    return name


def _extended(value: str) -> str:
    """`UTF-8''na%C3%AFve.txt` -> `naïve.txt` (RFC 8187)."""
    charset, quote, rest = value.partition("'")
    _, quote_two, encoded = rest.partition("'")
    if not (quote and quote_two) or charset.lower() not in ("utf-8", "iso-8859-1"):
        raise Plain(422, "The filename is not valid.", InputError("filename* is malformed"))
    return unquote(encoded, encoding=charset, errors="strict")


def range_of(request: web.Request, size: int, etag: str) -> tuple[int, int] | None:
    """The wanted bytes [start, stop) when one range is asked for; None for the whole.

    Several ranges, malformed ones and an outdated If-Range mean the whole, as RFC 9110 allows.
    Raises   Plain  416 when the range lies outside
    """
    header = request.headers.get("Range")
    if header is None or request.headers.get("If-Range", etag) != etag:
        return None
    match = _RANGE.fullmatch(header.strip())
    if match is None or not (match[1] or match[2]) or len(header) > 64:
        return None
    if not match[1]:
        start, stop = max(0, size - int(match[2])), size
    else:
        start, stop = int(match[1]), min(size, int(match[2]) + 1 if match[2] else size)
        if match[2] and int(match[2]) < start:
            return None
    if start >= size or start == stop:
        error = InputError(f"the range {header} is outside the {size} bytes of the dataset")
        outside = Plain(416, error.message, error)
        outside.headers["Content-Range"] = f"bytes */{size}"
        raise outside
    return start, stop
