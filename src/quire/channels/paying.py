"""What to do next so that a bill is paid; pure. Asked again after each step until it says DONE.

    compare ─► (hand over what is behind) ─► promise, durable ─► hand over ─► done

After each start a payee is asked what he holds before anything new is promised to him: this node's
journal may have been set back, and he may hold more than it knows of. Then part of a bill may be
covered by what was promised in the time that is lost; nothing is paid twice.

Source   point.md 4.2 (off-chain rules); ADR 0034
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from quire.channels.channel import Bill, Channel, Promise


@dataclass(frozen=True, slots=True)
class Told:
    """What a payee says of this payer's account: what he holds (shown, where it is news), what he
    has billed ever since, and whether the bill that was asked about is among that."""

    accepted: int
    billed: int
    is_billed: bool


@dataclass(frozen=True, slots=True)
class Compare:
    """Send the newest voucher, whatever it is worth, and hear what he holds."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """Send the newest voucher until he holds `sum`."""

    sum: int


@dataclass(frozen=True, slots=True)
class Done:
    """He holds what pays the bill."""


Step: TypeAlias = Compare | HandOver | Promise | Done


def next_step(
    key: str,
    amount: int,
    bill: Bill | None,
    behind: Bill | None,
    channel: Channel,
    *,
    accepted: int | None,
    told: Told | None,
) -> Step:
    """Of one bill.

    bill      the bill as it was promised; None: it was not
    behind    the last bill of its series that he may not have
    accepted  what he is known to hold, since this start; None: he was not asked
    told      what he said when he was asked about this bill
    """
    if bill is not None:
        return Done() if accepted is not None and accepted >= bill.sum else HandOver(bill.sum)
    if told is None and (accepted is None or channel.taken_over):
        return Compare()
    if behind is not None:
        return HandOver(behind.sum)
    return Promise(key, amount, covered(channel, amount, told))


def covered(channel: Channel, amount: int, told: Told | None) -> int:
    """How much of a bill is paid by what was promised in a time that the journal does not know.

    All that he billed is owed once. Where this bill is part of that, no more is promised than what
    he billed in all.
    """
    if told is None or not told.is_billed or not channel.taken_over:
        return 0
    owed = max(0, told.billed - channel.promised)
    return min(max(0, amount - owed), channel.taken_over)
