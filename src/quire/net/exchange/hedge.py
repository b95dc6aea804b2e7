"""Hedged reads: a piece that somebody waits for and that is late is asked of a second peer at once.

    awaited    a reader's window; at the end of a whole fetch, all that is left
    late       longer than that peer's estimate with its usual deviation (`estimate.py`)
    second     the peer that should deliver it first, by the same estimates, and is not late itself
    winner     the first reply that verifies; the other request is cancelled
    price      bytes asked twice are at most a few MiB and a small share of what was received

A peer that lost and has not said a word for longer than one piece takes gets nothing for a while;
what else it was asked for, and others have, is asked of them: its stall costs one wait, not many.
"""

from __future__ import annotations

from collections.abc import Callable

from quire.net.exchange.context import ExchangeContext
from quire.net.exchange.scheduler import Piece, Scheduler
from quire.net.exchange.swarm import Member, Swarm

UNKNOWN_COST_SECONDS = 1.0  # what a piece is taken to cost at a peer of unknown speed

Ask = Callable[[Member, Piece], bool]  # False when there is no memory for more bytes in flight


class Hedges:
    """Decides for one fetch what is asked twice. `ask` sends a piece to a second owner."""

    def __init__(
        self,
        context: ExchangeContext,
        scheduler: Scheduler,
        swarm: Swarm,
        block_size: int,
        ask: Ask,
    ) -> None:
        self.asked_bytes = 0  # a second time
        self.received_bytes = 0  # and stored
        self._limits = context.limits
        self._scheduler = scheduler
        self._swarm = swarm
        self._block_size = block_size
        self._ask = ask

    def may_ask(self, size_bytes: int) -> bool:
        """Whether so many bytes more may be asked a second time."""
        allowed = self._limits.hedge_bytes + self._limits.hedge_share * self.received_bytes
        return self.asked_bytes + size_bytes <= allowed

    def run(self, now: float) -> None:
        """Ask for what is late, in the order in which readers want it."""
        for piece in self._scheduler.late(now):
            size = piece.count * self._block_size
            member = self._quickest(piece, size, now)
            if member is None or not self.may_ask(size):
                continue
            if not self._ask(member, piece):
                return
            self.asked_bytes += size

    def lost(self, member: Member, piece: Piece, asked_at: float, now: float) -> bool:
        """A member was overtaken by a second one; whether it is to be passed over for a while."""
        quiet_seconds = now - max(member.session.heard_at, asked_at)
        estimate = member.session.estimate
        if quiet_seconds < estimate.late_seconds(piece.count * self._block_size):
            return False  # it delivers, only slower
        estimate.timed_out()
        rest = self._limits.late_rest_seconds * 2.0**member.lates
        member.resting_until = now + min(rest, self._limits.rest_seconds)
        member.lates = min(member.lates + 1, 16)
        return True

    def _quickest(self, piece: Piece, size_bytes: int, now: float) -> Member | None:
        """Who should have the piece here first, of those that are not late themselves."""
        found: tuple[float, Member] | None = None
        for member in self._swarm.members.values():
            if member.resting_until > now or piece.count > member.session.max_blocks:
                continue
            if not self._scheduler.may_own(member.peer, piece):
                continue
            if self._scheduler.is_late(member.peer, now):
                continue
            session = member.session
            cost = session.estimate.cost_seconds(session.pending_bytes + size_bytes)
            cost = UNKNOWN_COST_SECONDS if cost is None else cost
            if found is None or cost < found[0]:
                found = cost, member
        return None if found is None else found[1]
