"""Clients that misbehave are refused in words; nothing is stored for them and nothing is lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from quire.base.errors import PeerRefused
from quire.formats.replica import decode_answer
from quire.formats.replica_asking import (
    AuditRequest,
    GetRequest,
    ReleaseRequest,
    RenewRequest,
    SegmentData,
    SegmentMap,
    SignRequest,
    StatusRequest,
)
from quire.formats.replica_codes import Code
from quire.point.values import BLOCK_BYTES
from quire.services.machines import KEPT_ENDED
from quire.services.providing.settings import ProviderLimits
from support.provider_kit import (
    CLIENT,
    DAY,
    OTHER_KEY,
    PROTOCOL,
    SETTINGS,
    Replica,
    provider_in,
)
from support.store_kit import assert_sound

LINK, SECOND, THIRD = bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48))
REPLICA = Replica.random(1, 9 * BLOCK_BYTES + 4160)
OTHER_REPLICA = Replica.random(2, 10 * BLOCK_BYTES)


async def nothing_is_held(place) -> bool:
    await assert_sound(place.store)
    space = place.store.space()
    return (space.quota_used_bytes, place.provider.room.held_bytes) == (0, 0)


async def test_an_offer_that_does_not_hold_is_refused(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        order = await customer.order(REPLICA)
        answer = await customer.ask(LINK, replace(order, offer_hash=bytes(32)))
        assert (answer.code, "ask for one" in answer.text) == (Code.PRICE, True)
        place.advance(3700)
        order = replace(order, expires_at=place.now + DAY)
        assert (await customer.ask(LINK, order)).code is Code.PRICE
        assert place.provider.leases.find(LINK) is None
        assert await nothing_is_held(place)


async def test_nobody_is_billed_in_the_name_of_another(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        stranger = await place.customer(OTHER_KEY, deposit=0)
        order = await stranger.order(REPLICA)
        answer = await stranger.ask(LINK, replace(order, client=CLIENT))
        assert (answer.code, "introduction" in answer.text) == (Code.REFUSED, True)
        # What he has seen of somebody else's dealings with another payee is of no use.
        # Nor is the introduction that the client gave him, when he said that he is this payee.
        for signed in (
            customer.voucher(7).signature,
            customer.voucher(0).signature,
            customer.introduction,
        ):
            answer = await stranger.ask(LINK, replace(order, client=CLIENT, introduction=signed))
            assert answer.code is Code.REFUSED
        assert place.provider.leases.find(LINK) is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "would end in 0 s"), (-5, "would end"), (366 * DAY, "at most")]
)
async def test_terms_that_the_offer_does_not_cover_are_refused(tmp_path, seconds, words):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        answer = await customer.ask(LINK, await customer.order(REPLICA, seconds))
        assert (answer.code, words in answer.text) == (Code.REFUSED, True)


async def test_what_does_not_fit_is_refused_with_the_numbers(tmp_path):
    async with provider_in(tmp_path, quota_bytes=12 * BLOCK_BYTES) as place:
        customer = await place.customer()
        await customer.reserve(LINK, REPLICA)
        answer = await customer.ask(SECOND, await customer.order(OTHER_REPLICA))
        assert (answer.code, "are free" in answer.text) == (Code.NO_SPACE, True)
        assert (await customer.ask(LINK, ReleaseRequest())).code is Code.OK
        await place.until(LINK, "DELETED")
        await customer.put(SECOND, OTHER_REPLICA)


async def test_room_is_not_given_twice_to_those_who_ask_at_once(tmp_path):
    async with provider_in(tmp_path, quota_bytes=25 * BLOCK_BYTES) as place:
        customer = await place.customer()
        order = await customer.order(REPLICA)
        asked = (customer.ask(bytes([number]) * 16, order) for number in range(6))
        codes = [answer.code for answer in await asyncio.gather(*asked)]
        assert sorted(codes) == [Code.OK] * 2 + [Code.NO_SPACE] * 4


async def test_replicas_have_no_more_of_the_quota_than_they_may(tmp_path):
    settings = replace(SETTINGS, space_bytes=15 * BLOCK_BYTES)
    async with provider_in(tmp_path, settings=settings) as place:
        customer = await place.customer()
        assert (await customer.offer()).offer.free_bytes == 15 * BLOCK_BYTES
        await customer.put(LINK, REPLICA)
        answer = await customer.ask(SECOND, await customer.order(REPLICA))
        assert answer.code is Code.NO_SPACE


async def test_a_client_with_too_much_on_its_way_is_told_to_wait(tmp_path):
    limits = ProviderLimits(open_leases=2, open_bytes=25 * BLOCK_BYTES)
    async with provider_in(tmp_path, limits=limits) as place:
        customer = await place.customer()
        await customer.reserve(LINK, REPLICA)
        await customer.reserve(SECOND, REPLICA)
        answer = await customer.ask(THIRD, await customer.order(REPLICA))
        assert (answer.code, answer.retry_after_ms) == (Code.BUSY, 10_000)
        await customer.ask(SECOND, ReleaseRequest())
        await place.until(SECOND, "DELETED")
        big = Replica.random(5, 20 * BLOCK_BYTES)
        answer = await customer.ask(THIRD, await customer.order(big))
        assert (answer.code, "bytes together" in answer.text) == (Code.BUSY, True)


async def test_a_link_is_not_reserved_again_under_other_terms(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.reserve(LINK, REPLICA)
        answer = await customer.ask(LINK, await customer.order(OTHER_REPLICA))
        assert answer.code is Code.CONFLICT


async def test_a_map_that_is_not_that_of_its_root_is_refused(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.reserve(LINK, REPLICA)
        wrong = SegmentMap(bytes(32), REPLICA.leaves, REPLICA.sealed_bytes)
        answer = await customer.ask(LINK, wrong)
        assert (answer.code, "do not make the root" in answer.text) == (Code.BAD_MAP, True)
        assert (await customer.ask(LINK, OTHER_REPLICA.map)).code is Code.BAD_MAP
        assert place.lease(LINK).at.name == "RESERVED"
        space = place.store.space()  # the room is still kept
        assert space.quota_reserved_bytes == place.provider.room.held_bytes
        assert space.quota_used_bytes == 0
        await customer.send_map(LINK, REPLICA)


async def test_who_cannot_pay_the_first_bill_is_told_so_before_he_sends_data(tmp_path):
    async with provider_in(tmp_path) as place:
        poor = await place.customer(deposit=1000)
        await poor.reserve(LINK, REPLICA)
        answer = await poor.ask(LINK, REPLICA.map)
        assert (answer.code, "first bill" in answer.text) == (Code.PAYMENT_REQUIRED, True)
        assert (await poor.ask(LINK, REPLICA.run(0))).code is Code.NOT_FOUND
        assert place.store.space().quota_used_bytes == 0


async def test_one_deposit_does_not_cover_two_first_bills(tmp_path):
    size = REPLICA.sealed_bytes
    bill = SETTINGS.fee_put_byte * size + SETTINGS.price_byte_second * size * DAY
    async with provider_in(tmp_path) as place:
        customer = await place.customer(deposit=2 * bill - 1)
        await customer.reserve(LINK, REPLICA)
        await customer.reserve(SECOND, REPLICA)
        assert (await customer.ask(LINK, REPLICA.map)).code is Code.OK
        assert (await customer.ask(SECOND, REPLICA.map)).code is Code.PAYMENT_REQUIRED


async def test_a_block_that_does_not_match_the_map_is_named_and_nothing_is_kept(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.reserve(LINK, REPLICA)
        await customer.send_map(LINK, REPLICA)
        data = bytearray(REPLICA.run(4, 4).data)
        data[2 * BLOCK_BYTES + 17] ^= 1
        answer = await customer.ask(LINK, SegmentData(4, bytes(data)))
        assert (answer.code, answer.index) == (Code.BAD_HASH, 6)
        await place.store.flush()
        assert place.store.tree(REPLICA.root).present.count() == 0
        assert (await customer.ask(LINK, REPLICA.run(8, 2))).code is Code.OK
        beyond = SegmentData(9, REPLICA.run(8, 2).data)
        assert (await customer.ask(LINK, beyond)).code is Code.REFUSED


async def test_data_before_the_map_and_links_that_nobody_knows_are_refused(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        for body in (
            REPLICA.map,
            REPLICA.run(0),
            SignRequest(REPLICA.root),
            StatusRequest(),
            AuditRequest(REPLICA.root, bytes(32), (0,)),
            RenewRequest(place.now + DAY, bytes(32)),
            ReleaseRequest(),
        ):
            assert (await customer.ask(LINK, body)).code is Code.UNKNOWN_LINK, body
        assert (await customer.ask(LINK, GetRequest(REPLICA.root, (0,)))).code is Code.NOT_FOUND
        await customer.reserve(LINK, REPLICA)
        assert (await customer.ask(LINK, REPLICA.run(0))).code is Code.NOT_FOUND
        assert (await customer.ask(LINK, SignRequest(REPLICA.root))).code is Code.NOT_FOUND


async def test_the_link_of_one_peer_is_none_of_the_business_of_another(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        stranger = await place.customer(OTHER_KEY)
        await customer.put(LINK, REPLICA)
        for body in (ReleaseRequest(), StatusRequest(), REPLICA.map, SignRequest(REPLICA.root)):
            assert (await stranger.ask(LINK, body)).code is Code.UNKNOWN_LINK
        assert (await stranger.ask(LINK, await stranger.order(REPLICA))).code is Code.CONFLICT
        assert place.lease(LINK).at.name == "STORED"


async def test_another_root_than_that_of_the_link_is_refused(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        assert (await customer.ask(LINK, SignRequest(bytes(32)))).code is Code.CONFLICT
        audit = AuditRequest(bytes(32), bytes(32), (0,))
        assert (await customer.ask(LINK, audit)).code is Code.NOT_FOUND
        audit = AuditRequest(REPLICA.root, bytes(32), (REPLICA.blocks,))
        assert (await customer.ask(LINK, audit)).code is Code.NOT_FOUND


async def test_public_data_is_not_taken_as_a_replica(tmp_path):
    async with provider_in(tmp_path) as place:
        upload = place.store.begin_upload(block_size=BLOCK_BYTES)
        await upload.write(OTHER_REPLICA.data)
        await upload.commit()
        customer = await place.customer()
        await customer.reserve(LINK, OTHER_REPLICA)
        answer = await customer.ask(LINK, OTHER_REPLICA.map)
        assert (answer.code, "public" in answer.text) == (Code.BAD_MAP, True)
        assert not place.store.tree(OTHER_REPLICA.root).is_withheld


async def test_a_replica_that_was_damaged_is_not_said_to_be_stored(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        for path in tmp_path.glob("pack-*"):
            data = bytearray(path.read_bytes())
            at = data.find(REPLICA.data[5 * BLOCK_BYTES : 5 * BLOCK_BYTES + 64])
            if at >= 0:
                data[at] ^= 1
                path.write_bytes(bytes(data))
        answer = await customer.ask(LINK, REPLICA.map)
        assert answer.code is Code.LOST
        lease = await place.until(LINK, "DELETED")
        assert "lost" in lease.why


async def test_what_is_no_request_is_refused_in_words(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        answer = await customer.requests.ask(
            place.identity.peer_id,
            PROTOCOL,
            (b"\x12\x03abc",),
            deadline=place.clock.monotonic() + 10,
            max_message_bytes=1 << 20,
            addresses=place.addresses,
        )
        decoded = decode_answer(answer)
        assert (decoded.code, "link id" in decoded.text) == (Code.REFUSED, True)


async def test_refusals_can_be_read_where_events_are(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.ask(LINK, StatusRequest())
        (event,) = place.events.history(LINK.hex())
        assert event.kind == "provider.refused"
        assert event.message == (
            "StatusRequest was answered with UNKNOWN_LINK: no such link is known here"
        )


async def test_a_provider_that_stops_says_so(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.offer()
        await place.answering.stop()
        with pytest.raises(PeerRefused, match="stopping"):
            await customer.offer()


async def test_accounts_without_money_cannot_keep_all_the_room(tmp_path):
    async with provider_in(tmp_path, quota_bytes=100 * BLOCK_BYTES) as place:
        codes = []
        for number in range(10):
            nobody = await place.customer(bytes([0x60 + number]) * 32, deposit=0)
            order = await nobody.order(REPLICA)
            codes.append((await nobody.ask(bytes([number]) * 16, order)).code)
        assert codes[:5] + codes[-2:] == [Code.OK] * 5 + [Code.BUSY] * 2
        customer = await place.customer()
        await customer.put(LINK, REPLICA)


async def test_a_link_that_was_forgotten_is_not_stored_again_on_bills_that_were_paid(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        billed = place.income.account(CLIENT).billed
        assert (await customer.ask(LINK, ReleaseRequest())).code is Code.OK
        await place.until(LINK, "DELETED")
        for number in range(KEPT_ENDED):  # enough of others that end, and it is remembered no more
            other = number.to_bytes(16, "big")
            await customer.reserve(other, REPLICA)
            await customer.ask(other, ReleaseRequest())
        assert place.provider.leases.find(LINK) is None
        answer = await customer.ask(LINK, await customer.order(REPLICA))
        assert (answer.code, "another id" in answer.text) == (Code.EXPIRED, True)
        assert place.income.account(CLIENT).billed == billed
