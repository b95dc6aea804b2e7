"""Offers are durable, fit the quota, and add up whatever is changed at the same time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from quire.base.errors import BadOffer, DiskFull, Refused
from quire.base.events import EventBus
from quire.market.availability import Change
from quire.market.ledger import Share
from quire.market.sale import At, Deal, Sale
from quire.services.offers import WRITE_AHEAD_BYTES, Offers
from quire.sim.clock import SimClock
from quire.store.journal import Record
from quire.store.journal_memory import MemoryJournal
from support.machine_kit import in_virtual_time
from support.sale_kit import OFFER, FakeQuota

SIZE, COLLATERAL = OFFER.total_size, OFFER.total_collateral


class Shop:
    def __init__(self, clock: SimClock, quota: int = 1 << 30) -> None:
        self.clock, self.journal = clock, MemoryJournal(clock)
        self.quota = FakeQuota(quota)
        self.open()

    def open(self) -> None:
        self.offers = Offers(self.journal, self.quota, random.Random(1), EventBus(self.clock))

    async def reopened(self) -> Offers:
        self.journal = self.journal.reopened()
        self.open()
        await self.offers.load()
        return self.offers

    def share(self, offer: bytes, slot: int = 1, size: int = 1000, locked: int = 500) -> Share:
        return Share(offer, bytes(32), slot, bytes([slot]) * 32, size, 0, locked, 1_800_000_000)


def play(story, **options) -> None:
    in_virtual_time(lambda clock: story(Shop(clock, **options)))


def test_an_offer_survives_a_restart_with_its_changes() -> None:
    async def story(shop: Shop) -> None:
        account = await shop.offers.create(OFFER)
        await shop.offers.change(account.terms.id, Change(duration=60, total_size=SIZE + 5))
        offers = await shop.reopened()
        (found,) = offers.ledger.accounts()
        assert found.terms == replace(account.terms, duration=60, total_size=SIZE + 5)
        assert shop.quota.offered == SIZE + 5
        await offers.remove(found.terms.id)
        assert (await shop.reopened()).ledger.accounts() == []
        assert shop.quota.offered == 0

    play(story)


def test_no_more_is_offered_than_the_quota_has_left() -> None:
    async def story(shop: Shop) -> None:
        with pytest.raises(BadOffer, match="Not enough storage quota"):
            await shop.offers.create(replace(OFFER, total_size=1000))  # strictly less
        account = await shop.offers.create(replace(OFFER, total_size=900))
        with pytest.raises(BadOffer, match="Not enough storage quota"):
            await shop.offers.change(account.terms.id, Change(total_size=1000))
        await shop.offers.change(account.terms.id, Change(total_size=999))
        made = await asyncio.gather(
            *(shop.offers.create(replace(OFFER, total_size=1)) for _ in range(2)),
            return_exceptions=True,
        )
        assert all(isinstance(each, BadOffer) for each in made)

    play(story, quota=1000)


def test_bytes_on_their_way_are_freed_for_writing_a_little_ahead() -> None:
    async def story(shop: Shop) -> None:
        size = 4 * WRITE_AHEAD_BYTES
        account = await shop.offers.create(replace(OFFER, total_size=size))
        share = shop.share(account.terms.id, size=size)
        shop.offers.reserve(share)
        assert shop.quota.offered == size
        shop.offers.note_written(share.slot_id, WRITE_AHEAD_BYTES)
        assert shop.quota.offered == 2 * WRITE_AHEAD_BYTES
        shop.offers.note_written(share.slot_id, WRITE_AHEAD_BYTES, is_whole=True)
        assert shop.quota.offered == 0
        shop.offers.end(share.slot_id)
        assert shop.quota.offered == size

    play(story)


def test_a_disk_that_is_full_leaves_everything_as_it_was() -> None:
    async def story(shop: Shop) -> None:
        account = await shop.offers.create(OFFER)
        offer = account.terms.id

        async def full(_: Sequence[Record]) -> None:
            raise DiskFull("full")

        shop.journal.before = full
        for change in (Change(total_size=5), Change(total_size=SIZE * 2), Change(duration=1)):
            with pytest.raises(DiskFull):
                await shop.offers.change(offer, change)
        with pytest.raises(DiskFull):
            await shop.offers.remove(offer)
        with pytest.raises(DiskFull):
            await shop.offers.create(OFFER)
        (found,) = shop.offers.ledger.accounts()
        assert found.terms == replace(OFFER, id=offer)
        assert (found.free, found.remaining) == (SIZE, COLLATERAL)
        assert shop.quota.offered == SIZE

    play(story)


def test_a_slot_that_is_reserved_or_lost_while_an_offer_is_changed_counts() -> None:
    async def story(shop: Shop) -> None:
        account = await shop.offers.create(OFFER)
        offer = account.terms.id
        shop.offers.reserve(shop.share(offer, 1))
        refused: list[Refused] = []

        async def meanwhile(_: Sequence[Record]) -> None:
            shop.journal.before = go_on
            shop.offers.end(shop.share(offer, 1).slot_id, lost=100)
            try:
                shop.offers.reserve(shop.share(offer, 2, size=3000))
            except Refused as error:
                refused.append(error)

        async def go_on(_: Sequence[Record]) -> None: ...

        shop.journal.before = meanwhile
        await shop.offers.change(offer, Change(total_size=2000, total_collateral=COLLATERAL + 7))
        assert refused
        account.check()
        assert account.terms.total_collateral == COLLATERAL - 93
        assert (await shop.reopened()).ledger.accounts()[0].terms == account.terms

    play(story)


def test_the_end_of_a_sale_tells_what_is_to_be_written_with_it() -> None:
    async def story(shop: Shop) -> None:
        account = await shop.offers.create(OFFER)
        offer = account.terms.id
        deal = Deal(b"cid", 1000, 500, 1, 0, 0)
        sale = Sale(bytes(32), 1, bytes([1]) * 32, At.PROVING, deal=deal, offer=offer)
        shop.offers.restore(sale)
        assert account.free == SIZE - 1000
        assert shop.offers.records(sale) == ()
        lost = replace(sale, at=At.ERRORED, is_staked=True, is_clean=True, returned=200)
        (record,) = shop.offers.records(lost)
        await shop.journal.write([record])
        shop.offers.end(sale.slot_id, lost.lost)
        assert account.terms.total_collateral == COLLATERAL - 300
        assert (await shop.reopened()).ledger.accounts()[0].remaining == COLLATERAL - 300

    play(story)
