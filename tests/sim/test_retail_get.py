"""get_file from the holders of replicas, some of which lie, are slow, or are gone.

Source   point.md 6.7, scenarios 12 to 14, 17
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from quire.base.errors import BlockMissing, NotFound, PeerGone, QuireError, Refused
from quire.chain.memory.hub import MemoryHub
from quire.dataset.envelope.derive import repair_of
from quire.dataset.envelope.replica_map import map_keys
from quire.dataset.envelope.signed_blob import SignedBlob
from quire.formats.cap import ReadCap
from quire.formats.replica import ReplicaAnswer, ReplicaRequest
from quire.formats.replica_answers import Blocks
from quire.formats.replica_asking import GetRequest, MapGet
from quire.formats.replica_blob import MapBlob
from quire.formats.replica_codes import Code
from quire.services.retail.upload_status import UploadStatus
from support.retail_town import MIB, EncryptedFile, Keeper, RetailTown, TownNode, play

HOUR = 3600


async def kept(
    town: RetailTown, keepers: list[Keeper], size: int = MIB, **order: int
) -> tuple[TownNode, EncryptedFile, UploadStatus]:
    """A file that is kept at every provider, its map published, and who put it."""
    client = await town.client()
    file = await client.encrypt(size)
    key = await client.put(file, redundancy=len(keepers), seconds=HOUR, **order)
    status = await client.until_safe(key)
    await asyncio.sleep(10)
    return client, file, status


def test_a_flipped_bit_is_not_paid_and_the_block_comes_from_another() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(3)
        _, file, _ = await kept(town, keepers, 4 * MIB)
        liar = keepers[0]

        def forge(request: ReplicaRequest, answer: ReplicaAnswer) -> ReplicaAnswer:
            if isinstance(request.body, GetRequest) and isinstance(answer.body, Blocks):
                run = answer.body.runs[0]
                data = bytearray(run.data)
                data[100] ^= 1
                return replace(answer, body=Blocks((replace(run, data=bytes(data)),)))
            return answer

        liar.forge = forge
        reader = await town.client("reader")
        assert await reader.read(file.cap) == file.content
        assert liar.asked["GetRequest"] >= 1
        assert liar.paid(reader) == 0
        assert "not those of the sealed tree" in reader.said("replica.bad-data")[0]
        assert any("excluded" in words for words in reader.said("provider.excluded"))
        blocks = -(-file_bytes(file) // 65536)
        assert sum(k.paid(reader) for k in keepers) == blocks * 65536
        assert reader.retail is not None
        assert reader.retail.choice is not None
        for keeper in keepers:
            if keeper.asked["GetRequest"]:
                known = reader.retail.choice.book.get(keeper.peer)
                assert known is not None
                good = known.reputation.successes
                assert (good == 0) is (keeper is liar)
        before = liar.asked["GetRequest"]
        assert await reader.read(file.cap) == file.content
        assert liar.asked["GetRequest"] <= before + 1

    play(scene)


def test_who_waits_for_his_channel_while_another_serves_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The chain takes longer than a reader waits before he turns to the next holder as well."""
    allocate = MemoryHub.allocate

    async def slowly(self: MemoryHub, sums: Sequence[tuple[bytes, int]]) -> object:
        await asyncio.sleep(3)
        return await allocate(self, sums)

    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(3)
        _, file, _ = await kept(town, keepers)
        reader = await town.client("reader")
        monkeypatch.setattr(MemoryHub, "allocate", slowly)
        assert await reader.read(file.cap, 0, 100) == file.content[:100]
        await asyncio.sleep(60)
        assert sum(keeper.asked["GetRequest"] for keeper in keepers) <= 2  # the header; the block
        assert [keeper.paid(reader) > 0 for keeper in keepers].count(True) == 1

    play(scene)


