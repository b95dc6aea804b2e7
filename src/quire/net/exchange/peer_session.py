"""What a fetch needs of one peer that it asks, whatever protocol that peer speaks.

    Session           /quire/exchange: ranges with proofs, updates of what the peer holds
    BlockexcSession   /codex/blockexc: single blocks, asked for in runs (net/blockexc)

What comes back is content and proof in the layout of `kernels/hashing.py`; whoever asked verifies.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from quire.base.errors import PeerError
from quire.formats.cid import Cid
from quire.formats.exchange import BlockReply, HaveReply, HaveUpdate, LeavesReply, RangeReply
from quire.net.exchange.estimate import PeerEstimate
from quire.net.exchange.ledger import Account
from quire.net.exchange.limits import ExchangeLimits
from quire.net.transport import PeerId


@dataclass(frozen=True, slots=True)
class AskedTree:
    """A tree as the manifest of whoever asks describes it. Sizes in bytes."""

    root: bytes
    leaf_count: int
    block_size: int


class PeerSession(ABC):
    """Our requests at one peer. Ends once, with a reason, for all that wait on it."""

    def __init__(
        self, peer: PeerId, protocol: str, limits: ExchangeLimits, account: Account
    ) -> None:
        self.peer = peer
        self.protocol = protocol
        self.estimate = PeerEstimate(limits)
        self.account = account
        self.pending_bytes = 0  # asked for and not received
        self.heard_at = 0.0  # when the last reply came, by the loop's time
        self.max_blocks = 1 << 30  # of one request

    @property
    def room_bytes(self) -> int:
        """How much more this peer may be asked for now."""
        return self.estimate.window_bytes() - self.pending_bytes

    def reserve(self, size_bytes: int) -> None:
        """Count bytes as pending, from before they are asked for until `release`."""
        self.pending_bytes += size_bytes

    def release(self, size_bytes: int) -> None:
        self.pending_bytes -= size_bytes

    @property
    @abstractmethod
    def is_over(self) -> bool:
        """Whether it has ended."""

    @property
    @abstractmethod
    def open_requests(self) -> int:
        """Requests without a reply."""

    @abstractmethod
    async def ask_have(self, tree: AskedTree, deadline: float) -> HaveReply:
        """What the peer holds of a tree; updates follow through `on_update`."""

    @abstractmethod
    async def ask_range(
        self, tree: AskedTree, start: int, count: int, deadline: float
    ) -> RangeReply:
        """Blocks of a tree: as many bytes as were asked for, not verified yet."""

    @abstractmethod
    async def ask_block(self, cid: Cid, deadline: float) -> BlockReply:
        """A manifest or a block by its CID. Not verified yet."""

    @abstractmethod
    async def ask_leaves(
        self, tree: AskedTree, start: int, count: int, deadline: float
    ) -> LeavesReply:
        """Digests of leaves of a tree: as many as were asked for, not verified yet. Raises
        ProtocolMismatch when the peer's protocol cannot say them."""

    @abstractmethod
    def end(self, problem: PeerError) -> None:
        """Ask no more; everything open fails with `problem`. Harmless when over."""


# Told what a peer holds more than before; answers whether anybody still wants to know.
OnUpdate: TypeAlias = Callable[[PeerId, HaveUpdate], bool]
OnEnd: TypeAlias = Callable[[PeerSession, PeerError], None]
