"""SUBMIT at the customer: what is sent, what a promise has to say, what is checked before it is
paid, and what is claimed when it was not kept.
"""

from __future__ import annotations

from quire.aggregation.order import Claimed, Good, NotOwed, Order, Ready, Served, Wrong
from quire.aggregation.values import SubmitWork
from quire.base.errors import Busy, InsufficientFunds, NotMined, Refused, Reverted
from quire.chain.abi import id_text
from quire.chain.bonds import Bonds, Promise, promise_digest
from quire.chain.port import Batch, Market
from quire.formats.aggregator_asking import AcceptSubmit, Asking, Customer
from quire.formats.aggregator_codes import Reason
from quire.kernels.signing import recover_address
from quire.market.block_pace import BlockPace
from quire.services.submissions import submission_in

NOT_MARKED = "Bonds_ProofNotMissing"
CLAIMED = "Bonds_AlreadyClaimed"
CLAIM_LOOK_SECONDS = 30.0  # until the period is over
SEEN_BLOCKS = 2  # that a node of the chain may be behind


class SubmitHandler:
    """Implements Handler and Promises (ordering.ports)."""

    def __init__(self, market: Market, bonds: Bonds) -> None:
        self._market = market
        self._bonds = bonds
        self._pace = BlockPace(market.terms)

    async def hear(self, batch: Batch) -> None:
        """Every batch of the market: how fast blocks come."""
        self._pace.note(batch.head)

    # ---- the order ----

    async def accept(self, order: Order, customer: Customer) -> Asking:
        work = _work_of(order)
        return AcceptSubmit(
            customer, work.slot_id, work.period, work.challenge, work.proof, order.deadline
        )

    async def check(self, order: Order) -> Good | Wrong:
        """Whether the aggregator, and nobody else, brought it into the chain in its period."""
        work, payee = _work_of(order), order.offer.offer.payee
        found = await submission_in(self._market, self._pace, work.slot_id, work.period)
        if found is not None and found.sender == payee:
            return Good(
                f"the proof of period {work.period} is in block {found.block}, transaction "
                f"{id_text(found.hash)}"
            )
        if found is not None:
            why = f"{id_text(found.sender)} brought the proof into the chain, not {id_text(payee)}"
            return Wrong(Reason.PROOF, why)
        end = self._market.terms.period_end(work.period)
        if self._market.clock.now() < end + SEEN_BLOCKS * self._pace.seconds:
            raise NotMined(f"the chain does not show the proof of period {work.period} yet")
        why = f"period {work.period} is over, and the proof is not in the chain"
        return Wrong(Reason.PROOF, why)

    async def watch(self, order: Order) -> Served | Wrong:
        raise Refused("a submission has no second part")

    async def closing(self, order: Order) -> None:
        """Nothing was kept."""

    # ---- the promise ----

    def problem(self, order: Order, signature: bytes) -> str:
        promise = self._promise(order)
        signer = recover_address(signature, promise_digest(self._bonds.domain, promise))
        if signer == promise.aggregator:
            return ""
        return (
            f"its promise of {promise.amount} tokens for slot {order.subject} in period "
            f"{promise.period} is not signed by {id_text(promise.aggregator)}"
        )

    async def claim(self, order: Order) -> Claimed | NotOwed | Ready:
        work, terms, clock = _work_of(order), self._market.terms, self._market.clock
        promise, end = self._promise(order), terms.period_end(work.period)
        if not promise.amount:
            return NotOwed("its promise was worth nothing")
        while True:
            found = await submission_in(self._market, self._pace, work.slot_id, work.period)
            if found is not None and found.sender == promise.aggregator:
                return Ready(found.hash)
            if found is not None:
                return NotOwed(f"{id_text(found.sender)} brought the proof into the chain in time")
            if clock.now() < end:  # the host's own turn may still come
                await clock.until(min(end, clock.now() + CLAIM_LOOK_SECONDS))
                continue
            is_over = clock.now() > end + terms.timeout + SEEN_BLOCKS * self._pace.seconds
            problem = await self._claim(promise, order.signature)
            if problem is None:
                return Claimed(promise.amount)
            if problem.facts.get("name") != NOT_MARKED:
                return NotOwed(problem.message)
            if is_over:
                return NotOwed("nobody marked the proof as missing")
            await clock.until(clock.now() + self._pace.seconds)

    async def _claim(self, promise: Promise, signature: bytes) -> Reverted | None:
        """What the contract says against it."""
        if await self._bonds.is_claimed(promise):
            return None
        try:
            await self._bonds.claim(promise, signature)
        except InsufficientFunds as problem:  # somebody may still see to it
            raise Busy(f"the bond is not claimed yet: {problem.message}") from None
        except Reverted as problem:
            return None if problem.facts.get("name") == CLAIMED else problem
        return None

    def _promise(self, order: Order) -> Promise:
        work = _work_of(order)
        return Promise(
            order.offer.offer.payee, self._market.account, work.slot_id, work.period, work.amount
        )


def _work_of(order: Order) -> SubmitWork:
    assert isinstance(order.work, SubmitWork)
    return order.work
