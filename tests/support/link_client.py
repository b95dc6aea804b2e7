"""The client of the model: production links, chunks and channels, and what they have done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any

from quire.base.errors import QuireError
from quire.base.machine import Failed
from quire.channels.channel import Bill
from quire.point.audit import pick_blocks
from quire.point.billing import bill_key
from quire.point.chunk import ChunkView, Wanted, consider, used_peers
from quire.point.link import LinkOrder, LinkState, missing_blocks
from quire.point.link_effects import (
    AskOffer,
    AskRenewal,
    AskSignature,
    Audit,
    Close,
    Fund,
    LeaveSlot,
    Look,
    Pay,
    ReadClock,
    Reserve,
    Seal,
    SendData,
    SendMap,
    TakeSlot,
)
from quire.point.link_events import (
    Acked,
    Audited,
    Closed,
    Funded,
    LinkEvent,
    Mapped,
    NoAnswer,
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
from quire.point.values import BLOCK_BYTES, Code
from support.link_kit import UPLOAD_ID
from support.link_ledger import Ledger
from support.link_providers import Provider, Reply
from support.link_runner import LinkRunner


@dataclass
class Plan:
    """What is put: `chunks` of `blocks` each, kept `redundancy` times for `seconds`."""

    redundancy: int
    chunks: int
    blocks: int
    seconds: int
    is_autorenewed: bool
    budget: int | None


@dataclass
class Client(LinkRunner):
    """What survives a crash besides the journal: the ledger, `uploaded`, `is_dry`."""

    providers: Sequence[Provider]
    ledger: Ledger
    plan: Plan
    uploaded: dict[int, bool] = field(default_factory=dict, init=False)
    is_dry: bool = field(default=False, init=False)  # there was a moment without candidates
    passed: dict[bytes, int] = field(default_factory=dict, init=False)  # its last good audit
    opened: int = field(default=0, init=False)
    on_view: Callable[[int, ChunkView], None] = field(default=lambda chunk, view: None, init=False)

    def __post_init__(self) -> None:
        self.wanted = Wanted(
            self.plan.redundancy, self.world.now + self.plan.seconds, self.plan.is_autorenewed
        )
        self.by_peer = {provider.who.peer: provider for provider in self.providers}

    # ---- chunks ----

    def of(self, chunk: int) -> list[LinkState]:
        return [link for link in self.links.values() if link.order.chunk == chunk]

    def view(self, chunk: int, is_dry: bool = False) -> ChunkView:
        return consider(
            self.of(chunk),
            self.wanted,
            self.world.now,
            was_uploaded=self.uploaded.get(chunk, False),
            is_out_of_candidates=is_dry,
        )

    def views(self) -> list[ChunkView]:
        return [self.view(c, not self._candidates(c)) for c in range(self.plan.chunks)]

    def _candidates(self, chunk: int) -> list[Provider]:
        used = self.used(self.of(chunk))
        return [each for each in self.providers if each.who.peer not in used]

    def used(self, links: Sequence[LinkState]) -> Sequence[str]:
        return used_peers(links)

    def tick(self) -> None:
        for chunk in range(self.plan.chunks):
            view = self.view(chunk)
            for _ in range(view.missing):
                candidates = self._candidates(chunk)
                if not candidates:
                    self.is_dry = True
                    break
                self._open(chunk, self.world.rng.choice(candidates))
            view = self.view(chunk, not self._candidates(chunk))
            if view.signed >= self.plan.redundancy:
                self.uploaded[chunk] = True
            self.on_view(chunk, view)
            if view.look_at is not None:
                self.later(view.look_at - self.world.time + 0.5, self.tick)

    def _open(self, chunk: int, provider: Provider) -> None:
        plan, now = self.plan, self.world.now
        self.opened += 1
        link_id = sha256(b"%d %d" % (chunk, self.opened)).digest()[:16]
        size = (plan.blocks - 1) * BLOCK_BYTES + 77
        first = chunk * plan.blocks
        order = LinkOrder(
            link_id, UPLOAD_ID, chunk, provider.who.peer, (), self.opened, 0, first, size, now,
            plan.seconds, plan.budget,
        )  # fmt: skip
        link = LinkState(order, provider.offer, order.expires_at, plan.is_autorenewed)
        self.add(link)

    # ---- effects ----

    def _do(self, key: bytes, effect: Any, token: object) -> None:
        if not self._is_running(key, effect, token):
            return
        self.may_crash()
        link, done = self.links[key], partial(self._done, key, effect, token)
        payee = link.offer.offer.payee
        match effect:
            case Look():
                done(Room(self.ledger.room(payee)))
            case Fund(amount):
                self.ledger.fund(payee, amount, partial(self._funded, self.epoch, effect, done))
            case Seal():
                order = link.order
                root = sha256(b"sealed %s %d" % (order.peer.encode(), order.first_block)).digest()
                done(Sealed(root))
            case TakeSlot():
                done(SlotTaken())
            case LeaveSlot():
                done(SlotLeft())
            case ReadClock():
                done(Now(self.world.now))
            case Close():
                self._ask(link, ("release", key), lambda _: None)
                done(Closed())
            case SendData():
                self._send(key, effect, token)
            case Pay():
                self._pay(link, effect, done)
            case AskOffer() | Reserve() | SendMap() | AskSignature() | Audit() | AskRenewal():
                self._question(link, effect, done)
            case _:
                done(None)

    def _funded(
        self, epoch: int, effect: Any, done: Callable[[Any], None], error: QuireError | None
    ) -> None:
        if epoch == self.epoch:
            self.guarded(done, Funded() if error is None else Failed(effect, error))

    def _ask(self, link: LinkState, message: Any, answered: Callable[[Reply | None], None]) -> None:
        epoch = self.epoch

        def came(reply: Reply | None) -> None:
            if self.epoch == epoch:
                self.guarded(answered, reply)

        self.may_crash()
        self.world.ask(self.by_peer[link.order.peer].handle, message, came)

    def _question(self, link: LinkState, effect: Any, done: Callable[[Any], None]) -> None:
        order, key, indices = link.order, link.order.link_id, ()
        match effect:
            case AskOffer():
                message: Any = ("offer",)
            case Reserve():
                asked = {"sealed_bytes": order.sealed_bytes, "blocks": order.blocks}
                message = ("store", key, {**asked, "expires_at": order.expires_at}, link.offer)
            case SendMap():
                message = ("map", key, link.sealed_root, order.sealed_bytes, order.blocks)
            case AskSignature():
                message = ("sign", key, link.sealed_root)
            case Audit():
                indices = pick_blocks(self.world.rng, order.blocks)
                message = ("audit", key, link.sealed_root, indices)
            case _:
                assert link.renewal is not None
                assert link.renewal.offer is not None
                message = ("renew", key, link.renewal.expires_at, link.renewal.offer.digest)

        def answered(reply: Reply | None) -> None:
            self.may_crash()
            done(self._event(effect, reply))

        self._ask(link, message, answered)

    def _event(self, effect: Any, reply: Reply | None) -> LinkEvent:
        now = self.world.now
        if reply is None:
            return NoAnswer(effect, "no answer", now)
        if reply.code is not Code.OK:
            size = (self.plan.blocks + 7) // 8
            have = reply.have.to_bytes(max(size, 8), "little")[:size]
            return Refused(
                effect, reply.code, retry_after=1.0, index=reply.index, have=have, now=now
            )
        match effect:
            case AskOffer():
                assert reply.offer is not None
                return Offered(reply.offer)
            case Reserve():
                return Reserved()
            case SendMap():
                return Mapped(reply.have.to_bytes((self.plan.blocks + 7) // 8, "little"))
            case Audit():
                return Audited(reply.is_shown, now, self.world.rng.random(), "not shown")
        assert reply.receipt is not None
        return Signed(reply.receipt, now)

    # ---- data ----

    def _send(self, key: bytes, effect: SendData, token: object) -> None:
        """What the provider has is asked first, then runs of up to 2 blocks one after another."""
        link, done = self.links[key], partial(self._done, key, effect, token)

        def status(reply: Reply | None) -> None:
            if reply is None or reply.code is not Code.OK:
                done(self._event(effect, reply))
                return
            self.post(key, Mapped(reply.have.to_bytes((link.order.blocks + 7) // 8, "little")))
            self._send_next(key, effect, token, 0, 1)

        self._ask(link, ("status", key), status)

    def _send_next(
        self, key: bytes, effect: SendData, token: object, acked: int, sends: int
    ) -> None:
        if not self._is_running(key, effect, token):
            return
        link, done = self.links[key], partial(self._done, key, effect, token)
        size = (link.order.blocks + 7) // 8
        missing = [index for index in missing_blocks(link) if not acked >> index & 1]
        if not missing:
            done(Acked(acked.to_bytes(size, "little")))
            return
        start = missing[0]
        count = 2 if start + 1 in missing else 1
        is_damaged = self.world.chance(self.world.faults.loss / 40)

        def answered(reply: Reply | None) -> None:
            self.may_crash()
            if reply is None and sends < 5:
                self._send_next(key, effect, token, acked, sends + 1)
                return
            if reply is None or reply.code is not Code.OK:
                if acked:
                    self.post(key, Acked(acked.to_bytes(size, "little")))
                done(self._event(effect, reply))
                return
            now_acked = acked | ((1 << count) - 1) << start
            if self.world.chance(0.3):
                self.post(key, Acked(now_acked.to_bytes(size, "little")))
            self._send_next(key, effect, token, now_acked, 1)

        self._ask(link, ("data", key, start, count, is_damaged), answered)

    # ---- money ----

    def bill_key(self, link: LinkState, effect: Pay) -> str:
        return bill_key(link.order.link_id, effect.number)

    def _pay(self, link: LinkState, effect: Pay, done: Callable[[Any], None]) -> None:
        payee = link.offer.offer.payee
        try:
            bill: Bill = self.ledger.promise(self.bill_key(link, effect), payee, effect.amount)
        except QuireError as error:
            done(Failed(effect, error))
            return
        self.may_crash()
        newest = self.ledger.promised[payee]

        def answered(reply: Reply | None) -> None:
            self.may_crash()
            if reply is not None and reply.code is Code.OK and reply.received >= bill.sum:
                draw = self.world.rng.random()
                done(Paid(effect.number, bill.sum, self.world.now, draw))
            else:
                done(self._event(effect, reply))

        self._ask(link, ("pay", link.order.link_id, newest), answered)
