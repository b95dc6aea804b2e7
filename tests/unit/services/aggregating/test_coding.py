"""A dataset is fetched, coded, served, and let go of; after a crash the work goes on."""

from __future__ import annotations

import asyncio

import pytest

from quire.aggregation.values import Service
from quire.base.errors import PeerRefused
from quire.dataset.geometry import Geometry
from quire.flow.slot_digests import slot_digests
from quire.formats.aggregator_answers import Progress
from quire.formats.aggregator_asking import (
    AcceptEncode,
    Cancel,
    Dispute,
    QuoteRequest,
    Release,
    StatusRequest,
)
from quire.formats.aggregator_codes import Code, Reason, Stage
from quire.formats.cid import manifest_cid
from quire.formats.manifest import decode_manifest
from quire.store.dataset import RetentionRoot
from support.aggregator_kit import JOB, OTHER_KEY, SECOND
from support.coding_kit import CodingScene, Gate, coding_scene, dataset_of
from support.protect_kit import det, expected, make_steps_small
from support.slot_kit import BLOCK, SlotNode, protect
from support.store_kit import Remote, assert_sound

SIZE = 37 * BLOCK + 123  # 38 blocks: 4 rows of 10, with two pads


async def ordered(at: CodingScene, job_id: bytes = JOB, key: bytes | None = None) -> AcceptEncode:
    """A job for a dataset of the customer's node."""
    source = await dataset_of(at.theirs, det(SIZE), BLOCK)
    patron = await (at.place.patron(key) if key else at.place.patron())
    body = await at.accept(patron, SIZE, source.manifest_cid, block_size=BLOCK)
    answer = await patron.ask(job_id, body)
    assert answer.code is Code.OK, answer
    return body


async def test_what_is_coded_is_what_anybody_else_would_code(tmp_path):
    async with coding_scene(tmp_path) as at:
        body = await ordered(at)
        patron = at.place.patrons[0]
        receipt = await at.receipt(patron)
        assert (receipt.original, receipt.customer) == (body.manifest, patron.account)
        assert (receipt.job_id, receipt.offer_hash) == (JOB, body.customer.offer_hash)
        root, slot_roots = expected(det(SIZE), 4, 2, BLOCK)
        manifest = decode_manifest(receipt.manifest)
        assert manifest.tree_cid.digest == root
        assert manifest.protection is not None
        assert manifest.protection.verification is not None
        roots = [each.digest for each in manifest.protection.verification.slot_roots]
        assert roots == slot_roots
        coded = await at.store.dataset(receipt.encoded)
        assert coded is not None
        assert coded.is_complete


async def test_the_lists_are_the_leaves_and_the_digests_of_all_rows(tmp_path):
    async with coding_scene(tmp_path) as at:
        await ordered(at)
        receipt = await at.receipt(at.place.patrons[0])
        coded = await at.store.dataset(receipt.encoded)
        assert coded is not None
        assert await at.data(receipt.leaf_list) == await at.store.leaves(coded.tree_root)
        geometry, root = Geometry.of(coded.manifest), coded.tree_root
        rows = [await slot_digests(at.store, root, geometry, slot, None) for slot in range(6)]
        assert await at.data(receipt.digest_list) == b"".join(rows)


async def test_slot_files_that_are_damaged_are_made_anew_for_the_list(tmp_path):
    async with coding_scene(tmp_path) as at:
        await ordered(at)
        receipt = await at.receipt(at.place.patrons[0])
        coded = await at.store.dataset(receipt.encoded)
        assert coded is not None
        for path in sorted((tmp_path / "slots").iterdir())[:3]:
            path.write_bytes(path.read_bytes()[:150])
        lists = await at.coding._ports.lists.make(coded, RetentionRoot("pin", "", None))
        assert lists == (receipt.leaf_list, receipt.digest_list)


async def test_hosts_find_the_coded_blocks_and_the_lists(tmp_path):
    async with coding_scene(tmp_path) as at:
        await ordered(at)
        receipt = await at.receipt(at.place.patrons[0])
        host = await SlotNode.open(at.place.network, tmp_path, "host")
        await host.connect(at.own)
        try:
            for cid in (receipt.encoded, receipt.leaf_list, receipt.digest_list):
                assert (await host.fetches.whole(cid, 10.0)).manifest_cid == cid
            dataset = await host.fetches.manifest(receipt.encoded, 10.0)
            assert (await host.take(dataset, 5)).state == "held"
        finally:
            await host.close()


