"""One slot that this node has to prove, and how far that is in the present period.

idle -> proving -> ready -> submitted          waiting: there is nothing to do in this period
           `---------`----> missed
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from math import isfinite

from quire.base.errors import BadEncoding
from quire.base.units import format_duration, format_time
from quire.chain.port import ProofStatus
from quire.chain.values import SlotId
from quire.formats.cid import Cid
from quire.market.period_plan import Duty, PeriodPlan

RECORD = "proof"  # what its records in the journal are filed under


@dataclass(frozen=True, slots=True)
class LastProof:
    """The newest proof of a slot that is in the chain. `margin`: seconds that were left."""

    period: int
    challenge: bytes
    at: float  # chain time
    margin: float

    def is_for(self, period: int, challenge: bytes) -> bool:
        return (self.period, self.challenge) == (period, challenge)

    def encode(self) -> bytes:
        return json.dumps(
            {
                "period": self.period,
                "challenge": self.challenge.hex(),
                "at": self.at,
                "margin": self.margin,
            }
        ).encode()

    def as_dict(self) -> dict[str, object]:
        return {"period": self.period, "at": self.at, "marginSeconds": round(self.margin, 3)}


def decode_last_proof(data: bytes) -> LastProof:
    """Raises BadEncoding."""
    try:
        found = json.loads(data)
        challenge = bytes.fromhex(found["challenge"])
        numbers = (int(found["period"]), float(found["at"]), float(found["margin"]))
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise BadEncoding(f"the record of a proof cannot be read: {error!r}") from None
    if len(challenge) != 32:
        raise BadEncoding(f"a challenge has 32 bytes, not {len(challenge)}")
    period, at, margin = numbers
    if not (isfinite(at) and isfinite(margin)):
        raise BadEncoding(f"the record of a proof has the times {at} and {margin}")
    return LastProof(period, challenge, at, margin)


@dataclass(slots=True, eq=False)
class ProofDuty:
    """A watched slot.

    asked_block  the block that `status` is true for
    proof        for the present challenge; kept until the period is over, as a re-organisation of
                 the chain may want it once more
    missed       periods that ended without the proof that they wanted, as far as this node knows
    """

    slot_id: SlotId
    cid: Cid
    slot_index: int
    request_end: int
    status: ProofStatus | None = None
    asked_block: int = 0
    plan: PeriodPlan | None = None
    state: str = "idle"
    reason: str = "its first period has not been looked at yet"
    proof: bytes | None = None
    last: LastProof | None = None
    missed: int = 0
    trouble: str = ""
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def subject(self) -> str:
        return "0x" + self.slot_id.hex()

    @property
    def period(self) -> int | None:
        return None if self.status is None else self.status.period

    @property
    def is_under_way(self) -> bool:
        return self.state in ("proving", "ready")

    def look_at(self, status: ProofStatus, block: int) -> None:
        """What the contract says now. A new period or challenge begins from the start."""
        old = self.status
        if old is None or (old.period, old.challenge) != (status.period, status.challenge):
            self.stop()
            self.state, self.reason, self.proof, self.trouble = "idle", "", None, ""
        self.status, self.asked_block = status, block

    def decide(self, plan: PeriodPlan) -> None:
        """What is to be done follows from the plan, unless it is being done. After the end of the
        request a proof is of no use."""
        self.plan = plan = PeriodPlan(plan.duty, min(plan.latest, float(self.request_end)))
        if not plan.is_to_prove and self.state in ("idle", "waiting"):
            self.state, self.reason = "waiting", plan.duty.value

    @property
    def is_to_begin(self) -> bool:
        plan = self.plan
        return plan is not None and plan.is_to_prove and self.state in ("idle", "waiting")

    @property
    def is_in_chain(self) -> bool:
        """Whether the present period's proof was sent already."""
        last, status = self.last, self.status
        if last is None or status is None:
            return False
        return last.is_for(status.period, status.challenge)

    def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            self.task = None

    def words(self, next_period_at: int) -> list[str]:
        """Sentences for people."""
        if self.status is None:
            return [f"It is to be proved: {self.reason}."]
        found = [
            f"Period {self.status.period}: {self.reason}.",
            f"The next period begins at {format_time(next_period_at)}.",
        ]
        if self.last is not None:
            found.append(
                f"Its newest proof, for period {self.last.period}, was in the chain "
                f"{format_duration(max(0.0, self.last.margin))} before the period's end."
            )
        if self.missed:
            found.append(f"{self.missed} missed proofs are marked.")
        if self.trouble:
            found.append(f"It is at risk: {self.trouble}.")
        return found

    def as_dict(self, next_period_at: int, now: float) -> dict[str, object]:
        """As the API tells it. Times in unix seconds of the chain."""
        plan, status = self.plan, self.status
        found: dict[str, object] = {
            "state": self.state,
            "reason": self.reason,
            "period": self.period,
            "required": plan is not None and plan.duty in (Duty.REQUIRED, Duty.COMING),
            "nextPeriodAt": next_period_at,
            "missed": self.missed,
        }
        if status is not None:
            found |= {"pointer": status.pointer, "challenge": "0x" + status.challenge.hex()}
        if plan is not None and plan.is_to_prove:
            found |= {
                "latest": round(plan.latest, 3),
                "marginSeconds": round(plan.latest - now, 3),
            }
        if self.last is not None:
            found["lastProof"] = self.last.as_dict()
        if self.trouble:
            found["trouble"] = self.trouble
        return found
