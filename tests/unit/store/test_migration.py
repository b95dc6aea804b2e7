"""Stores of older formats are brought to the newest when they are opened, or left as they are."""

import random
import sqlite3
from pathlib import Path

import pytest

from quire.base.clock import SystemClock
from quire.base.errors import StoreCorrupt
from quire.base.events import EventBus
from quire.store import meta, schema
from quire.store.dataset import RetentionRoot
from quire.store.open import open_store
from support.protect_kit import protections
from support.store_kit import BLOCK, Remote, assert_sound, get, put

OLD_TABLES = (Path(__file__).parents[2] / "support" / "store_version_1.sql").read_text("ascii")
COPIED = ("setting", "counter", "pack", "run", "freed", "block", "tree", "page")
CLOCK = SystemClock()
DAY = 86_400.0


async def opened(directory):
    return await open_store(
        directory, quota_bytes=1 << 30, clock=CLOCK, events=EventBus(CLOCK), default_ttl=30 * DAY
    )


def make_old(directory: Path) -> None:
    """Turn the closed store of a directory into one of format 1."""
    path, newer = directory / "meta.sqlite", directory / "newer.sqlite"
    path.rename(newer)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        f"{OLD_TABLES} PRAGMA application_id={schema.APPLICATION_ID}; PRAGMA user_version=1;"
        f"ATTACH '{newer}' AS newer; DELETE FROM counter;"
        + "".join(f"INSERT INTO {table} SELECT * FROM newer.{table};" for table in COPIED)
        + "INSERT INTO dataset SELECT id, cid, manifest, tree, created FROM newer.dataset;"
        "INSERT INTO root SELECT dataset, iif(kind = 'lease', 'pin', kind), name, expires"
        " FROM newer.root;"
    )
    connection.close()
    newer.unlink()


async def old_store(directory):
    """What a node of format 1 left behind: an upload, a partial dataset, one without roots."""
    rng = random.Random(5)
    store = await opened(directory)
    data = rng.randbytes(1500 * BLOCK)
    remote = Remote.of(rng.randbytes(40 * BLOCK))
    uploaded = await put(store, data)
    partial = await store.put_manifest(remote.manifest, RetentionRoot("cache", "fetch", 7.0))
    await remote.give(store, 3, 9)
    rootless = await put(store, b"kept by nothing")
    await store.release(rootless.manifest_cid, "lease", "")
    await store.close()
    make_old(directory)
    return data, uploaded, partial, rootless


async def test_a_store_of_format_1_is_migrated_and_sound(tmp_path):
    data, uploaded, partial, rootless = await old_store(tmp_path)
    store = await opened(tmp_path)
    held = {dataset.manifest_cid: dataset for dataset in await store.datasets()}
    assert await get(store, uploaded) == data
    (root,) = held[uploaded.manifest_cid].roots
    assert (root.kind, root.name) == ("lease", "")
    assert root.expires_at == uploaded.roots[0].expires_at
    assert held[partial.manifest_cid].present_count == 9
    assert held[rootless.manifest_cid].roots == (RetentionRoot("pin", "", None),)
    await assert_sound(store)
    assert await store.collect() == 1  # the fetched one, whose time was over
    await store.retention.name("mine", uploaded.manifest_cid)
    await store.close()
    store = await opened(tmp_path)
    assert len(await store.datasets()) == 2
    await assert_sound(store)
    await store.close()


async def test_a_name_that_two_datasets_had_stays_with_the_newer(tmp_path):
    store = await opened(tmp_path)
    first, second = await put(store, b"first"), await put(store, b"second")
    await store.close()
    make_old(tmp_path)
    connection = sqlite3.connect(tmp_path / "meta.sqlite")
    with connection:
        connection.execute("INSERT INTO root SELECT id, 'name', 'same', NULL FROM dataset")
    connection.close()
    store = await opened(tmp_path)
    assert await store.retention.named("same") == second.manifest_cid
    assert len((await store.dataset(first.manifest_cid)).roots) == 1
    await store.close()


@pytest.mark.parametrize("statements", range(1, 10))
async def test_a_migration_that_breaks_off_leaves_the_old_store(tmp_path, monkeypatch, statements):
    """Whatever number of its statements were executed, the next start begins from format 1."""
    data, uploaded, *_ = await old_store(tmp_path)
    whole = [line for line in schema.STEPS[1].split(";\n") if line.strip()]
    broken = ";\n".join(whole[:statements]) + "; SELECT no_such_function();"
    with monkeypatch.context() as patch:
        patch.setattr(meta, "STEPS", {1: broken})
        with pytest.raises(StoreCorrupt):
            await opened(tmp_path)
    connection = sqlite3.connect(tmp_path / "meta.sqlite")
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert connection.execute("PRAGMA table_info(dataset)").fetchall()[-1][1] == "created"
    connection.close()
    store = await opened(tmp_path)
    assert await get(store, uploaded) == data
    await assert_sound(store)
    await store.close()


async def test_a_process_killed_in_the_middle_of_a_migration_leaves_the_old_store(tmp_path):
    """The journal of a writer that died before its commit is not replayed."""
    data, uploaded, *_ = await old_store(tmp_path)
    writer = sqlite3.connect(tmp_path / "meta.sqlite", isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("PRAGMA cache_size=1")  # so that changed pages spill into the journal
    writer.execute("BEGIN IMMEDIATE")
    for statement in schema.STEPS[1].split(";\n")[:-1]:
        writer.execute(statement)
    for suffix in ("", "-wal"):
        path = tmp_path / f"meta.sqlite{suffix}"
        (tmp_path / f"dead{suffix}").write_bytes(path.read_bytes())
    writer.close()
    for suffix in ("", "-wal"):
        (tmp_path / f"dead{suffix}").rename(tmp_path / f"meta.sqlite{suffix}")
    store = await opened(tmp_path)
    assert await get(store, uploaded) == data
    await assert_sound(store)
    await store.close()


async def test_a_store_of_format_2_learns_to_protect(tmp_path):
    store = await opened(tmp_path)
    data = random.Random(6).randbytes(30 * BLOCK)
    source = await put(store, data)
    await store.close()
    connection = sqlite3.connect(tmp_path / "meta.sqlite", isolation_level=None)
    connection.executescript("DROP TABLE protection; DROP TABLE slot_digest;")
    connection.execute("PRAGMA user_version=2")
    connection.close()
    store = await opened(tmp_path)
    jobs = protections(store)
    result = await jobs.wait(await jobs.start(source.manifest_cid, 4, 2))
    assert await get(store, result) == data
    await assert_sound(store)
    await store.close()
