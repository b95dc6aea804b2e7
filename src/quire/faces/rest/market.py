"""Sales and purchases: answered as the reference does when it runs without a chain."""

from __future__ import annotations

from aiohttp import web

from quire.base.errors import Busy
from quire.faces.rest.reply import Plain
from quire.node.node import Node

NO_CHAIN = "Persistence is not enabled"


async def no_chain(_request: web.Request, _node: Node) -> web.Response:
    raise Plain(503, NO_CHAIN, Busy(f"{NO_CHAIN}: this node has no chain to trade on"))
