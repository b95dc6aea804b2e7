"""How proofs that are made get into the chain: each at once, or several in one transaction.

A batch shares the transaction, the verifier's two fixed pairings and the work on public inputs, so
it costs less from two proofs on; what it costs is time, as it waits for its members. A proof in the
chain is safe and one in memory is not: proofs wait only while others of the same period are about
to be ready, not for long, and never into the time that is kept for trying again.

    period  |---- proofs are made, handed over ----|--------|------|------|------|
                         promise_until (40 % are left) ^     own_turn  latest    end

A host that lets somebody else submit sends itself from `promise_until` on what nobody promised to
submit, and from `own_turn` on what was promised and is not in the chain. Who submits for others
sends so early that a transaction of his can fail, and twice again, before it is the host's turn.

Source   market.md 2.10, 6.2, 6.4; gas measured, docs/reference/gas.md; ADR 0044
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quire.chain.terms import Extensions, Terms
from quire.chain.values import SlotId
from quire.market.period_plan import SEND_BLOCKS

SINGLE_GAS = 252_000  # one proof in a transaction of its own
BATCH_GAS = 209_000  # a batch, before its first proof
EACH_GAS = 63_300  # each proof of a batch: pairing, calldata, the bit that it was received
BATCH_MAX = 32  # 2.2 M gas: fits into the blocks of every chain
GATHERED_MAX = 64  # 4.3 M gas, 66 k each; more saves 1 k each at most, and a bad one delays more
HOLD_SHARE = 0.25  # of a period that a proof waits for others at most
TRIES_KEPT = 2  # for so many further transactions there must be time after a batch was sent
PROMISE_SHARE = 0.4  # of a period, before its end: without a promise by then the host submits


@dataclass(frozen=True, slots=True)
class Patience:
    """How long proofs wait for others.

    hold_share     of a period, at most
    tries_kept     transactions for which there must be time before a proof's `latest`
    linger_blocks  that they wait even when nobody is known to come
    batch_max      with so many it is sent
    """

    hold_share: float = HOLD_SHARE
    tries_kept: int = TRIES_KEPT
    linger_blocks: int = 0
    batch_max: int = BATCH_MAX


ALONE = Patience()  # for one's own slots
# For those of others: they are handed over as they are made, all through the first part of the
# period, and it must not become the turn of a host before all tries have been made.
GATHERING = Patience(
    hold_share=1.0, tries_kept=2 * TRIES_KEPT + 1, linger_blocks=1, batch_max=GATHERED_MAX
)


@dataclass(frozen=True, slots=True)
class Ready:
    """A proof that was made for a period. `latest`: chain time by which it has to be sent;
    `since`: when it was made; `not_before`: until when somebody else may do it; `kin`: of a batch,
    those that share it go side by side, as the contract looks up a host once for its slots."""

    slot_id: SlotId
    period: int
    challenge: bytes
    proof: bytes
    latest: float
    since: float
    not_before: float = 0.0
    kin: bytes = b""


@dataclass(frozen=True, slots=True)
class SendPlan:
    """Transactions to send now, most urgent first; chain time at which to decide again about what
    is left, None when nothing is."""

    now: tuple[tuple[Ready, ...], ...]
    again_at: float | None = None


def promise_until(period: int, terms: Terms) -> float:
    """Chain time until when a host waits for somebody's promise to submit."""
    return terms.period_end(period) - PROMISE_SHARE * terms.period


def own_turn(latest: float, send_seconds: float) -> float:
    """Chain time from which a host sends a proof itself that others have promised to submit."""
    return latest - TRIES_KEPT * send_seconds


def gas_of(count: int, terms: Terms) -> int:
    """About what so many proofs cost, the cheaper way."""
    return min(count * SINGLE_GAS, _batch_gas(count)) if may_batch(terms) else count * SINGLE_GAS


def may_batch(terms: Terms) -> bool:
    return Extensions.BATCH_PROOFS in terms.extensions


def plan_sending(
    ready: Sequence[Ready],
    coming: int,
    now: float,
    send_seconds: float,
    terms: Terms,
    patience: Patience = ALONE,
) -> SendPlan:
    """What to send now.

    ready         proofs that are made and not sent
    coming        proofs of this period that are being made and could join them
    send_seconds  that a transaction is given to get into the chain
    """
    others = [each.not_before for each in ready if each.not_before > now]
    urgent_first = sorted(
        (each for each in ready if each.not_before <= now),
        key=lambda each: (each.latest, each.slot_id),
    )
    if not urgent_first:
        return SendPlan((), min(others, default=None))
    if not may_batch(terms):
        return SendPlan(tuple((each,) for each in urgent_first), min(others, default=None))
    seconds = patience.linger_blocks * send_seconds / SEND_BLOCKS
    if (
        coming
        and gas_of(len(urgent_first) + 1, terms) < gas_of(len(urgent_first), terms) + SINGLE_GAS
    ):
        seconds = patience.hold_share * terms.period
    hold_until = min(
        urgent_first[0].latest - patience.tries_kept * send_seconds,
        min(each.since for each in urgent_first) + seconds,
    )
    is_held = seconds > 0 and now < hold_until
    # What fills a batch need not wait for more.
    held = len(urgent_first) % patience.batch_max if is_held else 0
    groups = _groups(urgent_first[: len(urgent_first) - held], patience.batch_max)
    again = [hold_until] if held else []
    return SendPlan(tuple(groups), min([*again, *others], default=None))


def _groups(ready: list[Ready], batch_max: int) -> list[tuple[Ready, ...]]:
    found: list[tuple[Ready, ...]] = []
    for at in range(0, len(ready), batch_max):
        part = ready[at : at + batch_max]
        if _batch_gas(len(part)) < len(part) * SINGLE_GAS:
            found.append(tuple(sorted(part, key=lambda each: each.kin)))
        else:
            found.extend((each,) for each in part)
    return found


def _batch_gas(count: int) -> int:
    return SINGLE_GAS if count == 1 else BATCH_GAS + count * EACH_GAS
