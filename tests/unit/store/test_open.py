"""Opening a data directory: locks, permissions, damage, versions, and crashes."""

import asyncio
import random
import sqlite3
import stat

import pytest

from quire.base.clock import SystemClock
from quire.base.errors import EnvironmentProblem, StoreCorrupt, StoreLocked
from quire.base.events import EventBus
from quire.store.files import DirectoryDisk
from quire.store.meta import Meta
from quire.store.open import open_store
from quire.store.store import Store
from support.store_kit import BLOCK, PIN, Inline, Remote, TurnedClock, assert_sound, get, put

RNG = random.Random(11)
CLOCK = SystemClock()


async def crash(meta):
    """Nothing of the store that uses this is done any more."""
    meta.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def opened(directory, events=None):
    events = events or EventBus(CLOCK)
    return await open_store(
        directory, quota_bytes=1 << 30, clock=CLOCK, events=events, default_ttl=None
    )


async def test_a_directory_is_made_and_kept_private(tmp_path):
    directory = tmp_path / "a" / "b"
    store = await opened(directory)
    await store.close()
    directory.chmod(0o755)
    store = await opened(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "packs").stat().st_mode) == 0o700
    await store.close()


async def test_a_second_opening_is_refused_until_the_first_is_closed(tmp_path):
    store = await opened(tmp_path)
    with pytest.raises(StoreLocked, match="in use"):
        await opened(tmp_path)
    await put(store, b"still works")
    await store.close()
    await (await opened(tmp_path)).close()


async def test_a_path_that_is_a_file_is_refused_in_words(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EnvironmentProblem, match="cannot be used"):
        await opened(tmp_path / "file")


@pytest.mark.parametrize("damage", ["noise", "middle", "foreign", "text"])
async def test_a_damaged_database_is_refused_with_advice(tmp_path, damage):
    store = await opened(tmp_path)
    for number in range(30):
        await put(store, RNG.randbytes(20 * BLOCK) + bytes([number]))
    await store.close()
    path = tmp_path / "meta.sqlite"
    data = bytearray(path.read_bytes())
    if damage == "noise":
        data[:4096] = RNG.randbytes(4096)
    elif damage == "middle":
        for at in range(8192, len(data), 8192):
            data[at : at + 64] = RNG.randbytes(64)
    elif damage == "text":
        data = bytearray(b"this is not a database" * 1000)
    path.write_bytes(data)
    if damage == "foreign":
        path.unlink()
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE other (x)")
        connection.close()
    with pytest.raises(StoreCorrupt, match=r"meta\.sqlite"):
        await opened(tmp_path)
    with pytest.raises(StoreCorrupt):
        await opened(tmp_path)  # the lock was given back


async def test_a_store_of_a_newer_format_is_refused(tmp_path):
    await (await opened(tmp_path)).close()
    with sqlite3.connect(tmp_path / "meta.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreCorrupt, match="newer version of Quire"):
        await opened(tmp_path)


async def test_a_store_that_was_closed_in_good_order_recovers_nothing(tmp_path):
    events = EventBus(CLOCK)
    store = await opened(tmp_path, events)
    await put(store, b"bytes")
    await store.close()
    await (await opened(tmp_path, events)).close()
    assert not [each for each in events.history() if each.kind == "store.recovered"]


async def test_a_world_in_memory_survives_a_crash_as_its_last_commit(tmp_path):
    """What the simulator does: snapshots at each commit, a store opened from the last one."""
    snapshots = []

    def connect():
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        if snapshots:
            connection.deserialize(snapshots[-1])
        return connection

    clock, events = TurnedClock(), EventBus(TurnedClock())
    data = RNG.randbytes(700 * BLOCK)
    remote = Remote.of(RNG.randbytes(300 * BLOCK))

    async def start():
        meta = Meta(connect, on_commit=lambda connection: snapshots.append(connection.serialize()))
        store = await Store.open(
            DirectoryDisk(tmp_path),
            meta,
            quota_bytes=1 << 30,
            clock=clock,
            events=events,
            default_ttl=None,
            pack_bytes_max=1 << 20,
            ballast_bytes=0,
            executor=Inline(),
        )
        return store, meta

    store, meta = await start()
    dataset = await put(store, data)
    partial = await store.put_manifest(remote.manifest, PIN)
    await remote.give(store, 0, 100)
    await store.flush()
    kept = len(snapshots)
    lost = store.begin_upload(block_size=BLOCK)
    await lost.write(RNG.randbytes(3000 * BLOCK))
    await remote.give(store, 100, 100)
    del snapshots[kept + 1 :]
    await crash(meta)

    store, _ = await start()
    assert [each.kind for each in events.history()][-1] == "store.recovered"
    assert await get(store, dataset) == data
    assert list(store.tree(remote.root).present) == [(0, 100)]
    assert not (await store.dataset(partial.manifest_cid)).is_complete
    await assert_sound(store)
    await store.close()
