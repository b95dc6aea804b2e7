"""The network is told what is complete, and no longer what is gone."""

from support.fakes import FakeAnnouncer, FakeStore, make_dataset

from quire.base.ranges import RangeSet
from quire.flow.announce import Announcing


async def started(store):
    announcer = FakeAnnouncer()
    announcing = Announcing(store, announcer)
    await announcing.start()
    return announcing, announcer


def both(word, dataset):
    return [(word, str(dataset.manifest_cid)), (word, str(dataset.manifest.tree_cid))]


async def test_a_start_announces_what_the_store_holds_complete_and_nothing_else():
    store = FakeStore()
    whole, blocks = make_dataset(b"whole")
    store.add(whole, blocks)
    part, blocks = make_dataset(bytes(range(256)) * 1024)
    store.add(part, blocks, RangeSet([(0, 1)]))
    _, announcer = await started(store)
    assert announcer.calls == both("announce", whole)


async def test_a_dataset_is_announced_once_when_its_last_block_arrives():
    store = FakeStore()
    _, announcer = await started(store)
    dataset, blocks = make_dataset(bytes(range(256)) * 1024)
    store.add(dataset, blocks, RangeSet([(0, 1)]))
    assert announcer.calls == []
    store.arrive(dataset.tree_root, 1, 3)
    store.arrive(dataset.tree_root, 0, 4)
    assert announcer.calls == both("announce", dataset)


async def test_a_deleted_dataset_is_withdrawn():
    store = FakeStore()
    dataset, blocks = make_dataset(b"abc")
    store.add(dataset, blocks)
    _, announcer = await started(store)
    await store.delete(dataset.manifest_cid)
    assert announcer.calls[2:] == both("withdraw", dataset)


async def test_a_tree_stays_announced_while_another_dataset_has_it():
    store = FakeStore()
    one, blocks = make_dataset(b"abc", filename="one")
    two, _ = make_dataset(b"abc", filename="two")
    store.add(one, blocks)
    store.add(two, blocks)
    _, announcer = await started(store)
    del announcer.calls[:]
    await store.delete(one.manifest_cid)
    assert announcer.calls == [("withdraw", str(one.manifest_cid))]
    await store.delete(two.manifest_cid)
    assert announcer.calls[1:] == both("withdraw", two)


async def test_a_partial_dataset_that_is_deleted_was_never_announced():
    store = FakeStore()
    _, announcer = await started(store)
    dataset, blocks = make_dataset(bytes(range(256)) * 1024)
    store.add(dataset, blocks, RangeSet())
    await store.delete(dataset.manifest_cid)
    assert announcer.calls == []


async def test_after_stop_the_store_is_not_followed():
    store = FakeStore()
    announcing, announcer = await started(store)
    announcing.stop()
    announcing.stop()
    store.add(*make_dataset(b"abc"))
    assert announcer.calls == []
