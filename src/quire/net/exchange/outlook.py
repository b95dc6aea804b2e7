"""What the peers of one fetch can be expected to deliver, for whoever could also do without it.

    prompt    some peer has it that answers, and is late with nothing
    awake     some peer has it that does not rest because it was late
    held      some peer has it

While a fetch is young, that nobody holds it only means that nobody was heard yet: `is_settled`
tells.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from quire.base.ranges import RangeSet
from quire.net.exchange.scheduler import Scheduler
from quire.net.exchange.swarm import Swarm
from quire.net.transport import PeerId


@dataclass(frozen=True, slots=True)
class Helper:
    """A peer of the fetch. `blocks` is what it holds, not to be changed."""

    peer: PeerId
    blocks: RangeSet
    bytes_per_second: float | None  # None before its first delivery
    is_prompt: bool


@dataclass(frozen=True, slots=True)
class Outlook:
    """One moment of a fetch. The sets are not to be changed."""

    helpers: tuple[Helper, ...] = ()
    held: RangeSet = field(default_factory=RangeSet)  # by any peer
    awake: RangeSet = field(default_factory=RangeSet)  # by one that does not rest
    prompt: RangeSet = field(default_factory=RangeSet)  # by one that is late with nothing besides
    done: RangeSet = field(default_factory=RangeSet)  # received, perhaps not visible yet
    is_settled: bool = False
    next_late_at: float | None = None  # monotonic seconds

    def speed(self, start: int, stop: int) -> float | None:
        """Of the quickest prompt peer that has any of the blocks [start, stop)."""
        speeds = [
            helper.bytes_per_second
            for helper in self.helpers
            if helper.is_prompt
            and helper.bytes_per_second is not None
            and helper.blocks.within(start, stop)
        ]
        return max(speeds, default=None)


def look_out(scheduler: Scheduler, swarm: Swarm, now: float, *, has_waited: bool) -> Outlook:
    """The outlook of a fetch. `has_waited`: long enough for those who never answer."""
    helpers: list[Helper] = []
    held, awake, prompt = RangeSet(), RangeSet(), RangeSet()
    for peer, blocks in scheduler.holdings():
        member = swarm.members.get(peer)
        if member is None:
            continue
        is_awake = member.resting_until <= now
        is_prompt = is_awake and not scheduler.is_behind(peer, now)
        speed = member.session.estimate.bytes_per_second
        helpers.append(Helper(peer, blocks, speed, is_prompt))
        for start, stop in blocks:
            held.add(start, stop)
            if is_awake:
                awake.add(start, stop)
            if is_prompt:
                prompt.add(start, stop)
    late = [at for p in scheduler.pieces() for at in p.owners.values() if at > now]
    is_settled = has_waited or swarm.candidates.is_settled
    next_late_at = min(late, default=None)
    return Outlook(tuple(helpers), held, awake, prompt, scheduler.done, is_settled, next_late_at)
