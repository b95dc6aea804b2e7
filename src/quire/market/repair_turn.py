"""Which freed slots wait for others before they open, and when it is this node's turn to open them.

    SlotEvicted ─► waits ─► max_delay ─► drawn wait of this node ─► open_repair ─► SlotFreed ─► gone
                        └── more losses ────────────────────────────────────────┘

The contract opens all slots of a request that wait in one go, so one time is known of each request:
when the first of them was lost. Who opens pays for it, so nodes take turns: each waits for another
number of blocks, drawn so that the first is alone in most cases, and the others see SlotFreed.

Source   market.md 5.3
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil

from quire.chain.events import MarketEvent, RequestFailed, SlotEvicted, SlotFreed
from quire.chain.terms import Extensions, Terms
from quire.chain.values import Address, RequestId
from quire.kernels.keccak import keccak256

TURN_BLOCKS_MIN, TURN_BLOCKS_MAX = 8, 64  # over which the turns of nodes are spread
TURN_SHARE = 0.25  # of the longest delay, which turns may add
LOOK_BLOCKS = 2  # after the first try; twice as many after each further one
LOOK_SHARE = 0.125  # of the longest delay, at most


def is_lazy(terms: Terms) -> bool:
    """Whether slots may wait until somebody opens them."""
    return Extensions.LAZY_REPAIR in terms.extensions and terms.lazy_repair.max_delay > 0


@dataclass(slots=True)
class Waiting:
    """`lost_at`: of each request with slots that wait, when the first of them was lost, in unix
    seconds, or earlier."""

    lost_at: dict[RequestId, int] = field(default_factory=dict)

    def note(self, events: Iterable[MarketEvent], earliest: int) -> list[RequestId]:
        """Requests that changed. `earliest`: unix seconds before which none of this happened."""
        before = dict(self.lost_at)
        for event in events:
            match event:
                case SlotEvicted(request_id):
                    self.lost_at.setdefault(request_id, earliest)
                case SlotFreed(request_id) | RequestFailed(request_id):
                    self.lost_at.pop(request_id, None)
        both = {**before, **self.lost_at}
        return [each for each in both if before.get(each) != self.lost_at.get(each)]


@dataclass(slots=True)
class Plan:
    """Of this node for one request. `not_before` in chain time."""

    not_before: int
    tries: int = 0


def turn_seconds(
    account: Address, request_id: RequestId, due: int, terms: Terms, block_seconds: float
) -> float:
    """How long a node leaves a request to others: another time for each of them."""
    wanted = min(TURN_BLOCKS_MAX * block_seconds, TURN_SHARE * terms.lazy_repair.max_delay)
    spread = max(TURN_BLOCKS_MIN * block_seconds, wanted)
    drawn = keccak256(account + request_id + due.to_bytes(32, "big"))
    return spread * int.from_bytes(drawn[:8], "big") / 2**64


def look_seconds(terms: Terms, block_seconds: float, tries: int) -> int:
    """Until a node looks again after a try: it came too early, or is not in the chain yet."""
    most = max(LOOK_BLOCKS * block_seconds, LOOK_SHARE * terms.lazy_repair.max_delay)
    return ceil(min(most, LOOK_BLOCKS * block_seconds * 2.0 ** min(tries, 32)))