async def test_all_is_kept_until_the_end_of_the_job_and_nothing_after_it(tmp_path):
    async with coding_scene(tmp_path) as at:
        body = await ordered(at)
        patron = at.place.patrons[0]
        receipt = await at.receipt(patron)
        assert body.manifest is not None
        names = [body.manifest, receipt.encoded, receipt.leaf_list, receipt.digest_list]
        assert sorted(map(str, await at.kept())) == sorted(map(str, names))
        await patron.pay(1000)
        assert (await patron.ask(JOB, Release(0))).code is Code.OK
        assert len(await at.kept()) == 4
        assert (await patron.ask(JOB, Release(1))).code is Code.OK
        await at.place.until_dropped()
        assert await at.kept() == []
        await assert_sound(at.store)
        await at.slots.close()
        assert list((tmp_path / "slots").iterdir()) == []


@pytest.mark.parametrize("end", [Cancel(), Dispute(Reason.PARITY, "no")], ids=["cancel", "dispute"])
async def test_what_something_else_keeps_stays(tmp_path, end):
    async with coding_scene(tmp_path) as at:
        source = await dataset_of(at.own, det(SIZE), BLOCK)  # it is the operator's own, too
        body = await ordered(at)
        assert body.manifest == source.manifest_cid
        await at.receipt(at.place.patrons[0])
        await at.place.patrons[0].ask(JOB, end)
        await at.place.until_dropped()
        assert await at.kept() == [source.manifest_cid]


async def test_two_customers_may_order_the_same_and_one_ends_without_the_other(tmp_path):
    async with coding_scene(tmp_path) as at:
        await ordered(at)
        await ordered(at, SECOND, OTHER_KEY)
        first, second = at.place.patrons
        one, two = await at.receipt(first), await at.receipt(second, SECOND)
        assert (one.encoded, one.leaf_list) == (two.encoded, two.leaf_list)
        assert one.customer != two.customer
        await first.ask(JOB, Cancel())
        await at.place.until_dropped()
        assert len(await at.kept()) == 4
        await second.ask(SECOND, Cancel())
        await at.place.until_dropped(SECOND)
        assert await at.kept() == []


async def test_a_job_that_is_cancelled_leaves_the_same_work_of_another_alone(tmp_path):
    async with coding_scene(tmp_path) as at:
        await at.restart(Gate(0))
        await ordered(at)
        await ordered(at, SECOND, OTHER_KEY)
        await until_words(at, "column 0 of 10 is next")
        await at.place.patrons[0].ask(JOB, Cancel())
        await at.place.until_dropped()
        assert len(at.protections.active) == 1
        await at.place.patrons[1].ask(SECOND, Cancel())
        await at.place.until_dropped(SECOND)
        assert at.protections.active == []
        assert await at.kept() == []
        assert await at.store.protecting.every() == []


async def until_words(at: CodingScene, words: str) -> Progress:
    """Wait until the progress of the job says so."""
    async with asyncio.timeout(10):
        while True:
            body = (await at.place.patrons[0].ask(JOB, StatusRequest())).body
            assert isinstance(body, Progress), body
            if words in body.words:
                return body
            await asyncio.sleep(0.01)


async def test_coding_goes_on_behind_what_is_durable(tmp_path, monkeypatch):
    make_steps_small(monkeypatch)
    async with coding_scene(tmp_path) as at:
        await at.restart(Gate(4))
        body = await ordered(at)
        patron = at.place.patrons[0]
        assert body.manifest is not None
        progress = await until_words(at, "column 8 of 10 is coded")
        assert 300 <= progress.permille < 950
        await at.restart()
        receipt = await at.receipt(patron)
        (done,) = await at.protections.of(body.manifest)
        assert done.resumed_steps > 0
        root, _ = expected(det(SIZE), 4, 2, BLOCK)
        assert decode_manifest(receipt.manifest).tree_cid.digest == root


async def test_a_restart_of_a_finished_job_codes_nothing_again(tmp_path):
    async with coding_scene(tmp_path) as at:
        await ordered(at)
        receipt = await at.receipt(at.place.patrons[0])
        await at.restart(Gate(0))
        assert await at.receipt(at.place.patrons[0]) == receipt
        assert len(await at.kept()) == 4
        assert at.protections.active == []


