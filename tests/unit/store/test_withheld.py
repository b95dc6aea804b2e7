"""Sealed replicas are kept from the exchange, and nobody is told of them."""

import random

from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.base.rng import seeded_rng
from quire.net.discovery import Announcer
from quire.store.dataset import RetentionRoot
from support.networks import make_network, make_transport
from support.store_kit import BLOCK, Remote, put, store_in

RNG = random.Random(3)
LINK = RetentionRoot("replica", "11" * 16, None)


async def keep(store, remote: Remote):
    dataset = await store.put_manifest(remote.manifest, LINK)
    await store.put_leaves(remote.root, remote.digests)
    await store.put_block_range(remote.root, 0, remote.data)
    await store.flush()
    return dataset


async def test_a_replica_is_withheld_also_after_a_restart_and_until_it_is_gone(tmp_path):
    remote = Remote.of(RNG.randbytes(3 * BLOCK))
    async with store_in(tmp_path) as store:
        dataset = await keep(store, remote)
        assert dataset.is_replica
        assert store.tree(remote.root).is_withheld
    async with store_in(tmp_path) as store:
        assert store.tree(remote.root).is_withheld
        assert await store.read_range(remote.root, 0, 3) == remote.data
        await store.release(dataset.manifest_cid, "replica", LINK.name)
        await store.collect()
        assert store.tree(remote.root) is None
        await put(store, remote.data)
        assert not store.tree(remote.root).is_withheld


async def test_replicas_that_cost_nothing_to_read_are_served(tmp_path):
    remote = Remote.of(RNG.randbytes(BLOCK))
    async with store_in(tmp_path) as store:
        await keep(store, remote)
        store.withhold_replicas(False)
        assert not store.tree(remote.root).is_withheld


async def test_what_is_public_stays_public_when_somebody_has_it_kept_as_a_replica(tmp_path):
    data = RNG.randbytes(2 * BLOCK)
    async with store_in(tmp_path) as store:
        dataset = await put(store, data, filename="public.txt")
        await keep(store, Remote.of(data))
        assert not store.tree(dataset.tree_root).is_withheld
        assert [held.manifest_cid for held in await store.holdings()] == [dataset.manifest_cid]
    async with store_in(tmp_path) as store:
        assert not store.tree(dataset.tree_root).is_withheld


async def test_nobody_is_told_of_a_replica(tmp_path):
    clock = SystemClock()
    announcer = Announcer(
        make_transport(make_network(), "a"), clock, seeded_rng(1), EventBus(clock)
    )
    async with store_in(tmp_path) as store:
        unlisten = announcer.follow(store)
        replica = await keep(store, Remote.of(RNG.randbytes(BLOCK)))
        public = await put(store, RNG.randbytes(BLOCK))
        unlisten()
        told = [item.cid for item in announcer.status().items]
        assert public.manifest_cid in told
        assert replica.manifest_cid not in told
        assert replica.manifest.tree_cid not in told
        assert [held.manifest_cid for held in await store.holdings()] == [public.manifest_cid]


async def test_room_for_hosts_and_for_replicas_is_kept_apart(tmp_path):
    async with store_in(tmp_path, quota_bytes=100 * BLOCK) as store:
        store.offer(10 * BLOCK)
        store.offer(20 * BLOCK, "replicas")
        assert store.space().quota_reserved_bytes == 30 * BLOCK
        store.offer(5 * BLOCK)
        assert store.space().quota_reserved_bytes == 25 * BLOCK
