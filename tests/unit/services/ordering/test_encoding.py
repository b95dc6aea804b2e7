"""A dataset is coded by an aggregator: checked, paid in two parts, and paid for nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from quire.aggregation.order import At
from quire.base.errors import BadConfig, InputError, Refused, UnknownDataset
from quire.dataset.geometry import Geometry
from quire.formats.cid import manifest_cid
from quire.formats.manifest import decode_manifest
from quire.services.ordering.encoding import EncodeTerms
from quire.services.ordering.pushing import Streamed
from support.encoding_nodes import CODER_KEY, PRICE, SECOND_KEY, Town, lying, pieces, town
from support.memory_store import random_bytes

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


def test_the_manifest_of_a_receipt_is_what_the_purchase_names(tmp_path: Path) -> None:
    async def main(it: Town) -> None:
        encoded = await it.encoding.encode(await it.dataset(SIZE), TERMS)
        dataset = await it.client.node.store.dataset(encoded)
        assert dataset is not None
        assert manifest_cid(dataset.manifest_bytes) == encoded
        assert decode_manifest(dataset.manifest_bytes).is_verifiable

    in_town(tmp_path, main)
