"""One route of the API, declared once: for the router, for OpenAPI, and for the tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from aiohttp import web

from quire.node.node import Node

QUIRE_BASE = "/api/quire/v1"

Handler: TypeAlias = Callable[[web.Request, Node], Awaitable[web.StreamResponse]]
Bases: TypeAlias = Literal["all", "compatible", "quire"]


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter in the query or in the path; path parameters are found by their braces."""

    name: str
    description: str
    kind: str = "string"  # a JSON schema type
    repeated: bool = False
    limits: Mapping[str, object] = field(default_factory=dict)  # more of the JSON schema


@dataclass(frozen=True, slots=True)
class Answer:
    """One possible answer: `schema` is a msgspec type, or None for no body or a plain one."""

    description: str
    media_type: str = ""
    schema: object = None


@dataclass(frozen=True, slots=True)
class Route:
    """`bases`: at all bases, at the compatible ones of the profile only, or at Quire's only."""

    method: str
    path: str
    handler: Handler
    summary: str
    answers: dict[int, Answer]
    bases: Bases = "all"
    tag: str = "data"
    params: tuple[Param, ...] = ()
    headers: tuple[Param, ...] = ()
    body: str = ""  # media types of the request's body, with ", " between them
    answers_options: bool = False  # the reference answers OPTIONS here without CORS too
    is_open: bool = False  # needs no token
    options: Callable[[Node], dict[str, str]] | None = None  # more headers for OPTIONS
    extra: dict[str, object] = field(default_factory=dict)


_BASE58 = "[1-9A-HJ-NP-Za-km-z]"
PATH_PARAMS = {
    param.name: param
    for param in (
        Param("cid", "a CID, as base58btc (z...) or in another multibase",
              limits={"pattern": "^[a-zA-Z0-9+/=_-]+$"}),
        Param("peerId", "a peer id, 16Uiu2HA...", limits={"pattern": f"^{_BASE58}+$"}),
        Param("index", "number of a block, from 0", "integer", limits={"minimum": 0}),
        Param("path", "a path within a directory; it may have slashes, and be empty"),
        Param("uploadId", "the last part of an upload's Location"),
        Param("id", "32 bytes in hexadecimal"),
        Param("name", "a name of a dataset on this node: letters, digits, . _ + -"),
        Param("slotId", "32 bytes in hexadecimal"),
        Param("slot", "number of a slot, from 0", "integer", limits={"minimum": 0}),
        Param("locator", "32 bytes in hexadecimal"),
        Param("payee", "an account, 0x and 40 hexadecimal digits"),
        Param("account", "an account, 0x and 40 hexadecimal digits"),
        Param("jobId", "16 bytes in hexadecimal"),
        Param("encodingId", "the id of an encoding that was begun"),
        Param("proofId", "the id of a proof that was asked for"),
    )
}  # fmt: skip
