"""What hosts ask, and the client pays, in the parts with a contract."""

from __future__ import annotations

from quire.faces.local import LocalNode
from quire.faces.local_market import call

DURATION_SECONDS = 3600  # of the contract, on the chain's clock
PRICE = 2  # tokens for each byte and second
COLLATERAL = 1000  # tokens for each byte


async def offer_slot(node: LocalNode, slot_size: int) -> None:
    """A node offers room for one slot of so many bytes."""
    body = {
        "totalSize": slot_size,
        "duration": DURATION_SECONDS,
        "minPricePerBytePerSecond": str(PRICE),
        "totalCollateral": str(slot_size * COLLATERAL),
    }
    await call(node, "POST", "/sales/availability", body)
