"""The chain's time of a street of replicas, moved on instead of waited for."""

from __future__ import annotations

import asyncio
import re
from urllib.request import urlopen

from quire.faces.local import LocalNode
from quire.faces.rest.route import QUIRE_BASE
from support.replica_street import Street

_TIME = re.compile(r"^quire_chain_time (\S+)$", re.MULTILINE)


async def move_to(street: Street, timestamp: int) -> None:
    """Move it to a second that has not come yet; every node that runs knows it on return."""
    await street.town.market.advance_to(timestamp)
    running = [node for node in street.town.nodes.values() if not node.has_ended]

    async def is_known() -> bool:
        times = await asyncio.gather(*(asyncio.to_thread(_time_of, node) for node in running))
        return min(times) >= timestamp

    await street.town.until(is_known, f"every node knows second {timestamp} of the chain")


def _time_of(node: LocalNode) -> float:
    """Of the newest block that a node has dealt with."""
    with urlopen(node.api + QUIRE_BASE + "/metrics", timeout=20) as answer:
        found = _TIME.search(answer.read().decode())
    return float(found[1]) if found else 0.0
