"""What this host offers, durably: the ledger, its records, and the quota that it needs.

An offer is one record; what a slot has of it is in the record of the slot's sale. At a start the
ledger is made of both. What is offered and not written yet is kept free in the store's quota.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from quire.base.errors import BadEncoding, BadOffer, NotFound, QuireError, Refused
from quire.base.events import EventBus
from quire.chain.abi import id_text
from quire.chain.values import ID_BYTES, SlotId
from quire.market.availability import (
    Availability,
    Change,
    decode_availability,
    encode_availability,
)
from quire.market.ledger import Account, Ledger, Share
from quire.market.sale import At, Sale
from quire.store.dataset import Space
from quire.store.journal import Journal, Record

KIND = "availability"
WRITE_AHEAD_BYTES = 64 << 20  # of a slot on its way, no longer kept free so that it can be written


class QuotaPort(Protocol):
    """What the ledger needs of the store."""

    def space(self) -> Space: ...

    def offer(self, size_bytes: int) -> None: ...


class Offers:
    """All offers of one node. `on_growth` is called when an offer takes more than before."""

    def __init__(
        self, journal: Journal, store: QuotaPort, rng: random.Random, events: EventBus
    ) -> None:
        self.ledger = Ledger()
        self.on_growth: Callable[[], None] = _nothing
        self._lock = asyncio.Lock()
        self._journal = journal
        self._store = store
        self._rng = rng
        self._events = events

    # ---- offers ----

    async def load(self) -> None:
        """Read the offers; shares follow with `restore`. Raises StoreCorrupt."""
        for key, data in (await self._journal.read(KIND)).items():
            try:
                self.ledger.open(decode_availability(data))
            except BadEncoding as error:
                self._events.publish("offer.unreadable", key, error.message)
        self._promise()

    async def create(self, terms: Availability) -> Account:
        """Offer space; whatever id the terms have, they get one. Raises BadOffer, DiskFull."""
        terms = replace(terms, id=self._rng.randbytes(ID_BYTES))
        terms.check()
        async with self._lock:
            self._check_quota(terms.total_size)
            await self._write(terms, "offered")
            account = self.ledger.open(terms)
            self._promise()
        self.on_growth()
        return account

    async def change(self, offer: bytes, change: Change) -> Account:
        """Raises NotFound, BadOffer, DiskFull."""
        async with self._lock:
            terms = self.ledger.amended(offer, change)
            account = self.ledger.account(offer)
            old = account.terms
            if terms.total_size > old.total_size:
                self._check_quota(terms.total_size - old.total_size)
            # What becomes less is taken away before the change is durable, what becomes more is
            # given after it: slots are reserved and end meanwhile.
            narrow = terms.narrowed(old)
            self.ledger.amend(narrow)
            try:
                await self._write(terms, "changed")
            except QuireError:
                self.ledger.amend(old.less(lost_since(narrow, account)))
                raise
            if lost := lost_since(narrow, account):
                terms = terms.less(lost)
                await self._write(terms, "changed")
            self.ledger.amend(terms)
            self._promise()
        if terms.takes_more_than(old):
            self.on_growth()
        return account

    async def remove(self, offer: bytes) -> None:
        """Raises NotFound, Refused while slots of it are held or on their way."""
        async with self._lock:
            terms = self.ledger.close(offer)
            try:
                await self._journal.write([Record(KIND, id_text(offer), None)])
            except QuireError:
                self.ledger.open(terms)
                raise
            self._promise()
        self._events.publish("offer.removed", id_text(offer), "the offer is withdrawn")

    # ---- slots ----

    def restore(self, sale: Sale) -> None:
        """Give a sale that goes on after a restart its share back."""
        if not sale.offer or sale.deal is None:
            return
        is_on_its_way = sale.at in (At.SLOT_RESERVING, At.DOWNLOADING)
        try:
            self.ledger.reserve(share_of(sale, 0 if is_on_its_way else sale.deal.size))
        except (NotFound, Refused) as error:
            self._events.publish("offer.short", id_text(sale.slot_id), error.message)
        self._promise()

    def reserve(self, share: Share) -> None:
        """Raises NotFound, Refused."""
        self.ledger.reserve(share)
        self._promise()

    def note_written(self, slot_id: SlotId, written: int, *, is_whole: bool = False) -> None:
        """So many bytes of a slot are in the store."""
        share = self.ledger.share(slot_id)
        if share is not None:
            size = share.reserved + share.hosted
            self.ledger.host(slot_id, size if is_whole else written + WRITE_AHEAD_BYTES)
            self._promise()

    def end(self, slot_id: SlotId, lost: int = 0) -> None:
        """A slot's bytes and collateral are free again, but for what was lost: other slots may
        have room now."""
        if self.ledger.share(slot_id) is not None:
            self.ledger.end(slot_id, lost)
            self._promise()
            self.on_growth()

    def records(self, sale: Sale) -> Sequence[Record]:
        """What is to be written together with the end of a sale: the loss, if there was one."""
        share = self.ledger.share(sale.slot_id)
        if share is None or not sale.has_ended or not sale.lost:
            return ()
        lost = min(sale.lost, share.locked)
        terms = self.ledger.account(share.offer).terms.less(lost)
        return (_record(terms, f"{lost} of its collateral were lost with {id_text(sale.slot_id)}"),)

    # ---- inside ----

    def _check_quota(self, size: int) -> None:
        space = self._store.space()
        free = space.quota_max_bytes - space.quota_used_bytes - space.quota_reserved_bytes
        if size >= free:
            raise BadOffer("Not enough storage quota", wanted_bytes=size, free_bytes=max(0, free))

    async def _write(self, terms: Availability, what: str) -> None:
        record = _record(terms, what)
        await self._journal.write([record])
        self._events.publish(f"offer.{what}", record.key, f"{terms.total_size} bytes are {what}")

    def _promise(self) -> None:
        self._store.offer(self.ledger.promised)


def lost_since(terms: Availability, account: Account) -> int:
    """Tokens that were written off an offer since it had these terms."""
    return terms.total_collateral - account.terms.total_collateral


def share_of(sale: Sale, hosted: int) -> Share:
    """What a sale with a deal takes of its offer."""
    assert sale.deal is not None
    return Share(
        sale.offer,
        sale.request_id,
        sale.slot_index,
        sale.slot_id,
        sale.deal.size - hosted,
        hosted,
        sale.deal.collateral,
        sale.deal.end,
    )


def _record(terms: Availability, note: str) -> Record:
    return Record(KIND, id_text(terms.id), encode_availability(terms), note)


def _nothing() -> None:
    """Until somebody listens."""
