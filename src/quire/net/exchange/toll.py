"""What serving and being served costs. The exchange asks; who decides stands elsewhere.

responder   posted      what is asked for a tree
            admit       may this request be served? -> Permit | Charge, the refusal
            Permit      served -> Charge for the reply; closed
            line_ended  a peer has no line to us any more
asker       offer       what is paid for a MiB, at most
            room        how much may be asked of a peer and not be here yet
            received    what came, verified, and what was charged for it
            pay         for a request that was refused for want of it
"""

from __future__ import annotations

from typing import Protocol

from quire.formats.charge import Charge, Purse
from quire.net.transport import PeerId

UNLIMITED_BYTES = 1 << 62
EMPTY = Purse()


class Permit(Protocol):
    """One request that may be served."""

    def served(self) -> Charge | None:
        """It is answered with data; what to say of the price, None when it was all free."""

    def closed(self, was_sent: bool) -> None:
        """The reply is with the transport, or will never be. Once for each permit."""


class Toll(Protocol):
    """Nothing waits except `introduce` and `pay`."""

    def posted(self, peer: PeerId, root: bytes) -> int:
        """The price of a MiB of this tree, 0 when it is free."""

    def knows(self, peer: PeerId, purse: Purse) -> bool:
        """Whether the payer of this purse pays for the peer, as far as was looked lately."""

    async def introduce(self, peer: PeerId, purse: Purse) -> None:
        """Look whether the payer speaks for the peer, and whether he has a channel. Soon over."""

    def admit(
        self, peer: PeerId, root: bytes | None, size_bytes: int, purse: Purse
    ) -> Permit | Charge | None:
        """Whether a request may be served; None: it is free and not counted.

        root  of the tree; None for a single block
        """

    def sent(self, peer: PeerId, root: bytes, start: int, count: int) -> None:
        """Blocks of a tree were sent to a peer."""

    def line_ended(self, peer: PeerId) -> None:
        """The last channel on which the peer asked us has ended."""

    def offer(self, peer: PeerId) -> Purse:
        """What this node pays a peer, and who it is that pays."""

    def room(self, peer: PeerId) -> int:
        """Bytes that may be asked of a peer and not be here."""

    def received(self, peer: PeerId, size_bytes: int, charge: Charge | None) -> None:
        """Blocks that a peer sent, with what it says of their price. Raises PeerLied when it
        charges more than was offered, or more bytes than it sent."""

    async def pay(self, peer: PeerId, charge: Charge) -> str:
        """Do what a refusal asks for, when nothing is under way that could be paid first; empty
        when the peer can be asked again, else why not."""


class Free:
    """Everything is free, and nothing is paid."""

    def posted(self, peer: PeerId, root: bytes) -> int:
        return 0

    def knows(self, peer: PeerId, purse: Purse) -> bool:
        return True

    async def introduce(self, peer: PeerId, purse: Purse) -> None:
        """Nobody has to pay."""

    def admit(
        self, peer: PeerId, root: bytes | None, size_bytes: int, purse: Purse
    ) -> Permit | Charge | None:
        return None

    def sent(self, peer: PeerId, root: bytes, start: int, count: int) -> None:
        """Nobody counts."""

    def line_ended(self, peer: PeerId) -> None:
        """Nobody owes anything."""

    def offer(self, peer: PeerId) -> Purse:
        return EMPTY

    def room(self, peer: PeerId) -> int:
        return UNLIMITED_BYTES

    def received(self, peer: PeerId, size_bytes: int, charge: Charge | None) -> None:
        """Whatever was asked for it: nothing is paid."""

    async def pay(self, peer: PeerId, charge: Charge) -> str:
        return f"asks {charge.price} tokens a MiB, and this node pays for nothing (cache-max-price)"
