"""The marketplace of a node, or the reference's answer of one that has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire.base.errors import Busy
from quire.faces.rest.reply import Plain
from quire.node.node import Node

if TYPE_CHECKING:
    from quire.node.trading import Trading

NO_CHAIN = "Persistence is not enabled"


def trading_of(node: Node) -> Trading:
    """Raises Plain 503."""
    if node.trading is None:
        raise no_chain_here()
    return node.trading


def no_chain_here() -> Plain:
    """What the reference says when it runs without a chain."""
    return Plain(503, NO_CHAIN, Busy(f"{NO_CHAIN}: this node has no chain to trade on"))


def no_hub_here() -> Plain:
    """A node with a chain on which no hub of payment channels is known."""
    words = "Payment channels are not enabled"
    return Plain(503, words, Busy(f"{words}: no hub of them is known on this chain; quire doctor"))


def no_selling_here() -> Plain:
    """A node with a chain and without a key to prove with."""
    words = "Selling is not enabled"
    return Plain(503, words, Busy(f"{words}: this node has no key to prove with; quire doctor"))
