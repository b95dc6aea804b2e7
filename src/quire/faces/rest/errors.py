"""How failures leave the API.

At the compatible bases an error is a plain text, as the reference sends it; it is JSON when the
client asks for JSON, and always at /api/quire/v1. The JSON is `QuireError.as_dict()`.
"""

from __future__ import annotations

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from quire.base.errors import BadCid, Bug, QuireError
from quire.faces.rest.reply import (
    ERROR_HEADERS,
    HTML,
    JSON,
    PROBLEM,
    Plain,
    reply_empty,
    reply_json,
    reply_text,
)
from quire.faces.rest.route import QUIRE_BASE

INCORRECT_CID = "Incorrect Cid"


@web.middleware
async def errors_as_answers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a handler raises into an answer, once nothing has been sent yet."""
    try:
        return await handler(request)
    except Plain as plain:
        answer = _failure(request, plain.error, plain.status, plain.text, plain.media_type)
        answer.headers.update(plain.headers)
        return answer
    except QuireError as error:
        text = INCORRECT_CID if isinstance(error, BadCid) else error.message
        return _failure(request, error, error.http, text, HTML)
    except web.HTTPException as error:
        if error.status in (404, 405):
            return _unknown(request)
        raise
    except (ConnectionError, web.GracefulExit):
        raise
    except Exception as error:
        structlog.get_logger().error(
            "a request failed", topics="restapi", path=request.path, exc_info=error
        )
        bug = Bug(f"this request met a mistake of ours: {type(error).__name__}")
        return _failure(request, bug, 500, bug.message, HTML)


def wants_json(request: web.Request) -> str:
    """The JSON media type that errors should have, or the empty text for plain words."""
    accept = request.headers.get("Accept", "")
    if PROBLEM in accept:
        return PROBLEM
    return JSON if JSON in accept or request.path.startswith(QUIRE_BASE) else ""


def _failure(
    request: web.Request, error: QuireError | None, status: int, text: str, media_type: str
) -> web.Response:
    as_json = wants_json(request)
    if as_json:
        body = error.as_dict() if error is not None else {"code": "refused", "message": text}
        if as_json == PROBLEM:
            body = {"type": "about:blank", "title": body["code"], "status": status} | body
        answer = reply_json(body, status, as_json)
    else:
        answer = reply_text(text, status, media_type)
        answer.headers.update(ERROR_HEADERS)
    return answer


def _unknown(request: web.Request) -> web.Response:
    """Unknown path or method: 404 without words, as the reference; with words at our own base."""
    if not request.path.startswith(QUIRE_BASE):
        return reply_empty(404)
    body = {
        "code": "unknown-route",
        "message": f"there is no {request.method} {request.path}",
        "hint": f"see {QUIRE_BASE}/openapi.json",
    }
    return reply_json(body, 404)
