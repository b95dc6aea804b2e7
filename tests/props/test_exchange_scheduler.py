"""The scheduler never loses a block, never asks a peer for what it lacks, and comes to an end."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quire.base.ranges import RangeSet
from quire.base.rng import seeded_rng
from quire.net.exchange.scheduler import Piece, Scheduler

LEAVES = 300
PEERS = ["ann", "bob", "cid"]
spans = st.tuples(st.integers(0, LEAVES - 1), st.integers(1, LEAVES)).map(
    lambda pair: (pair[0], min(LEAVES, pair[0] + pair[1]))
)


class SchedulerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.present = RangeSet([(10, 20)])
        self.scheduler = Scheduler(
            LEAVES, self.present, seeded_rng(7), region_blocks=32, end_game_pieces=4
        )
        self.have: dict[str, RangeSet] = {}
        self.asked: list[tuple[str, Piece]] = []
        self.storing: list[Piece] = []
        self.windows: dict[int, tuple[int, int]] = {}
        self.all_wanted = False
        self.now = 0.0

    @rule(peer=st.sampled_from(PEERS), span=spans)
    def learn(self, peer: str, span: tuple[int, int]) -> None:
        self.have.setdefault(peer, RangeSet()).add(*span)
        self.scheduler.peer_has(peer, RangeSet([span]))

    @rule(is_wanted=st.booleans())
    def want_all(self, is_wanted: bool) -> None:
        self.all_wanted = is_wanted
        self.scheduler.want_all(is_wanted)

    @rule(key=st.integers(0, 3), span=spans)
    def want_window(self, key: int, span: tuple[int, int]) -> None:
        self.windows[key] = span
        self.scheduler.want_window(key, *span)

    @rule(key=st.integers(0, 3))
    def drop_window(self, key: int) -> None:
        self.windows.pop(key, None)
        self.scheduler.drop_window(key)

    @rule(peer=st.sampled_from(PEERS), power=st.integers(0, 5))
    def assign(self, peer: str, power: int) -> None:
        busy = [(p.start, p.stop) for p in self.scheduler.pieces()]
        piece = self.scheduler.next_piece(peer, 1 << power, self.now + 1)
        if piece is None:
            return
        assert 1 <= piece.count <= 1 << power
        assert piece.start // (1 << power) == (piece.stop - 1) // (1 << power), "aligned"
        assert self.have[peer].covers(piece.start, piece.stop), "asked for what it lacks"
        assert not any(a < piece.stop and piece.start < b for a, b in busy), "asked for twice"
        assert not RangeSet([(piece.start, piece.stop)]).intersect(self.scheduler.done)
        self.asked.append((peer, piece))

    @rule(peer=st.sampled_from(PEERS), cost=st.none() | st.floats(0, 2), later=st.floats(0, 2))
    def hurry(self, peer: str, cost: float | None, later: float) -> None:
        self.now += later
        piece = self.scheduler.second_owner(peer, self.now, cost)
        if piece is not None:
            assert self.all_wanted
            assert not self.scheduler.has_open
            assert len(piece.owners) == 2
            assert self.have[peer].covers(piece.start, piece.stop)
            self.asked.append((peer, piece))

    @rule(peer=st.sampled_from(PEERS), later=st.floats(0, 2))
    def hedge(self, peer: str, later: float) -> None:
        """Late pieces that somebody waits for go to a second peer, one for each late peer."""
        self.now += later
        late = self.scheduler.late(self.now)
        firsts = [next(iter(piece.owners)) for piece in late]
        assert len(set(firsts)) == len(firsts)
        for piece in late:
            assert piece.late_at <= self.now
            assert self.scheduler.is_awaited(piece) or not self.scheduler.has_open
            if self.scheduler.may_own(peer, piece) and self.scheduler.own(piece, peer):
                assert len(piece.owners) == 2
                assert self.have[peer].covers(piece.start, piece.stop)
                assert self.scheduler.is_elsewhere(piece, next(iter(piece.owners)))
                self.asked.append((peer, piece))

    @rule(span=spans)
    def arrive(self, span: tuple[int, int]) -> None:
        """Blocks come in another way: nobody is asked for them any more, or not for them alone."""
        over = self.scheduler.arrived(*span)
        self.asked = [(peer, piece) for peer, piece in self.asked if piece not in over]
        assert self.scheduler.done.covers(*span)
        for piece in over:
            assert self.scheduler.done.covers(piece.start, piece.stop)
            assert self.scheduler.claim(piece, next(iter(piece.owners))) is None

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        peer, piece = data.draw(st.sampled_from(self.asked))
        others = self.scheduler.claim(piece, peer)
        assert others is not None
        assert self.scheduler.claim(piece, peer) is None, "stored twice"
        self.asked = [entry for entry in self.asked if entry[1] is not piece]
        self.storing.append(piece)

    @precondition(lambda self: self.storing)
    @rule(is_stored=st.booleans())
    def store(self, is_stored: bool) -> None:
        piece = self.storing.pop()
        if is_stored:
            self.scheduler.finished(piece)
        else:
            self.scheduler.unclaim(piece)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.asked))
        self.asked.remove(entry)
        self.scheduler.lost(entry[1], entry[0])

    @rule(span=spans)
    def forget(self, span: tuple[int, int]) -> None:
        self.scheduler.forget(*span)

    @rule(peer=st.sampled_from(PEERS))
    def leave(self, peer: str) -> None:
        self.have.pop(peer, None)
        self.asked = [entry for entry in self.asked if entry[0] != peer]
        self.scheduler.remove_peer(peer)

    @invariant()
    def every_wanted_block_is_open_or_asked_for(self) -> None:
        wanted = RangeSet([(0, LEAVES)] if self.all_wanted else self.windows.values())
        wanted = wanted.minus(self.scheduler.done)
        assert wanted == self.scheduler.wanted()
        under_way = RangeSet((p.start, p.stop) for p in self.scheduler.pieces())
        assert sum(p.count for p in self.scheduler.pieces()) == under_way.count(), "overlap"
        reachable = RangeSet()
        for have in self.have.values():
            for span in have:
                reachable.add(*span)
        assert self.scheduler.unavailable() == wanted.minus(under_way).minus(reachable)
        known = {id(piece) for _, piece in self.asked} | {id(piece) for piece in self.storing}
        assert known == {id(piece) for piece in self.scheduler.pieces()}

    def teardown(self) -> None:
        """With one peer that has all, everything that is wanted is fetched in finite steps."""
        self.scheduler.want_all(True)
        self.scheduler.peer_has("zoe", RangeSet([(0, LEAVES)]))
        for peer, piece in self.asked:
            self.scheduler.lost(piece, peer)
        for piece in self.storing:
            self.scheduler.unclaim(piece)
        for _ in range(LEAVES + 1):
            piece = self.scheduler.next_piece("zoe", 16, 0.0)
            if piece is None:
                break
            assert self.scheduler.claim(piece, "zoe") == []
            self.scheduler.finished(piece)
        assert self.scheduler.done == RangeSet([(0, LEAVES)])
        assert self.scheduler.is_idle


TestScheduler = SchedulerMachine.TestCase
TestScheduler.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
