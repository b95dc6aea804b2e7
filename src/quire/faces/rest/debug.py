"""/debug/info and /debug/chronicles/loglevel, as the reference has them."""

from __future__ import annotations

from aiohttp import web

import quire
from quire.base.errors import BadConfig, InputError
from quire.chain.artefact import artefact
from quire.faces.rest.identity import announced_addresses, key_of, listen_addresses, spr_of
from quire.faces.rest.reply import Plain, reply_empty, reply_pretty
from quire.faces.rest.schemas import Table, TableNode
from quire.formats.multiaddr import Multiaddr
from quire.node.node import Node

REVISION_DIGITS = 8  # of the hash of the contracts' sources
LEVELS_TEXT = "Please specify one of: trace, debug, info, notice, warn, error or fatal"


async def info(request: web.Request, node: Node) -> web.Response:
    """The node in one object; its version is under the brand word of the base that was asked."""
    me = node.transport.peer_id
    addresses = listen_addresses(node)
    record = spr_of(node)
    peers = {c.peer: c for c in node.transport.connections()}
    brand = request.path.split("/")[2]
    return reply_pretty(
        {
            "id": me,
            "addrs": addresses,
            "repo": str(node.config.data_dir),
            "spr": record,
            "announceAddresses": announced_addresses(node),
            "table": Table(
                TableNode(key_of(me), me, record, _host_port(addresses[:1]), seen=True),
                [
                    TableNode(key_of(peer), peer, "", _host_port([c.address]), seen=True)
                    for peer, c in peers.items()
                ],
            ),
            brand: {
                "version": f"v{quire.__version__}",
                "revision": "quire",
                "contracts": artefact("Marketplace").source_hash[:REVISION_DIGITS],
            },
        }
    )


def _host_port(addresses: list[str]) -> str | None:
    if not addresses:
        return None
    try:
        address = Multiaddr.parse(addresses[0])
    except InputError:
        return None
    port = address.value_of("tcp") or address.value_of("udp")
    return f"{address.host}:{port}" if address.host and port else None


async def log_level(request: web.Request, node: Node) -> web.Response:
    """Change the log levels of the running node."""
    if request.can_read_body and "Content-Type" not in request.headers:
        raise Plain(400, "", InputError("a body without Content-Type; none is needed here"))
    level = request.query.get("level")
    if level is None:
        raise Plain(400, "Missing log level", InputError("the parameter level is missing"))
    try:
        node.levels.set(level)
    except BadConfig as error:  # the reference answers 500, as if it were its own fault
        raise Plain(400, LEVELS_TEXT, error) from None
    answer = reply_empty(200)
    answer.headers["Content-Type"] = "text/plain"
    return answer
