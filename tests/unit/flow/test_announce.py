"""The network is told what the store holds, and no longer what is gone."""

import random

from quire.base.ranges import RangeSet
from quire.flow.announce import Announcing
from quire.net.discovery import Announcer
from support.fakes import FakeStore, make_dataset, make_ground
from support.networks import make_network, make_transport


async def started(store):
    clock, events = make_ground()
    transport = make_transport(make_network(), "one")
    announcer = Announcer(transport, clock, random.Random(1), events)
    announcing = Announcing(store, announcer)
    await announcing.start()
    return announcing, announcer


def told(announcer):
    return {str(item.cid) for item in announcer.status().items}


def both(dataset):
    return {str(dataset.manifest_cid), str(dataset.manifest.tree_cid)}


async def test_a_start_announces_what_the_store_holds():
    store = FakeStore()
    dataset, blocks = make_dataset(b"whole")
    store.add(dataset, blocks)
    _, announcer = await started(store)
    assert told(announcer) == both(dataset)
    await announcer.stop()


async def test_what_comes_later_is_announced_too_and_what_goes_is_withdrawn():
    store = FakeStore()
    _, announcer = await started(store)
    dataset, blocks = make_dataset(b"whole")
    store.add(dataset, blocks)
    assert told(announcer) == both(dataset)
    await store.delete(dataset.manifest_cid)
    assert str(dataset.manifest_cid) not in told(announcer)
    await announcer.stop()


async def test_a_tree_without_blocks_is_not_announced():
    store = FakeStore()
    dataset, blocks = make_dataset(bytes(range(256)) * 1024)
    store.add(dataset, blocks, RangeSet())
    _, announcer = await started(store)
    assert told(announcer) == {str(dataset.manifest_cid)}
    await announcer.stop()


async def test_after_stop_the_store_is_not_followed():
    store = FakeStore()
    announcing, announcer = await started(store)
    announcing.stop()
    announcing.stop()
    store.add(*make_dataset(b"abc"))
    assert told(announcer) == set()
    await announcer.stop()
