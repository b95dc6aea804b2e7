"""Who may call: the token, and which web pages (CORS).

Without a token file everybody who reaches the address may call, which is why it is loopback. A web
page may only change something when its origin is allowed or is this very address.
"""

from __future__ import annotations

import base64
import hmac
import stat
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict

from quire.base.errors import BadConfig, InputError, QuireError, UnsafePermissions
from quire.faces.rest.reply import Plain, reply_empty

MOST_ORIGINS = "Only a single Origin header must be specified"
# What pages may send and read, besides what every page may.
ALLOWED_HEADERS = ", ".join((
    "authorization, content-type, content-disposition, content-digest",
    "range, if-match, if-none-match, if-range, last-event-id, x-request-id, quire-cap",
    "tus-resumable, upload-length, upload-offset, upload-metadata, upload-defer-length",
    "upload-concat, upload-checksum, x-http-method-override, x-requested-with",
))  # fmt: skip
EXPOSED_HEADERS = ", ".join((
    "content-disposition, content-range, content-length, etag, accept-ranges, location, link",
    "tus-resumable, tus-version, tus-extension, tus-max-size, tus-checksum-algorithm",
    "upload-offset, upload-length, upload-expires, upload-metadata, upload-defer-length",
    "x-request-id, quire-cid, quire-block-cid, quire-block-proof, quire-proof-bytes",
))  # fmt: skip
MAX_AGE_SECONDS = "86400"
LEAST_TOKEN_CHARACTERS = 16
_CHANGING = frozenset(("POST", "PUT", "PATCH", "DELETE"))


class Unauthorized(QuireError):
    code, http, exit = "unauthorized", 401, 4
    hint = "give the token with --token-file, or the header Authorization: Bearer ..."


def read_token(path: Path) -> str:
    """The token of a file that only its owner may read.

    Raises   UnsafePermissions  others may read it
             BadConfig          it cannot be read, or the token is too short
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"token file {path} cannot be read: {error}") from None
    if mode & 0o077:
        raise UnsafePermissions(f"the token file {path} is readable by others (mode {mode:o})")
    if len(token) < LEAST_TOKEN_CHARACTERS:
        raise BadConfig(
            f"the token in {path} has {len(token)} characters; use {LEAST_TOKEN_CHARACTERS} or more"
        )
    return token


class Guard:
    """The checks that come before every handler. `origins` is the setting api-cors-origin."""

    def __init__(
        self, token: str | None, origins: tuple[str, ...], open_paths: frozenset[str]
    ) -> None:
        self._token = token
        self._origins = origins
        self._open_paths = open_paths

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        origins = request.headers.getall("Origin", [])
        if self._origins and len(origins) > 1:
            raise Plain(400, MOST_ORIGINS, InputError(MOST_ORIGINS))
        if request.method in _CHANGING and origins and not self._may_change(request, origins):
            error = InputError(f"web pages of {origins[0]} may not change this node")
            raise Plain(403, f"{error.message}; see api-cors-origin", error)
        if request.method != "OPTIONS" and request.path not in self._open_paths:
            self._check_token(request.headers.get("Authorization", ""))
        return await handler(request)

    def _check_token(self, header: str) -> None:
        if self._token is None:
            return
        given = _credential(header).encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self._token.encode()):
            error = Unauthorized("the API token is missing or wrong")
            plain = Plain(401, error.message, error)
            plain.headers["WWW-Authenticate"] = 'Bearer realm="quire"'
            raise plain

    def _may_change(self, request: web.Request, origins: list[str]) -> bool:
        return all(
            self._allows(origin) or _split(origin).netloc == request.host for origin in origins
        )

    def _allows(self, origin: str) -> bool:
        parts = _split(origin)
        places = (parts.netloc, parts.hostname)
        return any(
            allowed in ("*", origin) if "://" in allowed or allowed == "*" else allowed in places
            for allowed in self._origins
        )

    async def add_headers(self, request: web.Request, answer: web.StreamResponse) -> None:
        """What every answer carries, errors included; run when the headers are about to be sent."""
        headers = answer.headers
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Server"] = "quire"
        origins = request.headers.getall("Origin", [])
        if not self._origins or len(origins) > 1:
            return
        self._add_origin(headers, origins)
        headers.setdefault("Access-Control-Allow-Methods", f"{request.method}, OPTIONS")
        headers["Access-Control-Max-Age"] = MAX_AGE_SECONDS
        headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS

    def _add_origin(self, headers: CIMultiDict[str], origins: list[str]) -> None:
        if "*" in self._origins:
            headers["Access-Control-Allow-Origin"] = "*"
            return
        headers["Vary"] = ", ".join([*headers.getall("Vary", []), "Origin"])
        if origins and self._allows(origins[0]):
            headers["Access-Control-Allow-Origin"] = origins[0]

    def preflight(self, methods: list[str], is_always: bool) -> web.Response:
        """The answer to OPTIONS on a path. Without CORS most paths do not know it."""
        if not self._origins:
            return reply_empty(204 if is_always else 404)
        answer = reply_empty(204)
        answer.headers["Access-Control-Allow-Methods"] = ", ".join([*methods, "OPTIONS"])
        answer.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
        return answer


def _split(origin: str) -> SplitResult:
    """The parts of an Origin header; one that is no URL has none. `urlsplit` overlooks tabs."""
    try:
        return urlsplit(origin if origin.isprintable() else "")
    except ValueError:
        return urlsplit("")


def _credential(header: str) -> str:
    """The token of a Bearer header, or the password of a Basic one (older clients send that)."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except ValueError:
            return ""
    return ""
