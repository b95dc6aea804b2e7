"""Routes of sealed replicas: part of the table of routes."""

from __future__ import annotations

from aiohttp import web

from quire.faces.rest import replica_shapes as r
from quire.faces.rest import replicas
from quire.faces.rest.data_routes import STREAM, TIMEOUT
from quire.faces.rest.events import EventStreams
from quire.faces.rest.reply import EVENT_STREAM, JSON
from quire.faces.rest.route import Answer, Handler, Route
from quire.node.node import Node

_NONE = {503: Answer("this node has no hub of payment channels")}
_UNKNOWN = {404: Answer("there is no such upload")}
_BAD = {400: Answer("a capability or a number of the body is malformed"),
        413: Answer("the body is too large")}  # fmt: skip
_AWAY = {402: Answer("the account cannot pay for it"),
         404: Answer("nobody shows or serves replicas under this capability"),
         409: Answer("it costs more than the budget"),
         502: Answer("providers, or the chain, do not answer")}  # fmt: skip


def replica_routes(streams: EventStreams) -> list[Route]:
    """At Quire's own base."""

    async def events(request: web.Request, node: Node) -> web.StreamResponse:
        return await replicas.follow(request, node, streams)

    one = "/replicas/{uploadId}"
    shown = Answer("the upload with its links", JSON, r.ReplicaUpload)
    rows: list[tuple[str, str, Handler, str, dict[int, Answer], str]] = [
        ("POST", "/replicas", replicas.put, "Keep a dataset of ciphertext as sealed replicas",
         {201: shown, 404: Answer("not all of the ciphertext is here"),
          422: Answer("replicas cannot be made of this dataset"),
          507: Answer("no space is left on the disk")} | _BAD, JSON),
        ("GET", "/replicas", replicas.list_all, "List files kept as sealed replicas",
         {200: Answer("uploads, oldest first", JSON, r.ReplicaUploads)}, ""),
        ("GET", one, replicas.show, "One of them, with its links", {200: shown} | _UNKNOWN, ""),
        ("GET", f"{one}/events", events, "Follow one of them, as server-sent events",
         {200: Answer("a stream of events", EVENT_STREAM), 400: Answer("a bad serial")}
         | _UNKNOWN, ""),
        ("POST", f"{one}/renew", replicas.renew, "Keep it for longer",
         {200: shown, 409: Answer("it was released")} | _BAD | _UNKNOWN, JSON),
        ("DELETE", one, replicas.release, "Providers need not keep it any longer",
         {204: Answer("they are told")} | _UNKNOWN, ""),
        ("POST", "/replicas/find", replicas.find, "Who holds replicas, by a repair capability",
         {200: Answer("the newest map", JSON, r.FoundReplicas)} | _BAD | _AWAY, JSON),
        ("POST", "/replicas/read", replicas.read, "Bytes of a ciphertext, from its replicas",
         {200: Answer("the bytes", STREAM)} | _BAD | _AWAY, JSON),
    ]  # fmt: skip
    return [
        Route(method, path, handler, summary, answers | _NONE, bases="quire", tag="replicas",
              body=body, params=(TIMEOUT,) if path.endswith(("find", "read")) else ())
        for method, path, handler, summary, answers, body in rows
    ]  # fmt: skip
