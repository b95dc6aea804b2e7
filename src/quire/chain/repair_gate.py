"""When slots that lost their hosts open for repair: at once, or several of them together.

Rebuilding one slot reads K others; rebuilding f at once reads K others too. So waiting saves
traffic, as long as enough losses are left that the dataset is never in danger.

Source   market.md 5.3
"""

from __future__ import annotations

from quire.chain.terms import LazyRepair

LAZY_FROM = 4  # max_slot_loss; below it there is nothing to wait for
MOST_THRESHOLD = 255


def threshold_of(policy: LazyRepair, max_slot_loss: int) -> int:
    """So many free slots open without waiting any longer; never more than may be lost."""
    if policy.threshold == 0:
        return min(MOST_THRESHOLD, max_slot_loss // 2) if max_slot_loss >= LAZY_FROM else 1
    return max(1, min(policy.threshold, max_slot_loss))


def opens_at(policy: LazyRepair, max_slot_loss: int, free_slots: int, oldest_freed_at: int) -> int:
    """The chain's second at which the free slots of a request open, if no more are lost; the
    second of the first loss when they open at once.

    free_slots       that nobody fills, opened already or not
    oldest_freed_at  unix seconds, of those that are not opened yet
    """
    margin = max_slot_loss - free_slots
    is_due = free_slots >= threshold_of(policy, max_slot_loss) or margin <= policy.min_margin
    return oldest_freed_at if is_due else oldest_freed_at + policy.max_delay


def is_open(
    policy: LazyRepair, max_slot_loss: int, free_slots: int, oldest_freed_at: int, now: int
) -> bool:
    return now >= opens_at(policy, max_slot_loss, free_slots, oldest_freed_at)
