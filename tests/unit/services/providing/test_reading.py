"""Blocks are served with proofs, within a credit; audits show that they are here."""

from __future__ import annotations

from dataclasses import replace

from quire.channels.credit import TRUST_SHARE
from quire.formats.replica_answers import AuditAnswer, Blocks, audit_digest
from quire.formats.replica_asking import AuditRequest, GetRequest, MapGet, MapPut
from quire.formats.replica_blob import MapBlob
from quire.formats.replica_codes import Code
from quire.kernels.hashing import verify_range
from quire.point.values import BLOCK_BYTES
from support.provider_kit import CLIENT, OTHER, OTHER_KEY, SETTINGS, Replica, provider_in

LINK, SESSION = bytes(range(16)), bytes(range(16, 32))
REPLICA = Replica.random(1, 40 * BLOCK_BYTES)
BLOCK_PRICE = SETTINGS.price_get_byte * BLOCK_BYTES
CREDIT_BLOCKS = SETTINGS.credit_bytes // BLOCK_BYTES


def assert_served(runs, indices):
    assert [run.index + i for run in runs for i in range(run.count)] == list(indices)
    for run in runs:
        at = run.index * BLOCK_BYTES
        assert run.data == REPLICA.data[at : at + len(run.data)]
        proved = verify_range(
            run.data, BLOCK_BYTES, run.index, REPLICA.blocks, run.proof, REPLICA.root
        )
        assert proved is not None


async def read(reader, indices):
    return await reader.ask(
        SESSION, GetRequest(REPLICA.root, tuple(indices), reader.account, reader.introduction)
    )


