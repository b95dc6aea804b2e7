"""Every quote within the limits gets a signed offer that holds for a while; others get numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quire.aggregation.offer import check_offer
from quire.aggregation.values import Service
from quire.base.errors import PeerRefused
from quire.base.units import GIB
from quire.formats.aggregator_asking import QuoteRequest
from quire.formats.peer_id import decode_peer_id
from support.aggregator_kit import AGGREGATOR, KEY_HASH, QUOTES, SETTINGS, scene

ENCODE = QUOTES[Service.ENCODE]


@pytest.mark.parametrize("service", Service)
async def test_an_offer_answers_its_quote_under_both_signatures(service):
    async with scene() as at:
        signed = await at.patron.offer(QUOTES[service])
        peer, now = decode_peer_id(at.place.peer), at.place.now
        check_offer(signed, peer, QUOTES[service], at.place.hub.domain, now)
        assert (signed.offer.payee, signed.offer.seconds) == (AGGREGATOR, 100)
        assert now + 500 < signed.offer.valid_until <= now + 600


async def test_prices_limits_bond_and_key_are_those_of_the_settings():
    async with scene() as at:
        coded, proved, submitted = [(await at.patron.offer(QUOTES[each])).offer for each in Service]
        assert (coded.price, coded.price_first, coded.price_last) == (1000, 600, 400)
        assert coded.max_bytes == SETTINGS.max_bytes
        assert (proved.price, proved.price_first, proved.key_hash) == (70, 70, KEY_HASH)
        assert (submitted.price, submitted.price_last, submitted.bond) == (40, 0, 500)
        assert (coded.key_hash, coded.bond, submitted.max_bytes) == (bytes(32), 0, 0)


@pytest.mark.parametrize(
    ("size", "price", "first"),
    [(GIB // 2, 500, 300), (1, 1, 1), (GIB + 1, 1001, 601), (3 * GIB // 1000, 3, 2)],
)
async def test_nothing_is_coded_for_nothing_by_rounding(size, price, first):
    async with scene() as at:
        offer = (await at.patron.offer(replace(ENCODE, dataset_size=size))).offer
        assert (offer.price, offer.price_first) == (price, first)


async def test_who_asks_again_soon_gets_the_same_offer_and_later_another():
    async with scene() as at:
        first = await at.patron.offer(ENCODE)
        assert (await at.patron.offer(ENCODE)).digest == first.digest
        assert (await at.patron.offer(replace(ENCODE, k=5))).digest != first.digest
        at.place.advance(301)
        assert (await at.patron.offer(ENCODE)).digest != first.digest


async def test_a_quote_outside_the_limits_is_refused_with_the_numbers_that_would_work():
    settings = replace(SETTINGS, max_bytes=GIB - 1)
    async with scene(settings=settings) as at:
        with pytest.raises(PeerRefused, match=f"at most .* \\({GIB - 1} bytes\\)"):
            await at.patron.offer(ENCODE)
        soon = QuoteRequest(Service.PROVE, deadline=at.place.now + 99)
        with pytest.raises(PeerRefused, match=f"would have to be {at.place.now + 100}"):
            await at.patron.offer(soon)
        await at.patron.offer(replace(soon, deadline=at.place.now + 101))
        at.doer.problem = "only on Sundays"
        with pytest.raises(PeerRefused, match="only on Sundays"):
            await at.patron.offer(QUOTES[Service.SUBMIT])


async def test_each_service_may_be_offered_alone():
    settings = replace(SETTINGS, services=(Service.PROVE, Service.SUBMIT))
    async with scene((Service.PROVE, Service.ENCODE), settings=settings) as at:
        await at.patron.offer(QUOTES[Service.PROVE])
        for service in (Service.ENCODE, Service.SUBMIT):
            with pytest.raises(PeerRefused, match="not offered here; offered: PROVE"):
                await at.patron.offer(QUOTES[service])


async def test_offers_that_nobody_took_are_forgotten():
    async with scene() as at:
        offering = at.place.aggregator.offering
        first = (await at.patron.offer(ENCODE)).digest
        assert offering.find(first) is not None
        at.place.advance(601)
        assert offering.find(first) is None
        second = (await at.patron.offer(ENCODE)).digest
        assert first not in offering._known
        assert second in offering._known
