"""The parts of a node that trades on a chain."""

from __future__ import annotations

from dataclasses import dataclass

from quire.chain.port import Market
from quire.services.purchasing import Purchases
from quire.services.selling import Sales
from quire.store.journal import Journal


@dataclass(slots=True)
class Trading:
    """Built when the node is told of a chain."""

    market: Market
    journal: Journal
    purchases: Purchases
    sales: Sales | None = None
