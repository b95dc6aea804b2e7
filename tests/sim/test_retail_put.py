"""put_file at real providers in virtual time: what is kept, by whom, and what is paid for it.

Source   point.md 6.7, scenarios 1 to 6, 16
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from functools import partial

import pytest

from quire.base.errors import DeadlineExceeded
from quire.formats.replica import ReplicaAnswer, ReplicaRequest
from quire.formats.replica_answers import Have, ReceiptAnswer
from quire.formats.replica_asking import MapPut, SegmentData, SegmentMap, SignRequest, StoreRequest
from quire.formats.replica_codes import Code
from quire.kernels.signing import sign_recoverable
from quire.point.link import At, LinkState
from quire.point.receipt import decode_terms, encode_terms, sign_receipt
from quire.services.retail.upload_status import UploadStatus
from support.retail_town import MIB, Keeper, RetailTown, TownNode, play

WINDOW = 65536 * 8


def links_of(client: TownNode) -> list[LinkState]:
    return list(client.uploads.links.machines.states().values())


def bills(client: TownNode) -> int:
    """What all links that were signed cost so far, by their receipts."""
    return sum(
        link.terms[0].bill(0).amount for link in links_of(client) if link.receipt is not None
    )


def check_kept(client: TownNode, keepers: list[Keeper], status: UploadStatus) -> None:
    """What must be true of every file that is safe."""
    assert status.state == "UPLOADED"
    by_chunk = Counter((link.order.chunk, link.order.peer) for link in links_of(client))
    assert max(by_chunk.values()) == 1  # never two links of a chunk at one provider
    signed = [link for link in links_of(client) if link.at is At.SIGNED]
    assert all(link.receipt is not None for link in signed)
    assert sum(keeper.paid(client) for keeper in keepers) == bills(client) == status.paid


def test_a_file_is_kept_at_three_providers_and_paid_to_the_token() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(5)
        client = await town.client()
        file = await client.encrypt(40 * MIB)
        key = await client.put(file, redundancy=3, seconds=7200)
        status = await client.until_safe(key)
        assert status.size_bytes == 42_991_616 + 657 * 16
        assert Counter(link.chunk for link in status.links) == {0: 3, 1: 3, 2: 3}
        assert {link.blocks for link in status.links} == {256, 145}
        assert len({link.peer for link in status.links}) >= 3
        check_kept(client, keepers, status)
        assert sum(keeper.taken for keeper in keepers) == 3 * 657
        client.kill()  # at the very moment at which the file is said to be safe
        reader = await town.client("reader")
        assert await reader.read(file.cap) == file.content

    play(scene)


def test_a_file_is_not_safe_before_two_of_its_providers_have_its_map() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(3)
        takers: list[Keeper] = []

        def deaf(keeper: Keeper, request: ReplicaRequest, answer: ReplicaAnswer) -> ReplicaAnswer:
            if not isinstance(request.body, MapPut):
                return answer
            is_taken = keeper in takers
            return answer if is_taken else ReplicaAnswer(Code.BUSY, "later", retry_after_ms=1000)

        for keeper in keepers:
            keeper.forge = partial(deaf, keeper)
        client = await town.client()
        key = await client.put(await client.encrypt(MIB), redundancy=3, seconds=7200)
        with pytest.raises(DeadlineExceeded, match=r"3 of 3 replicas are signed.*handed out"):
            await client.until_safe(key, 120)
        assert client.uploads.status(key).state == "UPLOADING"
        takers += keepers[:2]
        assert (await client.until_safe(key, 30)).state == "UPLOADED"

    play(scene)


def no_space(request: ReplicaRequest, answer: ReplicaAnswer) -> ReplicaAnswer:
    return ReplicaAnswer(Code.NO_SPACE) if isinstance(request.body, StoreRequest) else answer


def test_who_has_no_space_is_replaced_and_not_paid() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(5)
        keepers[0].forge = no_space
        client = await town.client()
        file = await client.encrypt(MIB)
        key = await client.put(file, redundancy=4, seconds=7200)
        status = await client.until_safe(key)
        check_kept(client, keepers, status)
        states = Counter((link.peer == keepers[0].peer, link.state) for link in status.links)
        assert states[True, "FAILED"] <= 1
        assert states[False, "SIGNED"] == 4
        assert keepers[0].paid(client) == 0
        refused = [link for link in status.links if link.peer == keepers[0].peer]
        assert all(link.words.startswith("NO_SPACE") for link in refused)

    play(scene)


def test_who_vanishes_while_he_is_sent_data_is_replaced_after_two_minutes() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(3)
        client = await town.client()
        file = await client.encrypt(15 * MIB)
        victim = await after_100_blocks(town, client, keepers, await client.put(file, redundancy=2))
        for other in (client, *keepers):
            if other is not victim:
                town.network.partition(victim.peer, other.peer)
        began = town.clock.monotonic()
        (key,) = [upload.upload_id for upload in client.uploads.every()]
        status = await client.until_safe(key)
        check_kept(client, [k for k in keepers if k is not victim], status)
        assert 110 < town.clock.monotonic() - began < 200
        (failed,) = [link for link in status.links if link.state == "FAILED"]
        assert failed.peer == victim.peer
        assert victim.paid(client) == 0
        assert len({link.order.replica for link in links_of(client)}) == 2

    play(scene)


async def after_100_blocks(
    town: RetailTown, client: TownNode, keepers: list[Keeper], key: str
) -> Keeper:
    """Wait until a provider has 100 of 240 blocks."""
    town.slow_down()
    while True:
        for link in links_of(client):
            if link.at is At.SENDING_DATA and link.acked_count >= 100:
                return next(k for k in keepers if k.peer == link.order.peer)
        await asyncio.sleep(0.005)


def test_who_is_back_within_half_a_minute_gets_what_is_missing_only() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(2)
        client = await town.client()
        file = await client.encrypt(15 * MIB)
        key = await client.put(file, redundancy=2)
        victim = await after_100_blocks(town, client, keepers, key)
        blocks = next(k.order.blocks for k in links_of(client) if k.order.peer == victim.peer)
        town.network.partition(client.peer, victim.peer)
        town.network.drop(client.peer, victim.peer)
        taken = victim.taken
        await asyncio.sleep(15)
        town.network.heal(client.peer, victim.peer)
        status = await client.until_safe(key)
        check_kept(client, keepers, status)
        assert [link.state for link in status.links] == ["SIGNED", "SIGNED"]
        assert victim.taken <= blocks + 8
        assert victim.taken - taken <= blocks - 100 + 8

    play(scene)


def another_root(keeper: Keeper, answer: ReplicaAnswer) -> ReplicaAnswer:
    return signed_anew(keeper, answer, sealed_root=b"\x07" * 32)


def a_later_end(keeper: Keeper, answer: ReplicaAnswer) -> ReplicaAnswer:
    assert isinstance(answer.body, ReceiptAnswer)
    terms = decode_terms(answer.body.typed)
    return signed_anew(keeper, answer, expires_at=terms.expires_at + 1)


def another_key(keeper: Keeper, answer: ReplicaAnswer) -> ReplicaAnswer:
    keeper_key, keeper.key = keeper.key, b"\x31" * 32
    forged = signed_anew(keeper, answer)
    keeper.key = keeper_key
    return forged


def signed_anew(keeper: Keeper, answer: ReplicaAnswer, **changed: object) -> ReplicaAnswer:
    assert isinstance(answer.body, ReceiptAnswer)
    assert keeper.retail is not None
    terms = replace(decode_terms(answer.body.typed), **changed)  # type: ignore[arg-type]

    def sign(digest: bytes) -> bytes:
        return sign_recoverable(keeper.key, digest)

    receipt = sign_receipt(sign, keeper.retail.hub.domain, terms)
    return replace(answer, body=ReceiptAnswer(encode_terms(terms), receipt.signature))


@pytest.mark.parametrize("lie", [another_root, a_later_end, another_key])
def test_who_signs_something_else_is_excluded_and_not_paid(lie: object) -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(4)
        liar = keepers[0]

        def forge(request: ReplicaRequest, answer: ReplicaAnswer) -> ReplicaAnswer:
            return lie(liar, answer) if isinstance(request.body, SignRequest) else answer  # type: ignore[operator]

        liar.forge = forge
        client = await town.client()
        file = await client.encrypt(MIB)
        status = await client.until_safe(await client.put(file, redundancy=3, seconds=7200))
        again = await client.encrypt(MIB, seed=1)
        status_again = await client.until_safe(await client.put(again, redundancy=3, seconds=7200))
        lied = [link for link in status.links if link.peer == liar.peer]
        assert [link.state for link in lied] == ["FAILED"] * len(lied)
        assert all("BAD_SIGNATURE" in link.words for link in lied)
        assert liar.paid(client) == 0
        assert status.state == status_again.state == "UPLOADED"
        if lied:
            assert all(link.peer != liar.peer for link in status_again.links)
            assert any("excluded" in words for words in client.said("provider.excluded"))

    play(scene, seed=1)


def test_what_a_provider_has_already_is_not_sent_and_paid_once() -> None:
    async def scene(town: RetailTown) -> None:
        (keeper,) = await town.providers(1)
        client = await town.client()
        file = await client.encrypt(MIB)
        before: list[object] = []

        def forge(request: ReplicaRequest, answer: ReplicaAnswer) -> ReplicaAnswer | None:
            if isinstance(request.body, SegmentMap) and not before:
                before.append(client.journal.reopened())
            return None if isinstance(request.body, SignRequest) else answer

        keeper.forge = forge
        key = await client.put(file, redundancy=1, seconds=7200)
        while not keeper.asked["SignRequest"]:
            await asyncio.sleep(0.1)
        client.kill()
        client.journal = before[0]  # type: ignore[assignment]
        keeper.forge, taken = None, keeper.taken
        await client.start()
        status = await client.until_safe(key)
        check_kept(client, [keeper], status)
        assert keeper.taken == taken
        assert len(status.links) == 1

    play(scene)


def test_who_says_that_he_has_it_and_has_not_fails_his_first_audit() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(3)
        liar = keepers[0]

        def forge(request: ReplicaRequest, answer: ReplicaAnswer) -> ReplicaAnswer:
            if isinstance(request.body, SegmentMap) and isinstance(answer.body, Have):
                return ReplicaAnswer(Code.ALREADY_STORED)
            return answer

        liar.forge = forge
        client = await town.client()
        file = await client.encrypt(MIB)
        status = await client.until_safe(await client.put(file, redundancy=2, seconds=7200))
        check_kept(client, keepers, status)
        assert liar.paid(client) == 0
        lied = [link for link in status.links if link.peer == liar.peer]
        assert [link.state for link in lied] == ["FAILED"] * len(lied)
        assert liar.taken == 0

    play(scene, seed=2)


def test_two_providers_of_one_account_never_have_the_same_chunk() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(3)
        shared = keepers[0].key
        twin = town.add_keeper("P4", key=shared)
        await twin.start()
        client = await town.client()
        file = await client.encrypt(3 * MIB)
        key = await client.put(file, redundancy=3, seconds=7200, chunk_blocks=8)
        status = await client.until_safe(key)
        check_kept(client, [keepers[0], *keepers[1:]], status)
        for chunk in range(len(status.replicas)):
            peers = [link.peer for link in status.links if link.chunk == chunk]
            assert not {keepers[0].peer, twin.peer} <= set(peers)
        assert {keepers[0].peer, twin.peer} <= {link.peer for link in status.links}

    play(scene)


def test_data_is_sent_to_few_at_a_time() -> None:
    async def scene(town: RetailTown) -> None:
        (keeper,) = await town.providers(1)
        client = await town.client()
        most = 0

        def forge(request: ReplicaRequest, answer: ReplicaAnswer) -> ReplicaAnswer:
            nonlocal most
            if isinstance(request.body, SegmentData):
                sending = [x for x in links_of(client) if x.at.value.startswith("SENDING")]
                most = max(most, len(sending))
            return answer

        keeper.forge = forge
        file = await client.encrypt(3 * MIB)
        await client.until_safe(await client.put(file, redundancy=1, seconds=7200, chunk_blocks=4))
        assert most == 3

    play(scene)
