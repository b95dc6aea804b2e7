"""Offers: signed, of the free space of now, and where providers are looked for."""

from __future__ import annotations

from hashlib import sha256

import pytest

from quire.formats.peer_id import decode_peer_id
from quire.point.offer import check_offer
from quire.point.shards import shard_cid, shards_of
from quire.point.values import BLOCK_BYTES
from quire.services.providing.room import Room
from quire.store.dataset import Space
from support.provider_kit import PROVIDER, SETTINGS, Replica, provider_in

LINK = bytes(range(16))


async def test_an_offer_says_what_is_asked_and_how_much_is_free(tmp_path):
    async with provider_in(tmp_path, quota_bytes=100 * BLOCK_BYTES) as place:
        customer = await place.customer()
        signed = await customer.offer()
        peer_id = decode_peer_id(place.identity.peer_id)
        check_offer(signed, peer_id, place.hub.domain, place.now)
        offer = signed.offer
        assert signed.digest == sha256(signed.data).digest()
        assert (offer.payee, offer.free_bytes) == (PROVIDER, 100 * BLOCK_BYTES)
        assert offer.price_byte_second == SETTINGS.price_byte_second
        assert offer.price_get_byte == SETTINGS.price_get_byte
        assert offer.fee_put_byte == SETTINGS.fee_put_byte
        assert await customer.offer() == signed


async def test_an_offer_is_made_anew_when_it_is_old_or_the_space_has_changed(tmp_path):
    async with provider_in(tmp_path, quota_bytes=100 * BLOCK_BYTES) as place:
        customer = await place.customer()
        first = await customer.offer()
        await customer.reserve(LINK, Replica.random(1, 50 * BLOCK_BYTES))
        place.advance(20)
        second = await customer.offer()
        assert second.offer.free_bytes == 50 * BLOCK_BYTES
        place.advance(700)
        third = await customer.offer()
        assert third.offer.valid_until > second.offer.valid_until
        # Those before hold for their hour.
        assert place.provider.offering.find(first.digest) == first
        place.advance(3600)
        assert place.provider.offering.find(first.digest) is None


async def test_a_provider_is_found_under_its_two_keys(tmp_path):
    async with provider_in(tmp_path) as place:
        shards = shards_of(decode_peer_id(place.identity.peer_id))
        assert place.announced == [shard_cid(shard) for shard in shards]


class _Quota:
    def __init__(self) -> None:
        self.promised: list[int] = []

    def space(self) -> Space:
        return Space(0, 100, 10, self.promised[-1] if self.promised else 0)

    def offer(self, size_bytes: int, to: str) -> None:
        assert to == "replicas"
        self.promised.append(size_bytes)


def test_room_leaves_the_promise_while_it_is_written_and_comes_back_when_that_fails():
    quota = _Quota()
    room = Room(quota, 60)
    room.hold(b"a", 40)
    assert (quota.promised[-1], room.free_bytes(), room.held_bytes) == (40, 20, 40)
    with room.writing(b"a", 15):
        assert quota.promised[-1] == 25
    with pytest.raises(ValueError), room.writing(b"a", 10):
        raise ValueError
    assert quota.promised[-2:] == [15, 25]
    assert quota.promised[-1] == 25
    room.hold(b"b", 10, 10)
    assert (quota.promised[-1], room.held_bytes) == (25, 50)
    with room.writing(b"a", 1000):
        assert quota.promised[-1] == 0
    room.give_back(b"a")
    room.give_back(b"a")
    assert (quota.promised[-1], room.held_bytes) == (0, 10)
    with pytest.raises(ValueError), room.writing(b"a", 5):
        raise ValueError
    assert quota.promised[-1] == 0