async def test_a_dataset_of_another_size_is_not_coded_for_the_price_of_the_offer(tmp_path):
    async with coding_scene(tmp_path) as at:
        source = await dataset_of(at.theirs, det(SIZE), BLOCK)
        patron = await at.place.patron()
        body = await at.accept(patron, SIZE - BLOCK, source.manifest_cid, block_size=BLOCK)
        await patron.ask(JOB, body)
        job = await at.place.until_dropped()
        assert job.at is Stage.FAILED
        assert f"{SIZE} bytes in blocks of {BLOCK}; the offer is for {SIZE - BLOCK}" in job.why
        assert await at.kept() == []


async def test_a_protected_dataset_is_not_coded_again(tmp_path):
    async with coding_scene(tmp_path) as at:
        coded = await protect(at.theirs, SIZE)
        patron = await at.place.patron()
        size = coded.manifest.dataset_size
        body = await at.accept(patron, size, coded.manifest_cid, block_size=BLOCK)
        await patron.ask(JOB, body)
        job = await at.place.until_dropped()
        assert (job.at, "protected already" in job.why) == (Stage.FAILED, True)


async def test_a_dataset_that_nobody_has_is_looked_for_until_the_deadline(tmp_path):
    async with coding_scene(tmp_path) as at:
        patron = await at.place.patron()
        body = await at.accept(patron, SIZE, manifest_cid(b"nothing"), block_size=BLOCK)
        await patron.ask(JOB, body)
        assert at.place.job().at is Stage.WORKING
        at.place.advance(3601)
        job = await at.place.until_dropped()
        assert (job.at, "deadline" in job.why) == (Stage.FAILED, True)


@pytest.mark.parametrize(
    ("quote", "words"),
    [
        ((SIZE, BLOCK, 1, 1), "K is 2 or more"),
        ((SIZE, BLOCK, 3, 4), "more than the K = 3"),
        ((3 * BLOCK, BLOCK, 4, 2), f"the minimum is {4 * BLOCK} bytes"),
        ((SIZE, 1000, 4, 2), "power of two from 4096"),
        ((0, BLOCK, 4, 2), "without bytes"),
        ((1 << 30, BLOCK, 4, 2), "bytes of data would fit"),
    ],
)
async def test_a_quote_that_cannot_be_coded_is_refused_with_what_would_work(tmp_path, quote, words):
    size, block_size, k, m = quote
    async with coding_scene(tmp_path) as at:
        patron = await at.place.patron()
        with pytest.raises(PeerRefused, match=words):
            await patron.offer(QuoteRequest(Service.ENCODE, size, block_size, k, m))


async def test_work_that_waits_makes_the_next_take_longer(tmp_path):
    async with coding_scene(tmp_path) as at:
        await at.restart(Gate(0))
        patron = await at.place.patron()
        first = QuoteRequest(Service.ENCODE, 1 << 25, BLOCK, 4, 2)
        alone = (await patron.offer(first)).offer.seconds
        assert alone > 60
        body = await at.accept(patron, 1 << 25, manifest_cid(b"nothing"), block_size=BLOCK)
        assert (await patron.ask(JOB, body)).code is Code.OK
        other = QuoteRequest(Service.ENCODE, 1 << 25, BLOCK, 5, 2)
        assert (await patron.offer(other)).offer.seconds > alone
        await patron.ask(JOB, Cancel())
        await at.place.until_dropped()
        another = QuoteRequest(Service.ENCODE, 1 << 25, BLOCK, 4, 2, at.place.now + 9999)
        assert (await patron.offer(another)).offer.seconds == alone


async def test_a_sealed_replica_of_somebody_is_not_made_public_by_coding_it(tmp_path):
    async with coding_scene(tmp_path) as at:
        remote = Remote.of(det(SIZE))
        root = RetentionRoot("replica", "a link", None)
        replica = await at.store.put_manifest(remote.manifest, root)
        patron = await at.place.patron()
        body = await at.accept(patron, SIZE, replica.manifest_cid, block_size=BLOCK)
        await patron.ask(JOB, body)
        job = await at.place.until_dropped()
        assert (job.at, "sealed replica" in job.why) == (Stage.FAILED, True)
        dataset = await at.store.dataset(replica.manifest_cid)
        assert dataset is not None
        assert dataset.roots == (root,)
