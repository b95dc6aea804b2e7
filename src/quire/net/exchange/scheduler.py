"""Which peer fetches which blocks of one tree: the receiver decides, piece by piece.

    open       wanted, not there, asked of nobody
    piece      a run of blocks that one peer was asked for (two when it is late)
    done       verified and handed to the store

Every block is in exactly one of: done, not wanted, open, one piece. Windows (a reader that waits)
come first and in order; the rest is fetched region by region, the rarest of a few random ones
first, so that several nodes that fetch the same dataset soon have something to give each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from random import Random

from quire.base.invariant import invariant
from quire.base.ranges import RangeSet
from quire.net.transport import PeerId

_CANDIDATES = 8  # random regions looked at before one is chosen
_SHARE_BLOCKS_MIN = 2  # of what readers wait for, however many peers share it


@dataclass(slots=True, eq=False)
class Piece:
    """Blocks [start, stop) that are being fetched, and from whom."""

    start: int
    stop: int
    expected_at: float  # when the first owner should have delivered
    late_at: float  # when it is late even for that owner's habits
    owners: dict[PeerId, float] = field(default_factory=dict)  # and when each of them is late
    is_claimed: bool = False  # verified data is being stored

    @property
    def count(self) -> int:
        return self.stop - self.start


class Scheduler:
    """The assignment of one tree's missing blocks to peers. Pure: time and chance are arguments."""

    def __init__(
        self,
        leaf_count: int,
        present: RangeSet,
        rng: Random,
        *,
        region_blocks: int,
        end_game_pieces: int,
        whole_count: int | None = None,
    ) -> None:
        self.leaf_count = leaf_count
        self.whole_count = leaf_count if whole_count is None else whole_count  # the first of them
        self.done = present.copy()
        self._rng = rng
        self._region_blocks = region_blocks
        self._end_game_pieces = end_game_pieces
        self._all_wanted = False
        self._windows: dict[int, tuple[int, int]] = {}  # by key, oldest first
        self._open = RangeSet()
        self._pieces: dict[int, Piece] = {}  # by start
        self._have: dict[PeerId, RangeSet] = {}
        self._region: tuple[int, int] | None = None

    # ---- what is wanted ----

    def want_all(self, is_wanted: bool) -> None:
        self._all_wanted = is_wanted
        self._refresh()

    def want_window(self, key: int, start: int, stop: int) -> None:
        """Fetch these blocks before others, in order. `key` names the window."""
        invariant(0 <= start < stop <= self.leaf_count, "a window lies in the tree")
        self._windows[key] = (start, stop)
        self._refresh()

    def drop_window(self, key: int) -> None:
        self._windows.pop(key, None)
        self._refresh()

    def wanted(self) -> RangeSet:
        """Everything that somebody waits for and that is not done."""
        wanted = RangeSet(self._windows.values())
        if self._all_wanted:
            wanted.add(0, self.whole_count)
        return wanted.minus(self.done)

    @property
    def is_whole(self) -> bool:
        """Whether all that makes up the dataset is done."""
        return self.done.covers(0, self.whole_count)

    @property
    def is_idle(self) -> bool:
        """Whether nothing that is wanted is missing."""
        return not self._open and not self._pieces

    @property
    def has_windows(self) -> bool:
        return bool(self._windows)

    @property
    def has_open(self) -> bool:
        """Whether something wanted was asked of nobody yet."""
        return bool(self._open)

    def held_by(self, peer: PeerId) -> int | None:
        """How many blocks the peer is known to hold; None when it is not known at all."""
        have = self._have.get(peer)
        return None if have is None else have.count()

    def asked_of(self, peer: PeerId) -> int:
        """How many blocks the peer is to deliver now."""
        return sum(piece.count for piece in self._pieces.values() if peer in piece.owners)

    def is_useless(self, peer: PeerId) -> bool:
        """Whether the peer is not known to hold anything that is open, and delivers nothing."""
        have = self._have.get(peer, RangeSet())
        return not self._open.intersect(have) and not self.asked_of(peer)

    def unavailable(self) -> RangeSet:
        """What is open and no peer has."""
        left = self._open.copy()
        for have in self._have.values():
            for start, stop in have:
                left.remove(start, stop)
        return left

    # ---- peers ----

    def peer_has(self, peer: PeerId, ranges: RangeSet) -> None:
        """The peer holds these blocks too; a new peer joins with them."""
        have = self._have.setdefault(peer, RangeSet())
        for start, stop in ranges:
            have.add(start, stop)

    def peer_lacks(self, peer: PeerId, start: int, stop: int) -> None:
        """The peer does not hold these blocks after all."""
        have = self._have.get(peer)
        if have is not None:
            have.remove(start, stop)

    def holdings(self) -> list[tuple[PeerId, RangeSet]]:
        """What each peer holds; the sets are not to be changed."""
        return list(self._have.items())

    def remove_peer(self, peer: PeerId) -> None:
        """The peer is out; what it owns alone is open again."""
        self._have.pop(peer, None)
        for piece in [piece for piece in self._pieces.values() if peer in piece.owners]:
            self.lost(piece, peer)

    # ---- pieces ----

    def next_piece(
        self, peer: PeerId, piece_blocks: int, expected_at: float, late_at: float | None = None
    ) -> Piece | None:
        """Assign the peer's next piece, at most `piece_blocks` (a power of two) and aligned to it.

        None when the peer has nothing that is open. `expected_at` is when it should be there,
        `late_at` when a reader should not wait for it any longer, the same if not given."""
        due = expected_at, expected_at if late_at is None else late_at
        have = self._have.get(peer)
        if not have or not self._open:
            return None
        for start, stop in self._windows.values():
            span = self._first(have, start, stop)
            if span is not None:
                if len(self._have) > 1:
                    piece_blocks = min(piece_blocks, self._share_blocks())
                return self._assign(peer, span, piece_blocks, due)
        span = self._background(have)
        return None if span is None else self._assign(peer, span, piece_blocks, due)

    def second_owner(
        self,
        peer: PeerId,
        now: float,
        cost_seconds: float | None,
        late_at: float | None = None,
    ) -> Piece | None:
        """One of the last pieces of all (end-game) that another peer is late with, or much slower
        than this one would be; now asked of this peer as well.

        `cost_seconds` is how long this peer would take for a piece, None when not known;
        `late_at` when it would be late itself."""
        is_end_game = not self._open and len(self._pieces) <= self._end_game_pieces
        if not self._all_wanted or not is_end_game or not self._may_double():
            return None
        for piece in self._pieces.values():
            is_late = now >= piece.expected_at
            if cost_seconds is not None:
                is_late = is_late or piece.expected_at - now > 2 * cost_seconds
            if is_late and self.may_own(peer, piece):
                piece.owners[peer] = inf if late_at is None else late_at
                return piece
        return None

    def late(self, now: float) -> list[Piece]:
        """Pieces that somebody waits for and one peer alone is late with: those of windows, in
        their order, and in the end, when all is assigned, any. One for each late peer: when it is
        overtaken, the rest is seen to."""
        spans = self._awaited_spans()
        if not spans or not self._may_double():
            return []
        pieces = sorted(self._pieces.values(), key=lambda piece: piece.start)
        taken = {peer for piece in pieces if len(piece.owners) > 1 for peer in piece.owners}
        found = []
        late = [piece for piece in pieces if piece.late_at <= now and not piece.is_claimed]
        for start, stop in spans:
            for piece in late:
                owner = next(iter(piece.owners))
                if piece.start < stop and start < piece.stop and owner not in taken:
                    taken.add(owner)
                    found.append(piece)
        return found

    def is_late(self, peer: PeerId, now: float) -> bool:
        """Whether the peer is late with anything."""
        pieces = self._pieces.values()
        return any(peer in p.owners and p.late_at <= now and not p.is_claimed for p in pieces)

    def is_behind(self, peer: PeerId, now: float) -> bool:
        """Whether the peer is late by its own habits with anything, first or second owner."""
        pieces = self._pieces.values()
        return any(p.owners.get(peer, inf) <= now and not p.is_claimed for p in pieces)

    def next_late_at(self, now: float) -> float | None:
        """When the next piece will be late, if anybody waits for pieces."""
        if not self._awaited_spans():
            return None
        moments = (p.late_at for p in self._pieces.values() if len(p.owners) == 1)
        return min((moment for moment in moments if moment > now), default=None)

    def may_own(self, peer: PeerId, piece: Piece) -> bool:
        """Whether the peer could be asked for a piece that one other peer was asked for."""
        if len(piece.owners) != 1 or peer in piece.owners or piece.is_claimed:
            return False
        have = self._have.get(peer)
        return have is not None and have.covers(piece.start, piece.stop)

    def own(self, piece: Piece, peer: PeerId, late_at: float = inf) -> bool:
        """Make a peer that may be it the second owner; False when too many pieces have two."""
        if not self._may_double():
            return False
        piece.owners[peer] = late_at
        return True

    def is_elsewhere(self, piece: Piece, peer: PeerId) -> bool:
        """Whether anybody but this peer has the piece."""
        return any(
            have.covers(piece.start, piece.stop)
            for other, have in self._have.items()
            if other != peer
        )

    def is_awaited(self, piece: Piece) -> bool:
        """Whether a window needs a part of the piece."""
        return any(
            start < piece.stop and piece.start < stop for start, stop in self._windows.values()
        )

    def claim(self, piece: Piece, peer: PeerId) -> list[PeerId] | None:
        """The peer delivered the piece: it is being stored now, nobody else is needed for it.

        Returns the other owners, whose requests are to be cancelled; None when it comes too late.
        """
        if (
            self._pieces.get(piece.start) is not piece
            or piece.is_claimed
            or peer not in piece.owners
        ):
            return None
        piece.is_claimed = True
        return [owner for owner in piece.owners if owner != peer]

    def finished(self, piece: Piece) -> None:
        """A claimed piece is stored."""
        invariant(self._pieces.pop(piece.start) is piece and piece.is_claimed, "it was claimed")
        self.done.add(piece.start, piece.stop)

    def unclaim(self, piece: Piece) -> None:
        """A claimed piece was not stored: it is open again."""
        if piece.is_claimed and self._pieces.get(piece.start) is piece:
            del self._pieces[piece.start]
            self._refresh()

    def arrived(self, start: int, stop: int) -> list[Piece]:
        """These blocks came in another way. Returns the pieces that nobody needs any more."""
        self.done.add(start, stop)
        pieces = [p for p in self._pieces.values() if self.done.covers(p.start, p.stop)]
        over = [piece for piece in pieces if not piece.is_claimed]
        for piece in over:
            del self._pieces[piece.start]
        self._refresh()
        return over

    def forget(self, start: int, stop: int) -> None:
        """These blocks are not there after all."""
        self.done.remove(start, stop)
        self._refresh()

    def lost(self, piece: Piece, peer: PeerId) -> None:
        """The peer will not deliver the piece; without another owner it is open again."""
        if self._pieces.get(piece.start) is not piece or piece.is_claimed:
            return
        piece.owners.pop(peer, None)
        if not piece.owners:
            del self._pieces[piece.start]
            self._refresh()

    def pieces(self) -> list[Piece]:
        """What is being fetched, oldest first."""
        return list(self._pieces.values())

    # ---- inside ----

    def _refresh(self) -> None:
        """Compute what is open anew."""
        self._open = self.wanted()
        for piece in self._pieces.values():
            self._open.remove(piece.start, piece.stop)

    def _first(self, have: RangeSet, start: int, stop: int) -> tuple[int, int] | None:
        """The first run inside [start, stop) that is open and that the peer has."""
        for low, high in self._open.within(start, stop):
            for span in have.within(low, high):
                return span
        return None

    def _share_blocks(self) -> int:
        """What one peer gets at once of what readers wait for, so that all of them help; a power
        of two. It shrinks towards the end, so that all of them end together."""
        spans = (self._open.within(start, stop) for start, stop in self._windows.values())
        share = sum(span.count() for span in spans) // len(self._have)
        return 1 << max(share, _SHARE_BLOCKS_MIN).bit_length() - 1

    def _background(self, have: RangeSet) -> tuple[int, int] | None:
        if self._region is not None:
            span = self._first(have, *self._region)
            if span is not None:
                return span
        region = self._rarest_region(have)
        if region is None:
            return None
        # A region that is only used up for this peer stays the current one for the others.
        if self._region is None or not self._open.within(*self._region):
            self._region = region
        return self._first(have, *region)

    def _rarest_region(self, have: RangeSet) -> tuple[int, int] | None:
        size = self._region_blocks
        spans = list(self._open.intersect(have))
        if not spans:
            return None
        best: tuple[int, tuple[int, int]] | None = None
        for _ in range(_CANDIDATES):
            low, high = self._rng.choice(spans)
            at = self._rng.randrange(low, high)
            region = (at - at % size, min(at - at % size + size, self.leaf_count))
            holders = sum(1 for other in self._have.values() if other.covers(*region))
            if best is None or holders < best[0]:
                best = (holders, region)
        return None if best is None else best[1]

    def _awaited_spans(self) -> list[tuple[int, int]]:
        is_end = self._all_wanted and not self._open
        return [*self._windows.values(), *([(0, self.whole_count)] if is_end else [])]

    def _may_double(self) -> bool:
        doubled = sum(1 for piece in self._pieces.values() if len(piece.owners) > 1)
        return doubled < self._end_game_pieces

    def _assign(
        self, peer: PeerId, span: tuple[int, int], piece_blocks: int, due: tuple[float, float]
    ) -> Piece:
        start, stop = span
        stop = min(stop, start - start % piece_blocks + piece_blocks)
        piece = Piece(start, stop, *due, {peer: due[1]})
        self._pieces[start] = piece
        self._open.remove(start, stop)
        return piece
