"""Honest nodes: what one has, another gets, from as many as have it."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib

import pytest

from quire.base.errors import (
    BadCid,
    DeadlineExceeded,
    InputError,
    QuotaExceeded,
    UnknownDataset,
)
from quire.base.ranges import RangeSet
from quire.formats.cid import block_cid, manifest_cid
from quire.net.exchange.limits import ExchangeLimits
from quire.net.memory_channel import SteadyLink
from support.exchange_nodes import QUICK, fetch_all, soon, until, world
from support.memory_store import random_bytes
from support.networks import make_network

MIB = 1 << 20


async def test_a_manifest_is_fetched_from_a_connected_peer_and_registered() -> None:
    async with world() as w:
        seed, host = await w.node("seed"), await w.node("host")
        dataset = seed.store.add(random_bytes(300_000))
        await w.connect(host, seed)
        got = await host.exchange.fetch_manifest(dataset.manifest_cid, soon())
        assert got.manifest == dataset.manifest
        assert host.store.tree(dataset.tree_root) is not None
        w.network.drop(host.peer, seed.peer)
        again = await host.exchange.fetch_manifest(dataset.manifest_cid, soon())
        assert again.manifest_cid == dataset.manifest_cid


async def test_a_manifest_is_found_through_provider_records() -> None:
    async with world() as w:
        seed, host, third = await w.node("seed"), await w.node("host"), await w.node("third")
        dataset = seed.store.add(random_bytes(1000))
        await w.connect(seed, third)
        await w.connect(host, third)
        assert await seed.transport.provide(dataset.manifest_cid.encode(), soon()) == 2
        got = await host.exchange.fetch_manifest(dataset.manifest_cid, soon())
        assert got.manifest == dataset.manifest
        assert seed.peer in [c.peer for c in host.transport.connections()]


async def test_a_block_is_fetched_by_its_cid() -> None:
    async with world() as w:
        seed, host = await w.node("seed"), await w.node("host")
        data = random_bytes(4096)
        cid = block_cid(hashlib.sha256(data).digest())
        seed.store.add_block(cid, data)
        await w.connect(host, seed)
        assert await host.exchange.fetch_block(cid, soon()) == data


async def test_a_cid_that_names_no_manifest_is_refused_at_once() -> None:
    async with world() as w:
        node = await w.node("a")
        with pytest.raises(BadCid):
            await node.exchange.fetch_manifest(block_cid(bytes(32)), soon())


async def test_an_unknown_cid_is_answered_at_the_deadline_with_what_was_tried() -> None:
    async with world() as w:
        one, other = await w.node("a", QUICK), await w.node("b")
        await w.connect(one, other)
        asking = asyncio.ensure_future(
            one.exchange.fetch_manifest(manifest_cid(b"unknown"), soon(0.3))
        )
        await until(lambda: bool(one.waits.of()))
        assert "looking for it" in str(one.waits.of())
        with pytest.raises(UnknownDataset, match="peer-b: answers NOT_HAVE"):
            await asking
        assert one.waits.of() == []


async def test_an_unknown_cid_without_peers_is_answered_at_the_deadline() -> None:
    async with world() as w:
        node = await w.node("a", QUICK)
        with pytest.raises(UnknownDataset, match="no connected peer"):
            await node.exchange.fetch_manifest(manifest_cid(b"unknown"), soon(0.1))


@pytest.mark.parametrize("size", [1, 65536, 65537, 10 * MIB + 17])
async def test_a_dataset_of_any_size_is_fetched_from_one_peer(size: int) -> None:
    async with world() as w:
        seed, host = await w.node("seed"), await w.node("host")
        data = random_bytes(size)
        dataset = seed.store.add(data)
        await w.connect(host, seed)
        await fetch_all(host, dataset.manifest_cid, data)
        assert host.exchange.ledger.of(seed.peer).wasted_bytes == 0
        assert host.exchange.status()["bytesInFlight"] == 0
        assert "fetch.completed" in host.kinds()


async def test_all_of_three_peers_contribute_and_nothing_is_fetched_twice() -> None:
    network = make_network(lambda sender, receiver: SteadyLink(0.001, 40e6))
    async with world(network) as w:
        host = await w.node("host")
        data = random_bytes(16 * MIB)
        for name in ("a", "b", "c"):
            seed = await w.node(name)
            dataset = seed.store.add(data)
            await w.connect(host, seed)
        await fetch_all(host, dataset.manifest_cid, data)
        received = {n.peer: host.exchange.ledger.of(n.peer).received_bytes for n in w.nodes[1:]}
        assert min(received.values()) > 2 * MIB
        assert 16 * MIB <= sum(received.values()) < 16 * MIB + 4096
        assert sum(count for _, count in host.store.put_ranges) == 256


async def test_partial_holders_give_what_they_have() -> None:
    async with world() as w:
        host, one, other = await w.node("host"), await w.node("a"), await w.node("b")
        data = random_bytes(8 * MIB)
        dataset = one.store.add(data, present=RangeSet([(0, 50), (100, 101)]))
        other.store.add(data, present=RangeSet([(50, 100), (101, 128)]))
        await w.connect(host, one, other)
        await fetch_all(host, dataset.manifest_cid, data)
        received = host.exchange.ledger.of(one.peer).received_bytes
        assert received - received % 65536 == 51 * 65536  # and perhaps the manifest


async def test_a_partial_holder_tells_when_it_has_more() -> None:
    async with world() as w:
        host, seed = await w.node("host", QUICK), await w.node("seed", QUICK)
        data = random_bytes(4 * MIB)
        dataset = seed.store.add(data, present=RangeSet([(0, 10)]))
        await w.connect(host, seed)
        got = await host.exchange.fetch_manifest(dataset.manifest_cid, soon())
        job = host.exchange.fetch(got)
        await until(lambda: job.progress().verified_bytes == 10 * 65536)
        await until(lambda: "nobody known has 54 blocks" in job.progress().reason)
        seed.store.hold(dataset.tree_root, 10, 64)
        await job.wait(soon())
        assert host.store.content(got) == data


async def test_a_peer_that_dies_midway_is_replaced() -> None:
    network = make_network(lambda sender, receiver: SteadyLink(0.0005, 60e6))
    async with world(network) as w:
        host, one, other = await w.node("host", QUICK), await w.node("a"), await w.node("b")
        data = random_bytes(12 * MIB)
        dataset = one.store.add(data)
        other.store.add(data)
        await w.connect(host, one, other)
        got = await host.exchange.fetch_manifest(dataset.manifest_cid, soon())
        job = host.exchange.fetch(got)
        await until(lambda: job.progress().peers.get(one.peer, 0) > MIB)
        network.crash(one.peer)
        await job.wait(soon(20))
        assert host.store.content(got) == data


async def test_the_only_peer_dies_and_returns() -> None:
    network = make_network(lambda sender, receiver: SteadyLink(0.0005, 60e6))
    async with world(network) as w:
        host, seed = await w.node("host", QUICK), await w.node("seed")
        data = random_bytes(8 * MIB)
        dataset = seed.store.add(data)
        await w.connect(host, seed)
        got = await host.exchange.fetch_manifest(dataset.manifest_cid, soon())
        job = host.exchange.fetch(got)
        await until(lambda: job.progress().verified_bytes > MIB)
        network.drop(host.peer, seed.peer)
        await until(lambda: not host.transport.connections())
        await w.connect(host, seed)
        await job.wait(soon(20))
        assert host.store.content(got) == data


async def test_a_job_whose_peers_vanish_ends_at_its_deadline_with_the_reason() -> None:
    async with world() as w:
        host, seed = await w.node("host", QUICK), await w.node("seed")
        dataset = seed.store.add(random_bytes(4 * MIB), present=RangeSet([(0, 8)]))
        await w.connect(host, seed)
        got = await host.exchange.fetch_manifest(dataset.manifest_cid, soon())
        job = host.exchange.fetch(got)
        await until(lambda: job.progress().verified_bytes == 8 * 65536)
        w.network.crash(seed.peer)
        waiting = asyncio.ensure_future(job.wait(soon(0.6)))
        await until(lambda: "crashed" in str(host.waits.of(str(dataset.manifest_cid))))
        with pytest.raises(DeadlineExceeded, match=r"56 blocks .* are missing; nobody known has"):
            await waiting


async def test_a_slow_peer_does_not_hold_up_the_end() -> None:
    network = make_network(
        lambda sender, receiver: SteadyLink(0.001, 1e5 if sender == "peer-slow" else 100e6)
    )
    async with world(network) as w:
        host, slow, fast = await w.node("host"), await w.node("slow"), await w.node("fast")
        data = random_bytes(8 * MIB)
        dataset = slow.store.add(data)
        fast.store.add(data)
        await w.connect(host, slow, fast)
        await fetch_all(host, dataset.manifest_cid, data)
        assert host.exchange.ledger.of(fast.peer).received_bytes > 7 * MIB


async def test_blocks_that_a_reader_waits_for_come_first() -> None:
    network = make_network(lambda sender, receiver: SteadyLink(0.001, 30e6))
    async with world(network) as w:
        host, seed = await w.node("host"), await w.node("seed")
        data = random_bytes(16 * MIB)
        dataset = seed.store.add(data)
        await w.connect(host, seed)
        got = await host.exchange.fetch_manifest(dataset.manifest_cid, soon())
        job = host.exchange.fetch(got)
        await until(lambda: job.progress().verified_bytes > 0)
        await host.exchange.ensure(got, 200, 20, soon())
        tree = host.store.tree(dataset.tree_root)
        assert tree is not None
        assert tree.present.covers(200, 220)
        assert job.progress().verified_bytes < 12 * MIB
        job.cancel()


async def test_a_reader_alone_fetches_no_more_than_it_asked_for() -> None:
    async with world() as w:
        host, seed = await w.node("host"), await w.node("seed")
        dataset = seed.store.add(random_bytes(16 * MIB))
        await w.connect(host, seed)
        got = await host.exchange.fetch_manifest(dataset.manifest_cid, soon())
        for start in (0, 40, 100):
            await host.exchange.ensure(got, start, 20, soon())
        assert sum(count for _, count in host.store.put_ranges) == 60
        asked = [start for start, _ in seed.store.reads]
        assert asked == sorted(asked)


async def test_what_is_here_needs_no_peer() -> None:
    async with world() as w:
        node = await w.node("a")
        dataset = node.store.add(random_bytes(100_000))
        await node.exchange.ensure(dataset, 0, 2, soon())
        await node.exchange.ensure(dataset, 1, 0, soon())
        job = node.exchange.fetch(dataset)
        await job.wait(soon())
        assert job.progress().eta_seconds == 0.0


@pytest.mark.parametrize(("start", "count"), [(-1, 1), (0, 3), (2, 1), (0, -1)])
async def test_a_range_outside_the_dataset_is_an_input_error(start: int, count: int) -> None:
    async with world() as w:
        node = await w.node("a")
        dataset = node.store.add(random_bytes(100_000))
        with pytest.raises(InputError):
            await node.exchange.ensure(dataset, start, count, soon())


async def test_two_consumers_share_one_fetch_and_one_may_leave() -> None:
    network = make_network(lambda sender, receiver: SteadyLink(0.001, 60e6))
    async with world(network) as w:
        host, seed = await w.node("host"), await w.node("seed")
        data = random_bytes(8 * MIB)
        dataset = seed.store.add(data)
        await w.connect(host, seed)
        got = await host.exchange.fetch_manifest(dataset.manifest_cid, soon())
        first, second = host.exchange.fetch(got), host.exchange.fetch(got)
        reading = asyncio.ensure_future(host.exchange.ensure(got, 100, 28, soon()))
        await until(lambda: second.progress().verified_bytes > 0)
        first.cancel()
        first.cancel()
        reading.cancel()
        await second.wait(soon())
        assert host.store.content(got) == data
        assert sum(count for _, count in host.store.put_ranges) == 128


async def test_cancelling_the_last_consumer_cancels_the_requests() -> None:
    network = make_network(lambda sender, receiver: SteadyLink(0.001, 5e6))
    async with world(network) as w:
        host, seed = await w.node("host"), await w.node("seed")
        dataset = seed.store.add(random_bytes(32 * MIB))
        await w.connect(host, seed)
        got = await host.exchange.fetch_manifest(dataset.manifest_cid, soon())
        job = host.exchange.fetch(got)
        await until(lambda: job.progress().verified_bytes > 0)
        job.cancel()
        await until(lambda: host.exchange.status()["bytesInFlight"] == 0)
        await until(lambda: not seed.exchange.status()["serving"][0]["queuedRequests"])  # type: ignore[index]
        assert len(seed.store.reads) < 16


async def test_a_full_store_fails_the_job_with_its_own_error() -> None:
    async with world() as w:
        host, seed = await w.node("host"), await w.node("seed")
        dataset = seed.store.add(random_bytes(4 * MIB))
        await w.connect(host, seed)
        got = await host.exchange.fetch_manifest(dataset.manifest_cid, soon())
        host.store.put_problem = QuotaExceeded("the quota is used up")
        with pytest.raises(QuotaExceeded):
            await host.exchange.fetch(got).wait(soon())
        host.store.put_problem = None
        await host.exchange.fetch(got).wait(soon())


async def test_a_slow_store_bounds_what_is_in_flight() -> None:
    limits = dataclasses.replace(ExchangeLimits(), bytes_in_flight=3 * MIB)
    async with world() as w:
        host, seed = await w.node("host", limits), await w.node("seed")
        data = random_bytes(24 * MIB)
        dataset = seed.store.add(data)
        await w.connect(host, seed)
        got = await host.exchange.fetch_manifest(dataset.manifest_cid, soon())
        host.store.put_seconds = 0.005
        most = 0
        job = host.exchange.fetch(got)
        while not job.is_complete:
            most = max(most, int(str(host.exchange.status()["bytesInFlight"])))
            await asyncio.sleep(0.001)
        assert MIB < most <= 3 * MIB
        assert host.store.content(got) == data


async def test_many_datasets_at_once() -> None:
    async with world() as w:
        host, one, other = await w.node("host"), await w.node("a"), await w.node("b")
        contents = [random_bytes(65536 * (1 + n % 7) - n, seed=n) for n in range(60)]
        cids = [one.store.add(data).manifest_cid for data in contents]
        for data in contents:
            other.store.add(data)
        await w.connect(host, one, other)
        await asyncio.gather(
            *(fetch_all(host, cid, data) for cid, data in zip(cids, contents, strict=True))
        )
        status = host.exchange.status()
        assert (status["fetches"], status["searches"], status["bytesInFlight"]) == ([], [], 0)


async def test_blocks_that_the_store_loses_are_fetched_again() -> None:
    async with world() as w:
        host, seed = await w.node("host"), await w.node("seed")
        dataset = seed.store.add(random_bytes(4 * MIB))
        await w.connect(host, seed)
        got = await host.exchange.fetch_manifest(dataset.manifest_cid, soon())
        await host.exchange.ensure(got, 0, 20, soon())
        host.store.lose(dataset.tree_root, 5, 9)
        await host.exchange.ensure(got, 0, 20, soon())
        tree = host.store.tree(dataset.tree_root)
        assert tree is not None
        assert tree.present.covers(0, 20)