def file_bytes(file: EncryptedFile) -> int:
    """Of the ciphertext that holds the content, without the padding behind it."""
    return len(file.content) + 12 + len('{"name":"a.bin"}') + 16 * (len(file.content) // 65520 + 1)


def test_a_hundred_bytes_cost_three_blocks_at_most() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(2)
        _, file, _ = await kept(town, keepers, 24 * MIB)
        reader = await town.client("reader")
        got = await reader.read(file.cap, 1_000_000, 1_000_100)
        assert got == file.content[1_000_000:1_000_100]
        assert sum(k.paid(reader) for k in keepers) <= 3 * 65536
        assert sum(k.asked["GetRequest"] for k in keepers) <= 3

    play(scene)


def test_a_wrong_key_gets_no_data_block() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(2)
        _, file, _ = await kept(town, keepers)
        reader = await town.client("reader")
        key = bytearray(file.cap.file_key)
        key[5] ^= 1
        wrong = ReadCap(file.cap.suite, file.cap.flags, file.cap.cid, bytes(key))
        with pytest.raises(NotFound, match="the capability's key is another"):
            await reader.read(wrong)
        assert not any(k.asked["GetRequest"] for k in keepers)

    play(scene)


def as_answer(blob: SignedBlob) -> ReplicaAnswer:
    body = MapBlob(blob.public_key, blob.version, blob.nonce, blob.ciphertext, blob.signature)
    return ReplicaAnswer(Code.OK, body=body)


def answers_map(blob: SignedBlob) -> object:
    def forge(request: ReplicaRequest, answer: ReplicaAnswer) -> ReplicaAnswer:
        return as_answer(blob) if isinstance(request.body, MapGet) else answer

    return forge


def test_the_newest_map_counts_and_a_forged_one_harms_its_sender() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(3)
        client, file, _ = await kept(town, keepers)
        keys = map_keys(repair_of(file.cap).seal_root)
        assert client.pointers is not None
        newest = client.pointers.get(keys.locator)
        assert newest is not None
        stale = keys.seal(newest.version - 1, bytes(12), b"nothing that could be read")
        forged = replace(newest, version=99)
        keepers[0].forge = answers_map(stale)  # type: ignore[assignment]
        keepers[1].forge = answers_map(forged)  # type: ignore[assignment]
        await client.stop()
        reader = await town.client("reader")
        found = await reader.call(lambda: reader.keeping.retrieval.find(repair_of(file.cap)))
        assert found.version == newest.version
        assert await reader.read(file.cap) == file.content
        assert reader.said("replica.bad-map")
        shown = [event.subject for event in reader.events if event.kind == "replica.bad-map"]
        assert set(shown) == {keepers[1].peer}

    play(scene)


def test_who_does_not_answer_is_overtaken_after_half_a_second() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(2)
        _, file, _ = await kept(town, keepers)
        keepers[0].forge = lambda request, answer: (
            None if isinstance(request.body, GetRequest) else answer
        )
        reader = await town.client("reader")
        began = town.clock.monotonic()
        assert await reader.read(file.cap, 0, 100) == file.content[:100]
        assert town.clock.monotonic() - began < 15

    play(scene)


def test_nobody_left_is_said_in_words() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(2)
        _, file, _ = await kept(town, keepers)
        reader = await town.client("reader")
        for keeper in keepers:
            keeper.forge = lambda request, answer: (
                ReplicaAnswer(Code.LOST, "gone") if isinstance(request.body, GetRequest) else answer
            )
        with pytest.raises(BlockMissing, match="gone"):
            await reader.read(file.cap)
        assert sum(k.paid(reader) for k in keepers) == 0

    play(scene)


def test_an_empty_wallet_reads_nothing_that_costs() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(2)
        _, file, _ = await kept(town, keepers)
        reader = await town.client("reader", tokens=0, deposit=0)
        with pytest.raises(QuireError) as refused:
            await reader.read(file.cap)
        assert not isinstance(refused.value, PeerGone)
        assert refused.value.code == "insufficient-funds"
        assert not any(k.asked["GetRequest"] for k in keepers)

    play(scene)


def test_reading_stops_at_the_budget() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(2)
        _, file, _ = await kept(town, keepers, 8 * MIB)
        reader = await town.client("reader")
        cap, got = repair_of(file.cap), 0

        async def read() -> None:
            nonlocal got
            async for piece in reader.keeping.retrieval.stream(cap, budget=3 * MIB):
                got += len(piece)

        with pytest.raises(Refused, match="above the budget"):
            await reader.call(read)
        await asyncio.sleep(5)
        assert 0 < sum(k.paid(reader) for k in keepers) <= 3 * MIB

    play(scene)


def test_free_reading_needs_no_account() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(2, price_get_byte=0)
        _, file, _ = await kept(town, keepers)
        reader = await town.client("reader", tokens=0, deposit=0)
        assert await reader.read(file.cap) == file.content
        assert sum(k.paid(reader) for k in keepers) == 0

    play(scene)
