"""How failures leave the API.

At the compatible bases an error is a plain text, as the reference sends it. It is JSON at
/api/quire/v1: `QuireError.as_dict()`. Whoever names application/problem+json in Accept gets that
(RFC 9457), with the same fields besides its own.
"""

from __future__ import annotations

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from quire.base.errors import BadCid, Bug, QuireError, Refused
from quire.faces.rest.accept import asks_for
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
            return _unknown(request, error)
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
    if asks_for(request.headers.get("Accept", ""), PROBLEM):
        return PROBLEM
    return JSON if request.path.startswith(QUIRE_BASE) else ""


def _failure(
    request: web.Request, error: QuireError | None, status: int, text: str, media_type: str
) -> web.Response:
    as_json = wants_json(request)
    if as_json:
        problem = error or Refused(text)
        return _as_json(problem.as_dict(), status, as_json)
    answer = reply_text(text, status, media_type)
    answer.headers.update(ERROR_HEADERS)
    return answer


def _as_json(body: dict[str, object], status: int, media_type: str) -> web.Response:
    if media_type == PROBLEM:
        named = {"type": "about:blank", "title": body["code"], "detail": body["message"]}
        body = {**named, "status": status, **body}
    return reply_json(body, status, media_type)


def _unknown(request: web.Request, error: web.HTTPException) -> web.Response:
    """Unknown path or method: 404 without words, as the reference. With words when JSON is wanted;
    at our own base a method that a path does not know is 405."""
    media_type = wants_json(request)
    if not media_type:
        return reply_empty(404)
    body: dict[str, object] = {
        "code": "unknown-route",
        "message": f"there is no {request.method} {request.path}",
        "hint": f"see {QUIRE_BASE}/openapi.json",
    }
    if isinstance(error, web.HTTPMethodNotAllowed) and request.path.startswith(QUIRE_BASE):
        answer = _as_json(body | {"code": "unknown-method"}, 405, media_type)
        answer.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        return answer
    return _as_json(body, 404, media_type)
