"""A replica is taken: reserved, mapped, received, signed for; all of it may be repeated."""

from __future__ import annotations

import pytest

from quire.formats.replica_answers import Have, LinkState, Reserved
from quire.formats.replica_asking import SignRequest, StatusRequest
from quire.formats.replica_codes import Code, LeaseState
from quire.formats.replica_parts import ranges_of
from quire.point.receipt import SKEW_SECONDS, Asked, check_receipt
from quire.point.values import BLOCK_BYTES
from support.provider_kit import CLIENT, DAY, SETTINGS, Replica, provider_in

LINK, SECOND = bytes(range(16)), bytes(range(16, 32))
REPLICA = Replica.random(1, 9 * BLOCK_BYTES + 4160)


async def test_a_replica_is_taken_signed_for_and_billed(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        begins = place.now
        order = await customer.order(REPLICA)
        reserved = await customer.ask(LINK, order)
        assert (reserved.code, reserved.body) == (Code.OK, Reserved(begins + 600))
        have = await customer.send_map(LINK, REPLICA)
        assert (have.bitmap, have.is_complete) == (b"\0\0", False)
        await customer.send_all(LINK, REPLICA)
        receipt = await customer.sign(LINK, REPLICA)
        offer = await customer.offer()
        asked = Asked(
            LINK,
            CLIENT,
            offer,
            REPLICA.root,
            REPLICA.sealed_bytes,
            begins,
            begins + SKEW_SECONDS,
            order.expires_at,
        )
        check_receipt(receipt, asked, place.hub.domain)
        size = REPLICA.sealed_bytes
        seconds = order.expires_at - receipt.terms.starts_at
        owed = SETTINGS.fee_put_byte * size + SETTINGS.price_byte_second * size * seconds
        assert place.income.due(CLIENT) == owed
        assert (await place.until(LINK, "STORED")).received == REPLICA.blocks
        assert await place.store.read_range(REPLICA.root, 0, REPLICA.blocks) == REPLICA.data


async def test_what_is_on_the_disk_is_what_was_sent_and_is_withheld(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        assert place.store.tree(REPLICA.root).is_withheld
        assert await place.store.holdings() == []
    packed = b"".join(path.read_bytes() for path in tmp_path.glob("pack-*"))
    blocks = (REPLICA.data[at * BLOCK_BYTES : (at + 1) * BLOCK_BYTES] for at in range(9))
    assert all(block in packed for block in blocks)


async def test_every_question_may_be_repeated_and_has_the_same_answer(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        order = await customer.order(REPLICA)
        for _ in range(2):
            assert (await customer.ask(LINK, order)).code is Code.OK
        for _ in range(2):
            await customer.send_map(LINK, REPLICA)
        for _ in range(2):
            await customer.send_all(LINK, REPLICA)
        # The reservation and the map may come again late, too.
        assert (await customer.ask(LINK, order)).code is Code.OK
        assert (await customer.send_map(LINK, REPLICA)).is_complete
        receipt = await customer.sign(LINK, REPLICA)
        owed = place.income.due(CLIENT)
        place.advance(60)
        assert await customer.sign(LINK, REPLICA) == receipt
        assert place.income.due(CLIENT) == owed
        answer = await customer.ask(LINK, REPLICA.map)
        assert answer.code is Code.ALREADY_STORED


async def test_blocks_that_are_missing_are_named_when_the_receipt_is_asked_for(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.reserve(LINK, REPLICA)
        await customer.send_map(LINK, REPLICA)
        await customer.ask(LINK, REPLICA.run(0, 4))
        await customer.ask(LINK, REPLICA.run(9))
        answer = await customer.ask(LINK, SignRequest(REPLICA.root))
        assert answer.code is Code.INCOMPLETE
        assert isinstance(answer.body, Have)
        assert not answer.body.is_complete
        assert list(ranges_of(answer.body.bitmap, REPLICA.blocks)) == [(0, 4), (9, 10)]
        assert place.income.due(CLIENT) == 0
        await customer.ask(LINK, REPLICA.run(4, 5))
        await customer.sign(LINK, REPLICA)


async def test_a_provider_that_was_killed_knows_from_its_store_what_it_has(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.reserve(LINK, REPLICA)
        await customer.send_map(LINK, REPLICA)
        await customer.ask(LINK, REPLICA.run(0, 4))
        await place.store.flush()
        await place.close()
        await place.open()
        answer = await customer.ask(LINK, StatusRequest())
        assert answer.body == LinkState(
            LeaseState.RECEIVING, Have(b"\x0f\0", False), REPLICA.root, place.now + DAY, 0
        )
        await customer.send_all(LINK, REPLICA)
        await place.close()  # all blocks are here, nobody has asked for the receipt
        await place.open()
        answer = await customer.ask(LINK, StatusRequest())
        assert isinstance(answer.body, LinkState)
        assert (answer.body.state, answer.body.have.is_complete) == (LeaseState.COMPLETE, True)
        receipt = await customer.sign(LINK, REPLICA)
        owed = place.income.due(CLIENT)
        await place.close()
        await place.open()
        assert await customer.sign(LINK, REPLICA) == receipt
        assert place.income.due(CLIENT) == owed > 0


async def test_two_links_of_one_client_are_two_replicas(tmp_path):
    other = Replica.random(2, 3 * BLOCK_BYTES)
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        await customer.put(SECOND, other)
        assert place.provider.room.held_bytes == (REPLICA.blocks + other.blocks) * BLOCK_BYTES
        assert place.store.space().quota_reserved_bytes == 0
        assert (await customer.ask(SECOND, REPLICA.map)).code is Code.CONFLICT


@pytest.mark.parametrize("blocks", [1, 2])
async def test_a_replica_may_be_as_short_as_a_byte(tmp_path, blocks):
    replica = Replica.random(3, (blocks - 1) * BLOCK_BYTES + 1)
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        receipt = await customer.put(LINK, replica)
        assert receipt.terms.sealed_bytes == replica.sealed_bytes
        assert await place.store.read_range(replica.root, 0, blocks) == replica.data
