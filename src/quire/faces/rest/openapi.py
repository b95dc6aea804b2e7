"""The OpenAPI 3.1 document, made from the table of routes and the msgspec types."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

import quire
from quire.faces.rest.reply import EVENT_STREAM, HTML, JSON, PROBLEM, TEXT
from quire.faces.rest.route import PATH_PARAMS, QUIRE_BASE, Answer, Param, Route
from quire.faces.rest.schemas import ErrorBody

REF = "#/components/schemas/{name}"
_BRACES = re.compile(r"\{(\w+)\}")


def openapi(mounted: Iterable[tuple[str, Route]], *, needs_token: bool) -> dict[str, Any]:
    """The document of the routes, each with the base it is mounted at."""
    routes = list(mounted)
    types = [ErrorBody]
    for _, route in routes:
        types += [a.schema for a in route.answers.values() if a.schema is not None]  # type: ignore[misc]
    shapes, components = msgspec.json.schema_components(types, ref_template=REF)
    schema_of = {id(kind): shape for kind, shape in zip(types, shapes, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for base, route in routes:
        operation = _operation(base, route, schema_of, needs_token)
        paths.setdefault(base + route.path, {})[route.method.lower()] = operation
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Quire node",
            "version": quire.__version__,
            "description": "Errors are plain texts at the compatible bases and JSON at"
            f" {QUIRE_BASE}, or wherever Accept asks for JSON.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components},
    }
    if needs_token:
        scheme = {"type": "http", "scheme": "bearer"}
        document["components"]["securitySchemes"] = {"token": scheme}
    return document


def _operation(
    base: str, route: Route, schema_of: dict[int, Any], needs_token: bool
) -> dict[str, Any]:
    name = re.sub(r"\W+", "_", f"{route.method.lower()}{base}{route.path}").strip("_")
    answers = {**_everywhere(route, needs_token), **route.answers}
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": route.summary,
        "tags": [route.tag],
        "responses": {
            str(code): _response(base, code, answers[code], schema_of) for code in sorted(answers)
        },
    }
    params = [_path_param(n) for n in _BRACES.findall(route.path)]
    params += [_param(p, "query") | {"required": False} for p in route.params]
    params += [_param(p, "header") | {"required": True} for p in route.headers]
    if params:
        operation["parameters"] = params
    if route.body:
        content: dict[str, Any] = {media_type: {} for media_type in route.body.split(", ")}
        operation["requestBody"] = {"required": True, "content": content}
    if needs_token and not route.is_open:
        operation["security"] = [{"token": []}]
    if any(answer.media_type == EVENT_STREAM for answer in answers.values()):
        operation["x-endless"] = True
    return operation


def _everywhere(route: Route, needs_token: bool) -> dict[int, Answer]:
    """What every such route may answer besides its own."""
    answers = {400: Answer("the request cannot be read")}
    if needs_token and not route.is_open:
        answers[401] = Answer("the token is missing or wrong")
    if route.method != "GET":
        answers[403] = Answer("a web page of another origin may not do this; see api-cors-origin")
    if "{" in route.path:
        answers[404] = Answer("there is nothing by that name")
    return answers


def _response(base: str, code: int, answer: Answer, schema_of: dict[int, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {"description": answer.description}
    if answer.media_type:
        shape = schema_of[id(answer.schema)] if answer.schema is not None else {}
        response["content"] = {answer.media_type: {"schema": shape} if shape else {}}
    elif code >= 400:
        response["content"] = _error_content(base, code, schema_of[id(ErrorBody)])
    return response


def _error_content(base: str, code: int, shape: Any) -> dict[str, Any]:
    """The forms in which an error comes: words or JSON by base, problem+json when asked for."""
    content = {JSON if base == QUIRE_BASE else HTML: {}, PROBLEM: {"schema": shape}}
    if base == QUIRE_BASE:
        content[JSON] = {"schema": shape}
    return content | ({TEXT: {}} if code == 400 else {})  # the HTTP parser's own words


def _path_param(name: str) -> dict[str, Any]:
    param = PATH_PARAMS.get(name, Param(name, name))
    return _param(param, "path") | {"required": True}


def _param(param: Param, place: str) -> dict[str, Any]:
    one = {"type": param.kind, **param.limits}
    return {
        "name": param.name,
        "in": place,
        "description": param.description,
        "schema": {"type": "array", "items": one} if param.repeated else one,
    }
