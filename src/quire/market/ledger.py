"""Bytes and collateral of a host's offers, as double-entry accounts.

    bytes        free ─► reserved (a slot on its way) ─► hosted (its data is here) ─► free
    collateral   remaining ─► locked (a slot) ─► remaining, or lost

Every movement takes from one account what it gives to another, and no account goes below nothing:
so for each offer   free + Σ reserved + Σ hosted = total size   and   remaining + Σ locked = total
collateral, whatever happens. What a contract keeps of the collateral is written off the total.
A slot's share begins and ends with its sale, whose record is where it is kept.

Source   market.md 4.5
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256

from quire.base.errors import BadOffer, NotFound, Refused
from quire.base.invariant import invariant
from quire.chain.values import Ask, RequestId, SlotId
from quire.market.availability import Availability, Change


@dataclass(frozen=True, slots=True)
class Share:
    """What one slot has of an offer. `reserved + hosted` is the slot's size."""

    offer: bytes
    request_id: RequestId
    slot_index: int
    slot_id: SlotId
    reserved: int
    hosted: int
    locked: int
    valid_until: int  # unix seconds; the end of the contract

    @property
    def id(self) -> bytes:
        """32 bytes, the same after a restart."""
        return sha256(self.offer + self.slot_id).digest()


@dataclass(slots=True)
class Account:
    """One offer and what is done with it."""

    terms: Availability
    free: int
    remaining: int
    shares: dict[SlotId, Share] = field(default_factory=dict)

    @property
    def promised(self) -> int:
        """Bytes that nobody else may use: those that are offered and not written yet."""
        return self.free + sum(share.reserved for share in self.shares.values())

    @property
    def valid_until(self) -> int:
        return max((share.valid_until for share in self.shares.values()), default=0)

    def check(self) -> None:
        """Every byte and every token is in one place."""
        shares = self.shares.values()
        invariant(
            min(self.free, self.remaining) >= 0
            and all(min(s.reserved, s.hosted, s.locked) >= 0 for s in shares),
            "an account of an offer is below nothing",
        )
        sizes = self.free + sum(s.reserved + s.hosted for s in shares)
        invariant(sizes == self.terms.total_size, "bytes of an offer do not add up")
        locked = sum(s.locked for s in shares)
        invariant(
            self.remaining + locked == self.terms.total_collateral,
            "collateral of an offer does not add up",
        )

    def max_collateral_per_byte(self) -> int:
        return self.remaining // self.free if self.free else self.remaining

    def refuses(self, ask: Ask, end: int) -> str:
        """Why a slot cannot be taken from this offer now; "" when it can."""
        if why := self.terms.suits(ask, end):
            return why
        if ask.slot_size > self.free:
            return f"it has {ask.slot_size} bytes, {self.free} are free"
        if ask.collateral_per_byte > self.max_collateral_per_byte():
            return (
                f"it asks {ask.collateral_per_byte} of collateral for a byte, "
                f"{self.max_collateral_per_byte()} are left"
            )
        return ""


class Ledger:
    """All offers of one node, oldest first."""

    def __init__(self) -> None:
        self._accounts: dict[bytes, Account] = {}
        self._of_slot: dict[SlotId, bytes] = {}

    # ---- offers ----

    def open(self, terms: Availability) -> Account:
        """Begin with an offer; all of it is free."""
        account = Account(terms, terms.total_size, terms.total_collateral)
        self._accounts[terms.id] = account
        return account

    def account(self, offer: bytes) -> Account:
        """Raises NotFound."""
        account = self._accounts.get(offer)
        if account is None:
            raise NotFound("Availability not found")
        return account

    def accounts(self) -> list[Account]:
        return list(self._accounts.values())

    @property
    def promised(self) -> int:
        return sum(account.promised for account in self._accounts.values())

    def amended(self, offer: bytes, change: Change) -> Availability:
        """What an offer would be; nothing is changed. Raises NotFound, BadOffer."""
        account = self.account(offer)
        terms = account.terms.changed(change)
        terms.check()
        used = account.terms.total_size - account.free
        if terms.total_size < used:
            raise BadOffer(
                "New totalSize must be larger then current totalSize - freeSize, which is "
                f"currently: {used}"
            )
        locked = account.terms.total_collateral - account.remaining
        if terms.total_collateral < locked:
            raise BadOffer(
                f"New totalCollateral must be at least what slots have locked, which is {locked}"
            )
        if change.until and change.until < account.valid_until:
            raise BadOffer(
                "Until parameter must be greater or equal to the longest currently hosted slot"
            )
        return terms

    def amend(self, terms: Availability) -> None:
        """Put terms that `amended` gave."""
        account = self.account(terms.id)
        old = account.terms
        account.free += terms.total_size - old.total_size
        account.remaining += terms.total_collateral - old.total_collateral
        account.terms = terms
        account.check()

    def close(self, offer: bytes) -> Availability:
        """End an offer; its last terms. Raises Refused while slots of it are held or on their way,
        NotFound."""
        if count := len(self.account(offer).shares):
            raise Refused(
                f"{count} slot{'s' if count > 1 else ''} of this offer are held or on their way; "
                "switch it off (enabled: false) and remove it when they have ended"
            )
        return self._accounts.pop(offer).terms

    # ---- slots ----

    def match(self, ask: Ask, end: int) -> Account | str:
        """The first offer that a slot can be taken from, or why there is none."""
        why = "nothing is offered"
        for account in self._accounts.values():
            why = account.refuses(ask, end)
            if not why:
                return account
        return why

    def reserve(self, share: Share) -> None:
        """Take a slot's bytes and collateral out of what is free, unless that is done.

        Raises   NotFound  no such offer
                 Refused   there is not as much left
        """
        if share.slot_id in self._of_slot:
            return
        account = self.account(share.offer)
        size = share.reserved + share.hosted
        if size > account.free or share.locked > account.remaining:
            raise Refused("the offer has not enough left for the slot")
        account.free -= size
        account.remaining -= share.locked
        account.shares[share.slot_id] = share
        self._of_slot[share.slot_id] = share.offer
        account.check()

    def share(self, slot_id: SlotId) -> Share | None:
        offer = self._of_slot.get(slot_id)
        return None if offer is None else self._accounts[offer].shares[slot_id]

    def host(self, slot_id: SlotId, hosted: int) -> None:
        """So many bytes of a slot are here (or on their way to the disk) now."""
        share = self.share(slot_id)
        if share is None:
            return
        size = share.reserved + share.hosted
        hosted = min(max(hosted, 0), size)
        account = self._accounts[share.offer]
        account.shares[slot_id] = replace(share, reserved=size - hosted, hosted=hosted)
        account.check()

    def end(self, slot_id: SlotId, lost: int = 0) -> None:
        """A slot's sale is over: its bytes and its collateral are free again, but for what the
        contract kept, which is written off."""
        share = self.share(slot_id)
        if share is None:
            return
        lost = min(lost, share.locked)
        account = self._accounts[share.offer]
        del account.shares[slot_id], self._of_slot[slot_id]
        account.free += share.reserved + share.hosted
        account.remaining += share.locked - lost
        account.terms = account.terms.less(lost)
        account.check()