async def test_a_reader_who_pays_after_each_piece_reads_all_and_owes_nothing(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        reader = await place.customer(OTHER_KEY)
        paid = 0
        for first in range(0, 40, 8):
            answer = await read(reader, range(first, first + 8))
            assert answer.code is Code.OK, answer
            assert isinstance(answer.body, Blocks)
            assert_served(answer.body.runs, range(first, first + 8))
            paid += 8 * BLOCK_PRICE
            await reader.pay(paid)
            place.advance(1)
            await place.provider.reading.settle(OTHER)
            assert place.income.due(OTHER) == 0
        assert place.income.account(OTHER).billed == paid
        assert place.provider.reading.read_bytes == len(REPLICA.data)


async def test_a_reader_who_does_not_pay_gets_no_more_than_the_credit(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        reader = await place.customer(OTHER_KEY)
        served = 0
        for index in range(40):
            answer = await read(reader, (index,))
            if answer.code is not Code.OK:
                break
            served += 1
        assert served == CREDIT_BLOCKS
        assert (answer.code, "not paid" in answer.text) == (Code.PAYMENT_REQUIRED, True)
        await reader.pay(4 * BLOCK_PRICE)
        assert (await read(reader, range(4))).code is Code.OK
        assert (await read(reader, (5,))).code is Code.PAYMENT_REQUIRED


async def test_the_credit_of_a_reader_grows_with_what_he_has_paid(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        reader = await place.customer(OTHER_KEY)
        paid = TRUST_SHARE * (CREDIT_BLOCKS + 4) * BLOCK_PRICE
        await reader.pay(paid)
        await place.income.bill(OTHER, "other/1", paid)  # for something else
        served = 0
        while (await read(reader, (served % 16,))).code is Code.OK:
            served += 1
        assert served == CREDIT_BLOCKS + 4


async def test_what_is_read_does_not_count_among_what_is_owed_for_storage(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        owed = place.income.due(CLIENT)
        assert (await read(customer, range(8))).code is Code.OK
        await place.provider.reading.settle(CLIENT)
        assert place.income.due(CLIENT) == owed
        await customer.pay(owed + 8 * BLOCK_PRICE)
        place.advance(1)
        await place.provider.reading.settle(CLIENT)
        assert place.income.due(CLIENT) == 0


async def test_who_does_not_say_who_pays_or_cannot_pay_reads_nothing(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        stranger = await place.customer(OTHER_KEY, deposit=0)
        answer = await stranger.ask(SESSION, GetRequest(REPLICA.root, (0,)))
        assert (answer.code, "who pays" in answer.text) == (Code.PAYMENT_REQUIRED, True)
        for introduction in (stranger.introduction, customer.introduction):
            foreign = GetRequest(REPLICA.root, (0,), CLIENT, introduction)
            assert (await stranger.ask(SESSION, foreign)).code is Code.PAYMENT_REQUIRED
        answer = await read(stranger, (0,))
        assert (answer.code, "no room" in answer.text) == (Code.PAYMENT_REQUIRED, True)
        assert (await read(customer, (0, 40))).code is Code.NOT_FOUND


async def test_where_reading_costs_nothing_anybody_who_names_a_replica_reads_it(tmp_path):
    async with provider_in(tmp_path, settings=replace(SETTINGS, price_get_byte=0)) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        stranger = await place.customer(OTHER_KEY, deposit=0)
        answer = await stranger.ask(SESSION, GetRequest(REPLICA.root, (3, 4, 9)))
        assert isinstance(answer.body, Blocks)
        assert [run.index for run in answer.body.runs] == [3, 9]
        assert_served(answer.body.runs, (3, 4, 9))
        assert not place.store.tree(REPLICA.root).is_withheld


async def test_an_audit_shows_blocks_and_binds_them_to_its_nonce(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        owed = place.income.due(CLIENT)
        nonce = bytes(range(32))
        answer = await customer.ask(LINK, AuditRequest(REPLICA.root, nonce, (2, 17, 39)))
        assert isinstance(answer.body, AuditAnswer)
        assert_served(answer.body.runs, (2, 17, 39))
        assert answer.body.digest == audit_digest(nonce, [run.data for run in answer.body.runs])
        assert place.income.due(CLIENT) == owed


async def test_audits_are_no_way_to_read_for_nothing(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        audit = AuditRequest(REPLICA.root, bytes(32), tuple(range(8)))
        codes = [(await customer.ask(LINK, audit)).code for _ in range(4)]
        assert codes == [Code.OK] * 3 + [Code.BUSY]
        answer = await customer.ask(LINK, audit)
        assert 0 < answer.retry_after_ms <= 3_600_000
        place.advance(1200)
        assert (await customer.ask(LINK, audit)).code is Code.OK


async def test_a_replica_that_lost_a_block_is_given_up(tmp_path):
    async with provider_in(tmp_path) as place:
        customer = await place.customer()
        await customer.put(LINK, REPLICA)
        await place.store.shed(REPLICA.root, 7, 1)
        audit = AuditRequest(REPLICA.root, bytes(32), (7,))
        assert (await customer.ask(LINK, audit)).code is Code.LOST
        await place.until(LINK, "DELETED")
        assert (await customer.ask(LINK, audit)).code is Code.EXPIRED
        assert (await read(customer, (0,))).code is Code.NOT_FOUND


async def test_maps_are_kept_and_given_to_who_knows_their_place(tmp_path):
    from quire.dataset.envelope.replica_map import map_keys

    keys = map_keys(b"s" * 32)
    async with provider_in(tmp_path) as place:
        customer = await place.customer()

        def blob(version):
            it = keys.seal(version, b"n" * 12, b"a map")
            return MapBlob(it.public_key, it.version, it.nonce, it.ciphertext, it.signature)

        newer, older = blob(5), blob(3)
        assert (await customer.ask(LINK, MapPut(newer))).code is Code.OK
        assert (await customer.ask(LINK, MapPut(older))).code is Code.REFUSED
        forged = replace(newer, version=9)
        assert (await customer.ask(LINK, MapPut(forged))).code is Code.REFUSED
        stranger = await place.customer(OTHER_KEY, deposit=0)
        answer = await stranger.ask(bytes(16), MapGet(keys.locator))
        assert answer.body == newer
        assert (await stranger.ask(bytes(16), MapGet(bytes(32)))).code is Code.NOT_FOUND
