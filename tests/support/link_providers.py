"""Providers of the model: the production lease machine and its answers, and all sorts of cheats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from quire.base.machine import TimedOut
from quire.channels.account import Account, Verdict
from quire.formats.replica_codes import LeaseState
from quire.kernels.signing import sign_recoverable
from quire.point.billing import bill_key, first_term
from quire.point.lease import (
    RECEIVED,
    SIGNED,
    Charge,
    Charged,
    CheckDues,
    Drop,
    Dropped,
    Dues,
    Lease,
    LeaseNow,
    LeaseOrder,
    LookAtClock,
    Progress,
)
from quire.point.lease_answers import (
    Answer,
    answer_audit,
    answer_data,
    answer_map,
    answer_release,
    answer_renew,
    answer_sign,
    answer_store,
    unless_ours,
)
from quire.point.lease_machine import LeaseMachine
from quire.point.receipt import sign_receipt
from quire.point.values import Code, Receipt, ReceiptTerms, SignedOffer
from support.link_kit import CLIENT, DOMAIN
from support.link_world import Crash, World, identity, offer_of

# Those that keep what they sign; the others must never be paid, or not for long.
HONEST = ("good", "flaky", "repriced", "renewal refused", "renewal dear", "renewal bad")
NEVER_PAID = (
    "refuses", "dear", "silent", "bad receipt", "says stored", "says has all",
    "never complete", "no map", "forgets", "bad hash",
)  # fmt: skip
CHEATS = (*NEVER_PAID, "dies", "voucher refused", "overcharges", "discards")
REFUSALS = (Code.REFUSED, Code.NO_SPACE, Code.CONFLICT, Code.EXPIRED, Code.BUSY, Code.INTERNAL)
ALTERED = {
    "link_id": b"\x77" * 16, "client": b"\x77" * 20, "provider": b"\x77" * 20,
    "peer": b"\x77" * 32, "sealed_root": b"\x77" * 32, "sealed_bytes": 1, "block_size": 1,
    "starts_at": 1, "expires_at": 1, "price_byte_second": 10**9, "offer_hash": b"\x77" * 32,
}  # fmt: skip
OWN_PEER = "the client's peer"


@dataclass(frozen=True)
class Reply:
    code: Code
    have: int = 0  # bitmap
    receipt: Receipt | None = None
    offer: SignedOffer | None = None
    index: int = 0
    received: int = 0  # tokens, of a voucher
    is_shown: bool = False  # of an audit


class Provider:
    """What survives a crash: `journal`, `disk` (bitmaps of blocks), `account`, `billed`."""

    machine = LeaseMachine()

    def __init__(self, world: World, index: int, kind: str, price: int) -> None:
        self.world, self.index, self.kind = world, index, kind
        self.who = identity(index)
        self.price = price
        self.journal: dict[bytes, bytes] = {}
        self.disk: dict[bytes, int] = {}
        self.account = Account(CLIENT)
        self.billed: dict[str, int] = {}
        self.owes_since = 0
        self.states: dict[bytes, Lease] = {}
        self.is_up = True
        self.is_dead = False
        self.life = world.rng.randrange(25)  # messages, of one that dies
        self.refusal = world.rng.choice(REFUSALS)
        self.altered = world.rng.choice([*ALTERED, "key"])
        self.is_repriced = False
        self.epoch = 0

    @property
    def is_honest(self) -> bool:
        return self.kind in HONEST

    @property
    def offer(self) -> SignedOffer:
        return offer_of(self.index, self.price)

    # ---- life ----

    def _may_crash(self) -> None:
        if self.world.chance(self.world.faults.provider_crash):
            raise Crash

    def _crash(self) -> None:
        self.states, self.is_up, self.epoch = {}, False, self.epoch + 1
        self.world.after(1 + self.world.rng.random() * 20, self._restart)

    def _restart(self) -> None:
        self.is_up = True
        for link_id, data in self.journal.items():
            lease = self.states[link_id] = self.machine.decode(data)
            if not self.machine.has_ended(lease):
                self._arm(link_id)
                self._perform(link_id, self.machine.resume(lease))

    def _later(self, seconds: float, act: Any, *args: Any) -> None:
        """What a crash forgets."""
        epoch = self.epoch

        def run() -> None:
            if self.epoch != epoch or self.is_dead:
                return
            try:
                act(*args)
            except Crash:
                self._crash()

        self.world.after(seconds, run)

    def _arm(self, link_id: bytes) -> None:
        deadline = self.machine.deadline(self.states[link_id])
        if deadline is None:
            return
        if deadline.chain_time is not None:
            wait = max(0.0, deadline.chain_time - self.world.time)
        else:
            wait = deadline.after_seconds or 0.0
        self._later(wait, self._expire, link_id, deadline)

    def _expire(self, link_id: bytes, deadline: Any) -> None:
        if self.machine.deadline(self.states[link_id]) == deadline:
            self.post(link_id, TimedOut())

    def post(self, link_id: bytes, event: Any) -> Lease:
        before = self.states[link_id]
        lease, effects = self.machine.step(before, event)
        if lease != before:
            self._may_crash()
            self.journal[link_id] = self.machine.encode(lease)
            self.states[link_id] = lease
            self._arm(link_id)
            self._may_crash()
        self._perform(link_id, effects)
        return lease

    def _perform(self, link_id: bytes, effects: Sequence[Any]) -> None:
        for effect in effects:
            self._later(self.world.rng.random() * 0.01, self._do, link_id, effect)

    def _do(self, link_id: bytes, effect: Any) -> None:
        self._may_crash()
        match effect:
            case Charge(number, amount):
                key = bill_key(link_id, number)
                if key not in self.billed:
                    amount *= 3 if self.kind == "overcharges" else 1
                    self.billed[key] = amount
                    self._account(self.account.bill(amount))
                self.post(link_id, Charged(number))
            case CheckDues():
                overdue = self.world.now - self.owes_since if self.account.due > 0 else 0
                self.post(link_id, Dues(overdue, self.world.now))
            case LookAtClock():
                self.post(link_id, LeaseNow(self.world.now))
            case Drop():
                self.disk.pop(link_id, None)
                self.post(link_id, Dropped())

    def _account(self, account: Account) -> None:
        if account.due > 0 >= self.account.due:
            self.owes_since = self.world.now
        self.account = account

    # ---- answers ----

    def handle(self, message: tuple[Any, ...]) -> Reply | None:
        """None: no answer."""
        if self.kind == "dies":
            self.life -= 1
            self.is_dead = self.is_dead or self.life < 0
        if self.is_dead or not self.is_up or self.kind == "silent":
            return None
        if self.kind == "flaky" and self.world.chance(0.05):
            self._crash()
            return None
        try:
            self._may_crash()
            reply = getattr(self, f"_on_{message[0]}")(*message[1:])
            self._may_crash()
        except Crash:
            self._crash()
            return None
        return reply

    def _on_offer(self) -> Reply:
        return Reply(Code.OK, offer=self.offer)

    def _on_store(self, link_id: bytes, asked: dict[str, Any], offer: SignedOffer) -> Reply:
        if self.kind == "refuses":
            return Reply(self.refusal)
        if self.kind in ("repriced", "dear") and not self.is_repriced:
            self.is_repriced, self.price = True, self.price * (1000 if self.kind == "dear" else 2)
        if offer.digest != self.offer.digest and link_id not in self.states:
            return Reply(Code.PRICE)
        order = LeaseOrder(link_id=link_id, peer=OWN_PEER, client=CLIENT, offer=offer, **asked)
        answer = answer_store(self.states.get(link_id), order, self.world.now, 1 << 40)
        if answer.begin is not None:
            self._may_crash()
            self.states[link_id] = answer.begin
            self.journal[link_id] = self.machine.encode(answer.begin)
            self.disk.pop(link_id, None)
            self._arm(link_id)
        return Reply(answer.code)

    def _lease(self, link_id: bytes) -> Lease | Answer:
        lease = self.states.get(link_id)
        refused = unless_ours(lease, OWN_PEER)
        if refused is not None:
            return refused
        assert lease is not None
        return lease

    def _on_map(self, link_id: bytes, root: bytes, size: int, leaves: int) -> Reply:
        lease = self._lease(link_id)
        if isinstance(lease, Answer):
            return Reply(lease.code)
        if self.kind == "forgets":
            return Reply(Code.UNKNOWN_LINK)
        if self.kind == "says stored":
            return Reply(Code.ALREADY_STORED)
        order = lease.order
        first = first_term(order.offer.offer, order.sealed_bytes, self.world.now, order.expires_at)
        self.account = self.account.look(self.world.channel(self.who.payee), self.world.now)
        is_funded = self.account.has_room(first.bill(0).amount)
        answer = answer_map(lease, root, size, leaves, is_funded=is_funded)
        if answer.event is not None:
            lease = self.post(link_id, answer.event)
        have = (1 << leaves) - 1 if self.kind == "says has all" else self.disk.get(link_id, 0)
        return Reply(answer.code, have)

    def _on_status(self, link_id: bytes) -> Reply:
        lease = self._lease(link_id)
        if isinstance(lease, Answer):
            return Reply(lease.code)
        return Reply(Code.OK, self.disk.get(link_id, 0))

    def _on_data(self, link_id: bytes, index: int, count: int, is_damaged: bool) -> Reply:
        lease = self._lease(link_id)
        if isinstance(lease, Answer):
            return Reply(lease.code)
        answer = answer_data(lease, index, count)
        if self.kind == "no map":
            return Reply(Code.NOT_FOUND)
        if answer.code is not Code.OK:
            return Reply(answer.code)
        if is_damaged or (self.kind == "bad hash" and index == 0):
            return Reply(Code.BAD_HASH, index=index)
        self.disk[link_id] = self.disk.get(link_id, 0) | ((1 << count) - 1) << index
        if lease.at not in RECEIVED:
            self.post(link_id, Progress(self.disk[link_id].bit_count()))
        return Reply(Code.OK)

    def _on_sign(self, link_id: bytes, root: bytes) -> Reply:
        lease = self._lease(link_id)
        if isinstance(lease, Answer):
            return Reply(lease.code)
        if self.kind == "never complete":
            return Reply(Code.INCOMPLETE, 0)
        if self.kind == "says has all" and lease.at not in SIGNED:
            lease = self._pretend(link_id, lease)
        answer = answer_sign(lease, root, self.world.now)
        if answer.event is not None:
            lease = self.post(link_id, answer.event)
        if answer.code is not Code.OK or lease.receipt is None:
            return Reply(answer.code, self.disk.get(link_id, 0))
        return Reply(Code.OK, receipt=self._sign(lease.receipt, self.kind == "bad receipt"))

    def _pretend(self, link_id: bytes, lease: Lease) -> Lease:
        self.states[link_id] = replace(lease, at=LeaseState.COMPLETE, received=lease.order.blocks)
        return self.states[link_id]

    def _sign(self, terms: ReceiptTerms, is_altered: bool) -> Receipt:
        sign = self.who.sign
        if is_altered and self.altered == "key":
            sign = partial(sign_recoverable, b"\x44" * 32)
        elif is_altered:
            value: Any = ALTERED[self.altered]
            if isinstance(value, int):
                value += getattr(terms, self.altered) + (10**6 if "_at" in self.altered else 0)
            terms = replace(terms, **{self.altered: value})
        return sign_receipt(sign, DOMAIN, terms)

    def _on_audit(self, link_id: bytes, root: bytes, indices: Sequence[int]) -> Reply:
        lease = self._lease(link_id)
        if isinstance(lease, Answer):
            return Reply(lease.code)
        answer = answer_audit(lease, root)
        if answer.code is not Code.OK and self.kind != "says stored":
            return Reply(answer.code)
        have = self.disk.get(link_id, 0)
        return Reply(Code.OK, is_shown=all(have >> index & 1 for index in indices))

    def _on_renew(self, link_id: bytes, expires_at: int, offer_hash: bytes) -> Reply:
        lease = self._lease(link_id)
        if isinstance(lease, Answer):
            return Reply(lease.code)
        if self.kind == "renewal refused":
            return Reply(Code.REFUSED)
        if self.kind == "renewal dear" and self.price < 1000:
            self.price *= 1000
        offer = self.offer if offer_hash == self.offer.digest else None
        answer = answer_renew(lease, expires_at, offer, self.world.now)
        if answer.event is not None:
            lease = self.post(link_id, answer.event)
        if answer.code is not Code.OK or lease.receipt is None:
            return Reply(answer.code)
        return Reply(Code.OK, receipt=self._sign(lease.receipt, self.kind == "renewal bad"))

    def _on_release(self, link_id: bytes) -> Reply:
        lease = self._lease(link_id)
        if isinstance(lease, Answer):
            return Reply(lease.code)
        answer = answer_release(lease)
        assert answer.event is not None
        self.post(link_id, answer.event)
        return Reply(answer.code)

    def _on_pay(self, link_id: bytes, cumulative: int) -> Reply:
        if self.kind == "voucher refused":
            return Reply(Code.BAD_VOUCHER)
        account = self.account.look(self.world.channel(self.who.payee), self.world.now)
        verdict = account.judge(cumulative)
        if verdict is Verdict.OVERDRAWN:
            return Reply(Code.OVERDRAWN)
        if verdict is Verdict.BEST:
            self._account(account.take(cumulative, b"signed"))
        if self.kind == "discards":
            self.disk.pop(link_id, None)
        return Reply(Code.OK, received=self.account.received)
