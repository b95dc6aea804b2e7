"""What became of a host's proofs: counted, told on the bus, written down.

The journal remembers the newest proof of each slot that got into the chain, so that a node that
starts in the middle of a period does not send it twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quire.base.errors import BadEncoding, BlockMissing, QuireError
from quire.base.events import EventBus
from quire.chain.port import Market
from quire.chain.values import SlotId
from quire.services.proof_duty import RECORD, LastProof, ProofDuty, decode_last_proof
from quire.store.journal import Journal, Record

SLOW_SHARE = 0.5  # of a period: a proof that takes longer is told as a risk
IN_CHAIN = "this period's proof is in the chain"


@dataclass(slots=True)
class ProvingCounts:
    """Since the node started."""

    asked: int = 0
    made: int = 0
    submitted: int = 0
    late: int = 0  # not made or not sent in time
    missed: int = 0  # marked as missing by the contract
    transactions: int = 0
    margin_seconds: float = 0.0  # that the newest proof had left


class ProofOutcomes:
    """Of one account at one market."""

    def __init__(self, market: Market, journal: Journal, events: EventBus) -> None:
        self.counts = ProvingCounts()
        self._market = market
        self._journal = journal
        self._events = events
        self._last: dict[str, LastProof] = {}  # from the journal, by subject
        self._to_count: dict[SlotId, float] = {}  # late; chain time when their marking is over

    async def load(self) -> None:
        """Raises StoreCorrupt."""
        for key, data in (await self._journal.read(RECORD)).items():
            try:
                self._last[key] = decode_last_proof(data)
            except BadEncoding as error:
                self.tell("unreadable", key, error.message)

    def last_of(self, subject: str) -> LastProof | None:
        """The newest proof of a slot that earlier lives of the node sent."""
        return self._last.get(subject)

    def foresee(self, coming: int, seconds: float, at_once: int, left: float) -> None:
        """Tell at the start of a period when there will not be time for so many proofs."""
        needed = seconds * -(-coming // at_once)
        if needed > left:
            told = (
                f"{coming} proofs of {seconds:.1f} s, {at_once} at a time, need {needed:.0f} s, "
                f"and {left:.0f} s are left: hold fewer slots"
            )
            self.tell("overload", "", told, proofs=coming)

    def made(self, duty: ProofDuty, seconds: float) -> None:
        """A proof is made, and took so long."""
        self.counts.made += 1
        period = self._market.terms.period
        if seconds > SLOW_SHARE * period:
            self.at_risk(
                duty,
                f"its proof took {seconds:.1f} s of a period of {period} s; hold fewer slots, or "
                "prove on a faster machine",
            )

    def trouble(self, duty: ProofDuty, error: QuireError) -> None:
        """A proof could not be made; it is tried again."""
        told = error.message
        if isinstance(error, BlockMissing):
            told = f"data of slot {duty.slot_index} is lost, get it back: {error.message}"
        self.at_risk(duty, told)

    async def sent(self, sent: Sequence[tuple[ProofDuty, int, bytes]]) -> None:
        """Proofs of (period, challenge) are in the chain; told by a receipt, an event, or both."""
        records, now = [], self._market.clock.now()
        for duty, period, challenge in sent:
            if duty.last is not None and duty.last.is_for(period, challenge):
                continue
            margin = self._market.terms.period_end(period) - now
            duty.last = LastProof(period, challenge, now, margin)
            if duty.is_in_chain:
                duty.stop()
                duty.state, duty.reason, duty.trouble = "submitted", IN_CHAIN, ""
            self.counts.submitted += 1
            self.counts.margin_seconds = margin
            told = f"period {period}: the proof is in the chain, {margin:.1f} s before its end"
            records.append(Record(RECORD, duty.subject, duty.last.encode(), told))
            self.tell("submitted", duty.subject, told, period=period, margin=margin)
        try:
            await self._journal.write(records)
        except QuireError as error:  # after a restart the contract refuses a second one
            self.tell("not-noted", "", f"proofs are in the chain, not noted: {error.message}")

    def late(self, duty: ProofDuty, period: int, why: str) -> None:
        """A period's proof did not get into the chain."""
        self.counts.late += 1
        terms = self._market.terms
        self._to_count[duty.slot_id] = terms.period_end(period) + terms.timeout
        self.at_risk(duty, f"period {period}: {why}")

    async def count_missed(self, duties: Mapping[SlotId, ProofDuty]) -> None:
        """How many misses the contract counts, once the time for marking is over. Raises
        ChainUnreachable."""
        now = self._market.clock.now()
        for slot_id in [s for s, until in self._to_count.items() if now > until]:
            duty = duties.get(slot_id)
            if duty is not None:
                known, duty.missed = duty.missed, await self._market.missing_proofs(slot_id)
                self._tell_missed(duty, duty.missed - known)
            self._to_count.pop(slot_id, None)

    def _tell_missed(self, duty: ProofDuty, more: int) -> None:
        if more > 0:
            self.counts.missed += more
            most = self._market.terms.max_slashes
            self.at_risk(
                duty, f"{duty.missed} missed proofs are marked; {most} of them cost the slot"
            )

    def at_risk(self, duty: ProofDuty, why: str) -> None:
        duty.trouble = why
        self.tell("at-risk", duty.subject, why, period=duty.period, cid=str(duty.cid))

    def tell(self, what: str, subject: str, message: str, **facts: object) -> None:
        self._events.publish(f"proof.{what}", subject, message, **facts)
