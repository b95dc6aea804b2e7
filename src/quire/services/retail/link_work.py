"""What links have done, at the provider, at the hub, with the ciphertext; it may be repeated.

An effect becomes the event that the link machine waits for. Sending the blocks is in
`link_sending.py`.
Read next: quire.point.link (effects and events), quire.point.link_machine (the steps)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from quire.base.errors import (
    BadEncoding,
    BadOffer,
    Bug,
    DiskFull,
    InsufficientFunds,
    PeerError,
    PeerLied,
    QuireError,
)
from quire.formats.replica import ReplicaAnswer
from quire.formats.replica_answers import AuditAnswer, Have, ReceiptAnswer, audit_digest
from quire.formats.replica_asking import (
    NONCE_BYTES,
    Asking,
    AuditRequest,
    ReleaseRequest,
    RenewRequest,
    SegmentMap,
    SignRequest,
    StoreRequest,
)
from quire.point.audit import Audits
from quire.point.billing import bill_key, bill_prefix
from quire.point.choice_port import Outcome
from quire.point.link import At, LinkState
from quire.point.link_effects import (
    AskOffer,
    AskRenewal,
    AskSignature,
    Audit,
    Close,
    Fund,
    LeaveSlot,
    LinkEffect,
    Look,
    Pay,
    PeerEffect,
    ReadClock,
    Report,
    Reserve,
    Seal,
    SendData,
    SendMap,
    TakeSlot,
)
from quire.point.link_events import (
    Audited,
    Closed,
    Funded,
    LinkEvent,
    Mapped,
    Now,
    Offered,
    Paid,
    Refused,
    Reserved,
    Room,
    Sealed,
    Signed,
    SlotLeft,
    SlotTaken,
)
from quire.point.receipt import decode_terms
from quire.point.values import Code, Receipt
from quire.services.retail.ciphertext import SealedForm
from quire.services.retail.link_answers import refused, unanswered
from quire.services.retail.link_ports import LinkPorts
from quire.services.retail.link_sending import LinkSending
from quire.services.retail.send_slots import SendSlots
from quire.services.retail.served import check_served

DISK_FULL_SECONDS = 10.0  # between two attempts
FORMS_KEPT = 64  # sealed forms that are remembered between computing them and sending their map


class LinkWork:
    """Performs the effects of links. `post` hands an event to a link on the way; `beside`: tokens
    that other links of the same payee are going to promise."""

    def __init__(
        self,
        ports: LinkPorts,
        slots: SendSlots,
        post: Callable[[LinkState, LinkEvent], Awaitable[None]],
        beside: Callable[[LinkState], int],
    ) -> None:
        self._ports = ports
        self._beside = beside
        self._slots = slots
        self._forms: dict[bytes, SealedForm] = {}
        self._audits = Audits()
        self._sending = LinkSending(ports, post)

    async def perform(self, state: LinkState, effect: LinkEffect) -> LinkEvent | None:
        """Raises QuireError that is nobody's answer: the wallet, the chain, the store."""
        pause = getattr(effect, "pause", 0.0)
        if pause:
            await asyncio.sleep(pause)
        while True:
            try:
                return await self._perform(state, effect)
            except PeerError as error:
                if not isinstance(effect, PeerEffect):
                    raise
                return unanswered(effect, error, self._now())
            except DiskFull as error:
                # Nobody's fault out there: it waits for room, as long as the state may last.
                words = f"paused: {error.message}"
                self._ports.events.publish("link.paused", state.order.link_id.hex(), words)
                await asyncio.sleep(DISK_FULL_SECONDS)

    def forget(self, state: LinkState) -> None:
        """The link sends no more."""
        self._forms.pop(state.order.link_id, None)
        self._slots.give(state.order.link_id.hex())

    async def _perform(self, state: LinkState, effect: LinkEffect) -> LinkEvent | None:
        match effect:
            case AskOffer():
                return await self._ask_offer(state, effect)
            case Reserve():
                return await self._reserve(state, effect)
            case Look():
                room = await self._ports.payments.room(state.offer.offer.payee)
                return Room(max(0, room - self._beside(state)))
            case Fund(amount):
                await self._fund(state, amount)
                return Funded()
            case Seal():
                return Sealed((await self._form(state)).root)
            case TakeSlot():
                await self._take_slot(state)
                return SlotTaken()
            case SendMap():
                return await self._send_map(state, effect)
            case SendData():
                await self._take_slot(state)
                return await self._sending.send(state, effect)
            case LeaveSlot():
                self.forget(state)
                return SlotLeft()
            case _:
                return await self._conclude(state, effect)

    async def _conclude(self, state: LinkState, effect: LinkEffect) -> LinkEvent | None:
        match effect:
            case AskSignature():
                return await self._receipt(state, effect, SignRequest(state.sealed_root))
            case AskRenewal():
                renewal = state.renewal
                if renewal is None or renewal.offer is None:
                    raise Bug("a renewal is asked for without an offer")
                asked = RenewRequest(renewal.expires_at, renewal.offer.digest)
                return await self._receipt(state, effect, asked)
            case Pay():
                return await self._pay(state, effect)
            case Audit():
                return await self._audit(state, effect)
            case ReadClock():
                return Now(self._now())
            case Report(outcome, why):
                await self._ports.choice.report(state.order.peer, outcome, why)
                return None
            case Close():
                await self._close(state)
                return Closed()
        raise Bug(f"a link has nothing like {effect} done")

    # ---- asking the provider ----

    async def _ask(self, state: LinkState, body: Asking) -> ReplicaAnswer:
        order = state.order
        return await self._ports.client.ask(order.peer, order.addresses, order.link_id, body)

    async def _ask_offer(self, state: LinkState, effect: AskOffer) -> LinkEvent:
        self._ports.choice.forget_offer(state.order.peer)
        try:
            return Offered(await self._ports.choice.offer(state.order.peer, state.order.addresses))
        except BadOffer as error:
            return Refused(effect, Code.PRICE, error.message)

    async def _reserve(self, state: LinkState, effect: Reserve) -> LinkEvent:
        payments, payee = self._ports.payments, state.offer.offer.payee
        request = StoreRequest(
            state.order.sealed_bytes,
            state.order.blocks,
            state.order.expires_at,
            payments.payer,
            state.offer.digest,
            await payments.introduction(payee),
        )
        answer = await self._ask(state, request)
        return Reserved() if answer.code is Code.OK else refused(effect, answer, self._now())

    async def _send_map(self, state: LinkState, effect: SendMap) -> LinkEvent:
        await self._take_slot(state)  # its own already, except after a restart
        form = await self._form(state)
        request = SegmentMap(form.root, form.leaves, form.size)
        answer = await self._ask(state, request)
        if answer.code is Code.OK and isinstance(answer.body, Have):
            self._sending.is_fresh(state.order.link_id)
            return Mapped(answer.body.bitmap)
        return refused(effect, answer, self._now())

    async def _receipt(
        self, state: LinkState, effect: AskSignature | AskRenewal, request: Asking
    ) -> LinkEvent:
        answer = await self._ask(state, request)
        body = answer.body
        if answer.code is not Code.OK or not isinstance(body, ReceiptAnswer):
            return refused(effect, answer, self._now())
        try:
            receipt = Receipt(decode_terms(body.typed), body.signature)
        except BadEncoding as error:
            raise PeerLied(f"{state.order.peer} signed no receipt: {error.message}") from None
        return Signed(receipt, self._now())

    async def _audit(self, state: LinkState, effect: Audit) -> LinkEvent:
        """A few random blocks, at once and bound to a nonce; the same ones until they are shown."""
        count, rng, link_id = state.order.blocks, self._ports.rng, state.order.link_id
        indexes = self._audits.pick(rng, link_id, count)
        nonce = rng.randbytes(NONCE_BYTES)
        answer = await self._ask(state, AuditRequest(state.sealed_root, nonce, indexes))
        body = answer.body
        if answer.code is not Code.OK or not isinstance(body, AuditAnswer):
            return refused(effect, answer, self._now())
        why = ""
        try:
            check_served(body.runs, indexes, state.sealed_root, count)
            if audit_digest(nonce, (run.data for run in body.runs)) != body.digest:
                why = "the digest of an audit does not fit its blocks"
        except PeerLied as error:
            why = error.message
        if not why:
            self._audits.passed(link_id)
        return Audited(not why, self._now(), rng.random(), why)

    # ---- money, and the end ----

    async def _fund(self, state: LinkState, amount: int) -> None:
        """With one transaction for all links of the payee, as far as the wallet has it."""
        payments, payee = self._ports.payments, state.offer.offer.payee
        try:
            await payments.fund(payee, amount + self._beside(state))
        except InsufficientFunds:
            await payments.fund(payee, amount)

    async def _pay(self, state: LinkState, effect: Pay) -> LinkEvent:
        order, payee = state.order, state.offer.offer.payee
        bill = bill_key(order.link_id, effect.number)
        paid = await self._ports.payments.pay(bill, order.peer, payee, effect.amount)
        return Paid(effect.number, paid, self._now(), self._ports.rng.random())

    async def _close(self, state: LinkState) -> None:
        self.forget(state)
        order = state.order
        self._audits.passed(order.link_id)
        if state.outcome is not None:
            await self._ports.choice.report(order.peer, state.outcome, state.why)
        await self._ports.payments.forget(bill_prefix(order.link_id))
        # One that expired stays with its provider for the days of grace. One that was lost goes on
        # being billed until its provider hears that nobody pays for it.
        if state.at is At.EXPIRED or (state.outcome is Outcome.SILENT and state.at is not At.LOST):
            return
        try:
            await self._ask(state, ReleaseRequest())
        except QuireError:
            return  # it forgets by itself when the lease ends

    # ---- odds ----

    async def _form(self, state: LinkState) -> SealedForm:
        """Root and leaves of the sealed chunk, computed at most once in a while."""
        order = state.order
        form = self._forms.get(order.link_id)
        if form is None:
            file = self._ports.file(order.upload_id)
            extent = file.ciphertext.extent(order.first_block, order.blocks)
            form = self._forms[order.link_id] = await file.ciphertext.seal(
                extent, file.sealer(order)
            )
            while len(self._forms) > FORMS_KEPT:
                del self._forms[next(iter(self._forms))]
        return form

    async def _take_slot(self, state: LinkState) -> None:
        await self._slots.take(state.order.link_id.hex(), state.order.peer)

    def _now(self) -> int:
        return int(self._ports.chain.now())
