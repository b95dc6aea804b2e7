"""A dataset is coded by an aggregator: checked, paid in two parts, and paid for nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from quire.aggregation.job import Done, Job
from quire.aggregation.order import At
from quire.base.errors import BadConfig, InputError, Refused, UnknownDataset
from quire.chain.abi import id_text
from quire.dataset.envelope.header import Header
from quire.dataset.geometry import Geometry
from quire.flow.decrypt import EncryptedContent
from quire.flow.encrypt import Encryption, encrypted
from quire.formats.cap import Suite
from quire.formats.cid import manifest_cid
from quire.formats.manifest import decode_manifest
from quire.market.bid import Bid
from quire.services.aggregating.doer import Doer
from quire.services.ordering.encoding import EncodeTerms
from quire.services.ordering.pushing import Streamed
from quire.sim.liar import turn
from support.encoding_nodes import CODER_KEY, PRICE, SECOND_KEY, Town, lying, pieces, town
from support.memory_store import random_bytes
from support.memory_world import HOST, TOKENS
from support.trading import Trader, fill_all

TERMS = EncodeTerms(4, 2)
SIZE = 50 * 4096 - 7


def in_town(
    directory: Path, main: Callable[[Town], Awaitable[None]], coders: tuple[bytes, ...] = ()
) -> None:
    async def run() -> None:
        async with town(directory, coders or (CODER_KEY,)) as it, asyncio.timeout(60):
            await main(it)

    asyncio.run(run())


def test_what_was_coded_right_is_paid_in_two_parts(tmp_path: Path) -> None:
    async def main(it: Town) -> None:
        encoded = await it.encoding.encode(await it.dataset(SIZE), TERMS)
        (order,) = it.orders.all()
        await it.until(order.key, At.SERVING)
        offer = order.offer.offer
        assert it.promised(it.coders[0]) == offer.price_first > 0
        dataset = await it.client.node.store.dataset(encoded)
        assert dataset is not None
        assert Geometry.of(dataset.manifest).steps == 13
        tree = it.client.node.store.tree(dataset.tree_root)
        assert tree is not None
        assert not tree.blocks  # it is known here, and its blocks are not
        it.encoding.hosts_have(encoded)
        ended = await it.until_told(order.key)
        assert ended.at is At.SETTLED
        assert ended.checked.startswith("13 of 13 columns coded again, 100 %")
        assert it.promised(it.coders[0]) == offer.price == ended.cost

    in_town(tmp_path, main)


def test_the_same_dataset_gives_the_same_as_coding_it_here(tmp_path: Path) -> None:
    async def main(it: Town) -> None:
        cid = await it.dataset(SIZE)
        encoded = await it.encoding.encode(cid, TERMS)
        node = it.client.node
        job = await node.protections.start(cid, 4, 2)
        assert (await node.protections.wait(job)).manifest_cid == encoded

    in_town(tmp_path, main)


def test_who_asks_twice_joins_the_order_that_is_under_way(tmp_path: Path) -> None:
    async def main(it: Town) -> None:
        cid = await it.dataset(SIZE)
        one, other = await asyncio.gather(
            it.encoding.encode(cid, TERMS), it.encoding.encode(cid, TERMS)
        )
        later = await it.encoding.encode(cid, TERMS)
        assert one == other == later
        assert len(it.orders.all()) == 1

    in_town(tmp_path, main)


def test_who_needs_no_hosts_says_so_and_the_rest_is_paid(tmp_path: Path) -> None:
    async def main(it: Town) -> None:
        await it.encoding.encode(await it.dataset(SIZE), TERMS)
        (order,) = it.orders.all()
        await it.until(order.key, At.SERVING)
        it.encoding.not_needed(order.key)
        ended = await it.until_told(order.key)
        assert ended.at is At.SETTLED
        assert it.promised(it.coders[0]) == ended.offer.offer.price

    in_town(tmp_path, main)


def test_a_cheat_is_not_paid_and_the_next_aggregator_codes_it(tmp_path: Path) -> None:
    async def main(it: Town) -> None:
        cheat, honest = it.coders
        lying("parity")(cheat)
        cid = await it.dataset(SIZE)
        first = await it.offers_of(cheat, dearer=honest)
        encoded = await it.encoding.encode(cid, TERMS)
        cheated, good = it.orders.all()
        assert (cheated.peer, good.peer) == (first, honest.peer)
        ended = await it.until_told(cheated.key)
        assert ended.at is At.CHEATED
        assert it.promised(cheat) == 0
        assert it.aggregators.shuns(cheat.peer)
        assert not it.aggregators.shuns(honest.peer)
        await it.until(good.key, At.SERVING)
        it.encoding.hosts_have(encoded)
        assert (await it.until_told(good.key)).at is At.SETTLED
        assert it.promised(honest) == good.offer.offer.price

    in_town(tmp_path, main, (CODER_KEY, SECOND_KEY))


def test_a_stream_is_coded_without_being_kept(tmp_path: Path) -> None:
    async def main(it: Town) -> None:
        data = random_bytes(50 * 65536 - 7, 3)
        wanted = Streamed(len(data), "a stream.bin", "text/plain")
        encoded = await it.encoding.stream(wanted, pieces(data), TERMS)
        (order,) = it.orders.all()
        assert order.checked.startswith("13 of 13 columns coded again")
        kept = await it.client.node.store.dataset(encoded)
        assert kept is not None
        protection = kept.manifest.protection
        assert protection is not None
        assert kept.manifest.original_size == len(data)
        there = await it.coders[0].node.store.datasets()
        originals = [each for each in there if each.manifest.filename == "a stream.bin"]
        assert protection.original_tree_cid in [each.manifest.tree_cid for each in originals]
        await it.until(order.key, At.SERVING)
        it.encoding.hosts_have(encoded)
        assert (await it.until_told(order.key)).at is At.SETTLED
        assert not [path for path in tmp_path.iterdir() if path.name.startswith("stream-")]

    in_town(tmp_path, main)


def test_an_encrypted_stream_stays_encrypted_and_its_owner_reads_it_again(tmp_path: Path) -> None:
    async def main(it: Town) -> None:
        text = b"nobody else is to read this. " * 20_000
        plan = Encryption.of(bytes(range(32)), Suite.AES_256_GCM, Header(len(text), "a.txt"))

        async def content(start: int) -> AsyncGenerator[bytes, None]:
            yield text[start:]

        wanted = Streamed(plan.dataset_bytes)
        encoded = await it.encoding.stream(wanted, encrypted(plan, content), EncodeTerms(2, 1))
        store = it.coders[0].node.store
        dataset = await store.dataset(encoded)
        assert dataset is not None
        there = await store.read_range(dataset.tree_root, 0, dataset.block_count)
        assert text[:29] not in there

        async def read(start: int, stop: int) -> AsyncGenerator[bytes, None]:
            yield there[start:stop]

        cap = plan.read_cap(encoded)
        opened = await EncryptedContent.open(cap, plan.dataset_bytes, read)
        pieces = [bytes(piece) async for piece in opened.read(0, len(text), read)]
        assert b"".join(pieces) == text

    in_town(tmp_path, main)


@pytest.mark.parametrize("lie", ["parity", "leaf", "digest"])
def test_who_lies_about_a_stream_is_not_paid(tmp_path: Path, lie: str) -> None:
    async def main(it: Town) -> None:
        lying(lie)(it.coders[0])
        data = random_bytes(9 * 65536, 3)
        with pytest.raises(Refused, match="not coded"):
            await it.encoding.stream(Streamed(len(data)), pieces(data), TERMS)
        (order,) = it.orders.all()
        assert (await it.until_told(order.key)).at is At.CHEATED
        assert it.promised(it.coders[0]) == 0

    in_town(tmp_path, main)


@pytest.mark.parametrize("said", [8 * 65536, 10 * 65536])
def test_a_stream_of_another_length_is_given_up(tmp_path: Path, said: int) -> None:
    async def main(it: Town) -> None:
        data = random_bytes(9 * 65536, 3)
        with pytest.raises(InputError, match="bytes that were announced"):
            await it.encoding.stream(Streamed(said), pieces(data), TERMS)
        (order,) = it.orders.all()
        assert (await it.until_told(order.key)).at is At.CANCELLED

    in_town(tmp_path, main)


def test_it_is_said_when_nobody_offers_it(tmp_path: Path) -> None:
    async def main(it: Town) -> None:
        (coder,) = it.coders
        coder.aggregation.aggregator.offering.settings = replace(PRICE, max_bytes=1000)
        with pytest.raises(Refused, match="no aggregator offers to code"):
            await it.encoding.encode(await it.dataset(SIZE), TERMS)
        assert it.orders.all() == []

    in_town(tmp_path, main)


@pytest.mark.parametrize(
    ("terms", "error", "words"),
    [
        (EncodeTerms(4, 2, ("nobody",)), BadConfig, "nobody"),
        (EncodeTerms(51, 2), InputError, "K = 51"),
        (EncodeTerms(4, 5), InputError, "M = 5"),
        (EncodeTerms(4, 2, confidence=1.0), InputError, "would work"),
    ],
)
def test_what_cannot_be_ordered_is_said_before_anything_is_done(
    tmp_path: Path, terms: EncodeTerms, error: type[InputError], words: str
) -> None:
    async def main(it: Town) -> None:
        with pytest.raises(error, match=words):
            await it.encoding.encode(await it.dataset(SIZE), terms)
        assert it.orders.all() == []

    in_town(tmp_path, main)


def test_a_dataset_that_is_not_here_is_not_ordered(tmp_path: Path) -> None:
    async def main(it: Town) -> None:
        with pytest.raises(UnknownDataset):
            await it.encoding.encode(manifest_cid(b"elsewhere"), TERMS)

    in_town(tmp_path, main)


class Held(Doer):
    """A doer that waits until it may work."""

    def __init__(self, honest: Doer) -> None:
        self.may_work = asyncio.Event()
        for name in ("offer_problem", "terms", "accept", "again", "drop", "progress"):
            setattr(self, name, getattr(honest, name))
        self._honest = honest

    async def do(self, job: Job) -> Done:
        await self.may_work.wait()
        return await self._honest.do(job)


def test_an_order_goes_on_where_it_was_after_restarts_of_the_client(tmp_path: Path) -> None:
    async def main(it: Town) -> None:
        held: list[Held] = []
        aggregator = it.coders[0].aggregation.aggregator
        assert aggregator is not None
        turn(aggregator, lambda honest: held.append(Held(honest)) or held[0])
        cid = await it.dataset(SIZE)
        asked = asyncio.ensure_future(it.encoding.encode(cid, TERMS))
        while not it.orders.all():
            await asyncio.sleep(0.01)
        (order,) = it.orders.all()
        await it.until(order.key, At.WAITING)
        await it.restart_client()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert it.orders.get(order.key).at is At.WAITING
        joined = asyncio.ensure_future(it.encoding.encode(cid, TERMS))
        held[0].may_work.set()
        encoded = await joined
        await it.until(order.key, At.SERVING)
        await it.restart_client()
        it.encoding.hosts_have(encoded)
        ended = await it.until_told(order.key)
        assert ended.at is At.SETTLED
        assert it.promised(it.coders[0]) == ended.offer.offer.price
        assert len(it.orders.all()) == 1

    in_town(tmp_path, main)


def test_what_was_coded_is_bought_without_its_blocks_and_paid_when_hosts_have_it(
    tmp_path: Path,
) -> None:
    async def main(it: Town) -> None:
        it.world.mint(HOST, TOKENS)
        encoded = await it.encoding.encode(await it.dataset(SIZE), EncodeTerms(3, 1))
        (order,) = it.orders.all()
        await it.until(order.key, At.SERVING)
        trading = it.client.node.trading
        assert trading is not None
        bought = await trading.purchases.buy(encoded, Bid(3600, 600, 10, 1, 1, 4, 1))
        trader = Trader(it.client.node, "", it.world, trading.market, trading.purchases)
        await fill_all(trader, id_text(bought))
        ended = await it.until_told(order.key)
        assert ended.at is At.SETTLED
        assert it.promised(it.coders[0]) == ended.offer.offer.price

    in_town(tmp_path, main)


def test_the_manifest_of_a_receipt_is_what_the_purchase_names(tmp_path: Path) -> None:
    async def main(it: Town) -> None:
        encoded = await it.encoding.encode(await it.dataset(SIZE), TERMS)
        dataset = await it.client.node.store.dataset(encoded)
        assert dataset is not None
        assert manifest_cid(dataset.manifest_bytes) == encoded
        assert decode_manifest(dataset.manifest_bytes).is_verifiable

    in_town(tmp_path, main)


def test_who_was_started_again_since_its_offer_is_asked_for_another(tmp_path: Path) -> None:
    async def main(it: Town) -> None:
        await it.encoding.encode(await it.dataset(SIZE), TERMS)
        (coder,) = it.coders
        assert coder.aggregation.aggregator is not None
        coder.aggregation.aggregator.offering._known.clear()  # they are in memory only
        await it.encoding.encode(await it.dataset(SIZE, seed=2), TERMS)
        for each in it.orders.all()[::2]:
            await it.until(each.key, At.SERVING)
        states = [(each.at, each.is_stale) for each in it.orders.all()]
        assert states == [(At.SERVING, False), (At.REFUSED, True), (At.SERVING, False)]
        assert it.aggregators.shuns(coder.peer) == ""

    in_town(tmp_path, main)
