"""How proofs that are made get into the chain: each at once, or several in one transaction.

A batch shares the transaction, the verifier's two fixed pairings and the work on public inputs, so
it costs less from two proofs on; what it costs is time, as it waits for its members. A proof in the
chain is safe and one in memory is not: proofs wait only while others of the same period are about
to be ready, not for long, and never into the time that is kept for trying again.

Source   market.md 2.10, 6.2; gas measured, docs/reference/gas.md
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quire.chain.terms import Extensions, Terms
from quire.chain.values import SlotId

SINGLE_GAS = 252_000  # one proof in a transaction of its own
BATCH_GAS = 203_000  # a batch, before its first proof
EACH_GAS = 63_300  # each proof of a batch: pairing, calldata, the bit that it was received
BATCH_MAX = 32  # 2.2 M gas: fits into the blocks of every chain
HOLD_SHARE = 0.25  # of a period that a proof waits for others at most
TRIES_KEPT = 2  # for so many further transactions there must be time after a batch was sent


@dataclass(frozen=True, slots=True)
class Ready:
    """A proof that was made for a period. `latest`: chain time by which it has to be sent;
    `since`: when it was made."""

    slot_id: SlotId
    period: int
    challenge: bytes
    proof: bytes
    latest: float
    since: float


@dataclass(frozen=True, slots=True)
class SendPlan:
    """Transactions to send now, most urgent first; chain time at which to decide again about what
    is left, None when nothing is."""

    now: tuple[tuple[Ready, ...], ...]
    again_at: float | None = None


def gas_of(count: int, terms: Terms) -> int:
    """About what so many proofs cost, the cheaper way."""
    return min(count * SINGLE_GAS, _batch_gas(count)) if may_batch(terms) else count * SINGLE_GAS


def may_batch(terms: Terms) -> bool:
    return Extensions.BATCH_PROOFS in terms.extensions


def plan_sending(
    ready: Sequence[Ready], coming: int, now: float, send_seconds: float, terms: Terms
) -> SendPlan:
    """What to send now.

    ready   proofs that are made and not sent
    coming  proofs of this period that are being made and could join them
    """
    urgent_first = sorted(ready, key=lambda each: (each.latest, each.slot_id))
    if not urgent_first:
        return SendPlan(())
    if not may_batch(terms):
        return SendPlan(tuple((each,) for each in urgent_first))
    hold_until = min(
        urgent_first[0].latest - TRIES_KEPT * send_seconds,
        min(each.since for each in ready) + HOLD_SHARE * terms.period,
    )
    is_worth_it = gas_of(len(ready) + 1, terms) < gas_of(len(ready), terms) + SINGLE_GAS
    if coming and is_worth_it and now < hold_until and len(ready) < BATCH_MAX:
        return SendPlan((), hold_until)
    return SendPlan(tuple(_groups(urgent_first)))


def _groups(ready: list[Ready]) -> list[tuple[Ready, ...]]:
    found: list[tuple[Ready, ...]] = []
    for at in range(0, len(ready), BATCH_MAX):
        part = ready[at : at + BATCH_MAX]
        if _batch_gas(len(part)) < len(part) * SINGLE_GAS:
            found.append(tuple(part))
        else:
            found.extend((each,) for each in part)
    return found


def _batch_gas(count: int) -> int:
    return SINGLE_GAS if count == 1 else BATCH_GAS + count * EACH_GAS
