"""What becomes of a replica: periods, renewal, grace, deletion, and its space."""

from __future__ import annotations

from quire.chain.memory.hub import MemoryHub
from quire.formats.replica_answers import ReceiptAnswer
from quire.formats.replica_asking import ReleaseRequest, RenewRequest, SignRequest, StatusRequest
from quire.formats.replica_codes import Code
from quire.point.receipt import decode_terms
from quire.point.values import BLOCK_BYTES
from support.provider_kit import CLIENT, DAY, OTHER, SETTINGS, Replica, provider_in
from support.store_kit import assert_sound

LINK, SECOND = bytes(range(16)), bytes(range(16, 32))
REPLICA = Replica.random(1, 9 * BLOCK_BYTES + 4160)
A_DAY = SETTINGS.price_byte_second * REPLICA.sealed_bytes * DAY
FEE = SETTINGS.fee_put_byte * REPLICA.sealed_bytes


async def nothing_is_left(place) -> None:
    await assert_sound(place.store)
    assert place.store.space().quota_used_bytes == 0
    assert place.provider.room.held_bytes == 0


async def test_each_period_is_billed_when_it_begins(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA, 3 * DAY)
        await customer.pay(FEE + A_DAY)
        assert place.income.due(CLIENT) == 0
        place.advance(DAY + 10)
        await place.until_due(CLIENT, A_DAY)
        await customer.pay(FEE + 2 * A_DAY)
        place.advance(DAY)
        await place.until_due(CLIENT, A_DAY)


async def test_after_its_term_a_replica_is_kept_for_a_day_and_then_deleted(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        await customer.pay(FEE + A_DAY)
        place.advance(DAY)
        lease = await place.until(LINK, "GRACE")
        assert lease.why == "its term is over"
        assert place.store.tree(REPLICA.root).present.count() == REPLICA.blocks
        place.advance(DAY)
        await place.until(LINK, "DELETED")
        assert (await customer.ask(LINK, StatusRequest())).code is Code.EXPIRED
        assert (await customer.ask(LINK, SignRequest(REPLICA.root))).code is Code.EXPIRED
        await nothing_is_left(place)


async def test_a_renewal_needs_no_data_and_is_the_same_when_asked_for_again(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        first = await customer.put(LINK, REPLICA)
        await customer.pay(FEE + A_DAY)
        place.advance(DAY + 100)
        await place.until(LINK, "GRACE")
        offer = await customer.offer()
        until = first.terms.expires_at + DAY
        renewal = RenewRequest(until, offer.digest)
        answers = [await customer.ask(LINK, renewal) for _ in range(2)]
        assert answers[0] == answers[1]
        assert isinstance(answers[0].body, ReceiptAnswer)
        terms = decode_terms(answers[0].body.typed)
        assert (terms.starts_at, terms.expires_at) == (first.terms.expires_at, until)
        assert terms.offer_hash == offer.digest
        assert place.lease(LINK).at.name == "STORED"
        await place.until_due(CLIENT, A_DAY)
        stale = RenewRequest(until + DAY, bytes(32))
        assert (await customer.ask(LINK, stale)).code is Code.PRICE
        back = RenewRequest(until - 5, offer.digest)
        assert (await customer.ask(LINK, back)).code is Code.REFUSED
        far = RenewRequest(until + 400 * DAY, offer.digest)
        assert (await customer.ask(LINK, far)).code is Code.REFUSED


async def test_who_owes_for_longer_than_a_period_loses_what_he_does_not_pay(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA, 10 * DAY)
        place.advance(DAY + 10)
        lease = await place.until(LINK, "GRACE")
        assert lease.is_unpaid
        renewal = RenewRequest(place.now + 20 * DAY, (await customer.offer()).digest)
        assert (await customer.ask(LINK, renewal)).code is Code.PAYMENT_REQUIRED
        await customer.pay(FEE + A_DAY)
        place.advance(700)
        await place.until(LINK, "STORED")
        await place.until_due(CLIENT, A_DAY)
        place.advance(DAY)
        await place.until(LINK, "GRACE")
        place.advance(DAY)
        await place.until(LINK, "DELETED")
        await nothing_is_left(place)


async def test_what_the_client_gives_up_is_gone_and_its_space_is_free(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        await customer.put(SECOND, REPLICA)
        assert (await customer.ask(LINK, ReleaseRequest())).code is Code.OK
        await place.until(LINK, "DELETED")
        assert (await customer.ask(LINK, ReleaseRequest())).code is Code.OK
        # The other link has the same blocks.
        assert place.store.tree(REPLICA.root).present.count() == REPLICA.blocks
        await customer.ask(SECOND, ReleaseRequest())
        await place.until(SECOND, "DELETED")
        await nothing_is_left(place)


async def test_a_restart_deletes_what_belongs_to_no_link(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        await place.close()
        place.journal = type(place.journal)(place.clock)  # it is lost
        await place.open()
        assert "provider.strays" in [event.kind for event in place.events.history()]
        await nothing_is_left(place)


async def test_what_was_taken_for_another_account_is_left_alone(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        await place.close()
        hub, place.hub = place.hub, MemoryHub(place.world, OTHER)
        await place.open()
        assert place.provider.leases.find(LINK) is None
        assert place.store.tree(REPLICA.root).present.count() == REPLICA.blocks
        await place.close()
        place.hub = hub
        await place.open()
        assert place.lease(LINK).at.name == "STORED"
        assert place.store.tree(REPLICA.root).present.count() == REPLICA.blocks


async def test_a_replica_whose_blocks_are_gone_after_a_restart_is_given_up(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        await place.close()
        await place.store.shed(REPLICA.root, 2, 3)
        await place.open()
        lease = await place.until(LINK, "DELETED")
        assert "3 of its blocks" in lease.why
        await nothing_is_left(place)


async def test_a_restart_in_grace_goes_on_to_the_deletion(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        await customer.pay(FEE + A_DAY)
        place.advance(DAY)
        await place.until(LINK, "GRACE")
        await place.close()
        place.advance(DAY)
        await place.open()
        await place.until(LINK, "DELETED")
        await nothing_is_left(place)


async def test_the_open_bill_of_what_is_given_up_does_not_end_what_else_is_kept(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        size = 4160
        for link, seed in ((LINK, 1), (SECOND, 2)):
            await customer.put(link, Replica.random(seed, size), 30 * DAY)
        fees, bill = 2 * SETTINGS.fee_put_byte * size, SETTINGS.price_byte_second * size * DAY
        for bills in range(2, 20, 2):
            await customer.pay(fees + bills * bill)
            place.advance(DAY)
            await place.until_due(CLIENT, 2 * bill)
        await customer.pay(fees + 19 * bill)
        assert place.income.due(CLIENT) == bill
        for _ in range(2):
            assert (await customer.ask(LINK, ReleaseRequest())).code is Code.OK
            assert place.income.due(CLIENT) == 0
        assert place.lease(SECOND).at.name == "STORED"
        place.advance(DAY)
        await place.until_due(CLIENT, bill)
        assert (await customer.ask(LINK, ReleaseRequest())).code is Code.OK
        assert place.income.due(CLIENT) == bill
