"""What an aggregator looks at before it promises to submit a proof: the contract's word on slot,
host, delegate, period and challenge; the time that is left; and the proof, for public inputs that
are computed from the chain alone.
"""

from __future__ import annotations

from quire.base.errors import NotFound
from quire.chain.abi import id_text
from quire.chain.port import Market
from quire.dataset.storage_proof import Claim
from quire.formats.aggregator import AggregatorAnswer
from quire.formats.aggregator_asking import AcceptSubmit
from quire.formats.aggregator_codes import Code
from quire.market.period_plan import entropy_of
from quire.market.submit_policy import TRIES_KEPT, promise_until
from quire.services.aggregating.proof_checks import ProofChecks
from quire.services.period_looks import PeriodLooks

HOST_INPUTS = 4  # of a circuit that binds the host
BEHIND_MS = 1000


class SubmitChecks:
    """At one market."""

    def __init__(self, market: Market, looks: PeriodLooks, proofs: ProofChecks) -> None:
        self._market = market
        self._looks = looks
        self._proofs = proofs

    async def refusal(self, body: AcceptSubmit, send_seconds: float) -> AggregatorAnswer | None:
        """Why nothing is promised; None: it can be. Raises ChainUnreachable.

        send_seconds  that a transaction is given to get into the chain"""
        refusal = self._time_problem(body, send_seconds)
        refusal = refusal or await self._host_problem(body)
        refusal = refusal or await self._status_problem(body)
        refusal = refusal or await self._proof_problem(body)
        return refusal or self._time_problem(body, send_seconds)  # the looking took time

    def _time_problem(self, body: AcceptSubmit, send_seconds: float) -> AggregatorAnswer | None:
        terms, now = self._market.terms, self._looks.now
        end = min(terms.period_end(body.period), body.deadline)
        latest = min(promise_until(body.period, terms), end - (1 + TRIES_KEPT) * send_seconds)
        if now < latest:
            return None
        text = (
            f"it is too late to promise it: a proof for period {body.period} has to come before "
            f"{latest:.0f} (chain time), now it is {now:.0f}"
        )
        return AggregatorAnswer(Code.EXPIRED, text)

    async def _host_problem(self, body: AcceptSubmit) -> AggregatorAnswer | None:
        market, account = self._market, body.customer.account
        host = await market.host(body.slot_id)
        if host != account:
            text = f"{id_text(account)} does not host slot {id_text(body.slot_id)}"
            return AggregatorAnswer(Code.REFUSED, text)
        if not await market.is_proof_delegate(account, market.account):
            text = (
                f"{id_text(account)} has not appointed {id_text(market.account)} as its delegate: "
                "call setProofDelegate first"
            )
            return AggregatorAnswer(Code.NOT_DELEGATE, text)
        return None

    async def _status_problem(self, body: AcceptSubmit) -> AggregatorAnswer | None:
        [status] = await self._market.proof_statuses([body.slot_id])
        if status.period < body.period:
            text = f"the chain as this node sees it is in period {status.period} still"
            return AggregatorAnswer(Code.BUSY, text, None, BEHIND_MS)
        if status.period > body.period:
            text = f"period {body.period} is over; the chain is in period {status.period}"
            return AggregatorAnswer(Code.EXPIRED, text)
        if status.challenge != body.challenge:
            text = (
                f"it answers challenge {id_text(body.challenge)}, the contract asks "
                f"{id_text(status.challenge)}"
            )
            return AggregatorAnswer(Code.BAD_PROOF, text)
        if not (status.is_required or status.will_be_required):
            text = f"no proof of the slot is asked for in period {body.period}"
            return AggregatorAnswer(Code.REFUSED, text)
        return None

    async def _proof_problem(self, body: AcceptSubmit) -> AggregatorAnswer | None:
        try:
            request, slot_index = await self._market.active_slot(body.slot_id)
        except NotFound as error:
            return AggregatorAnswer(Code.REFUSED, error.message)
        is_bound = self._market.terms.proof_inputs == HOST_INPUTS
        claim = Claim(
            entropy_of(body.challenge),
            request.content.merkle_root,
            slot_index,
            body.customer.account if is_bound else None,
        )
        if await self._proofs.is_good(b"".join(claim.public()), body.proof):
            return None
        text = (
            f"the proof does not hold for slot {slot_index} of the request, its challenge of "
            f"period {body.period} and host {id_text(body.customer.account)}"
        )
        return AggregatorAnswer(Code.BAD_PROOF, text)
