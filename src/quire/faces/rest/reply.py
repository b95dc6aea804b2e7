"""Answers in the shape of the reference: text without a newline, compact JSON, errors as text."""

from __future__ import annotations

import msgspec
from aiohttp import web

from quire.base.errors import QuireError
from quire.faces.rest.accept import preferred_type

JSON = "application/json"
PROBLEM = "application/problem+json"
TEXT = "text/plain"
HTML = "text/html"
EVENT_STREAM = "text/event-stream"
STREAM_HTML = "text/html; charset=utf-8"  # what downloads answer errors with
ERROR_HEADERS = {"Content-Security-Policy": "default-src 'none'; sandbox"}  # never run as a page


class Plain(Exception):
    """An answer that the reference gives in these very words. `error` is our own account of it."""

    def __init__(
        self, status: int, text: str, error: QuireError | None = None, media_type: str = HTML
    ) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.error = error
        self.media_type = media_type
        self.headers: dict[str, str] = {}


def reply_json(value: object, status: int = 200, media_type: str = JSON) -> web.Response:
    return _reply(msgspec.json.encode(value), status, media_type)


def reply_pretty(value: object) -> web.Response:
    """JSON with two blanks of indentation, as `/debug/info` has it."""
    return _reply(msgspec.json.format(msgspec.json.encode(value), indent=2), 200, JSON)


def reply_text(text: str, status: int = 200, media_type: str = TEXT) -> web.Response:
    return _reply(text.encode(), status, media_type)


def reply_empty(status: int) -> web.Response:
    return web.Response(status=status)


def reply_choice(request: web.Request, key: str, value: str) -> web.Response:
    """`{"key": value}`, or the bare text when the client prefers text/plain to everything else."""
    if preferred_type(request.headers.get("Accept", "")) == TEXT:
        return reply_text(value)
    return reply_json({key: value})


def _reply(body: bytes, status: int, media_type: str) -> web.Response:
    return web.Response(body=body, status=status, headers={"Content-Type": media_type})
