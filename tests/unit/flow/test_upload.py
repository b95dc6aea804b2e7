"""A stream becomes a dataset or leaves nothing."""

import asyncio

import pytest

from quire.base.errors import Busy, InputError, QuotaExceeded
from quire.flow.upload import UploadOrder, Uploads
from support.fakes import FakeStore, make_dataset, make_ground


async def pieces(*parts: bytes):
    for part in parts:
        yield part


def make(quota: int = 1 << 20):
    clock, events = make_ground()
    store = FakeStore(quota)
    return Uploads(store, events, clock), store, events


async def test_the_pieces_become_the_dataset_of_their_bytes():
    uploads, store, events = make()
    dataset = await uploads.run(pieces(b"ab", b"c"), UploadOrder(65536, filename="a.txt"))
    assert dataset.manifest_cid == make_dataset(b"abc", filename="a.txt")[0].manifest_cid
    assert events.history()[-1].kind == "upload.done"
    assert (len(uploads.active), uploads.finished, uploads.failed) == (0, 1, 0)
    assert await store.datasets() == [dataset]


async def test_a_stream_without_bytes_is_a_dataset_too():
    uploads, store, _ = make()
    dataset = await uploads.run(pieces(), UploadOrder(65536, expected_bytes=0))
    assert dataset.manifest.dataset_size == 0
    assert await store.datasets() == [dataset]


@pytest.mark.parametrize("expected", [0, 2, 4])
async def test_another_length_than_announced_is_refused_and_dropped(expected):
    uploads, store, _ = make()
    with pytest.raises(InputError, match=f"3 of the {expected} bytes"):
        await uploads.run(pieces(b"abc"), UploadOrder(65536, expected_bytes=expected))
    assert store.uploads[0].was_aborted
    assert not await store.datasets()


async def test_a_stream_that_breaks_is_dropped_and_its_error_passed_on():
    async def broken():
        yield b"abc"
        raise InputError("the client went away")

    uploads, store, events = make()
    with pytest.raises(InputError, match="went away"):
        await uploads.run(broken(), UploadOrder(65536))
    assert store.uploads[0].was_aborted
    assert events.history()[-1].kind == "upload.aborted"


async def test_what_does_not_fit_is_refused_before_the_first_piece():
    uploads, store, _ = make(quota=10)
    with pytest.raises(QuotaExceeded):
        await uploads.run(pieces(b"x"), UploadOrder(65536, expected_bytes=11))
    assert store.uploads == []


async def test_a_full_quota_midway_drops_the_upload():
    uploads, store, _ = make(quota=10)
    with pytest.raises(QuotaExceeded):
        await uploads.run(pieces(b"12345", b"678901"), UploadOrder(65536))
    assert store.uploads[0].was_aborted


async def test_a_cancelled_upload_is_dropped():
    uploads, store, _ = make()
    never = asyncio.Event()

    async def waits():
        yield b"abc"
        await never.wait()

    task = asyncio.create_task(uploads.run(waits(), UploadOrder(65536)))
    while not store.uploads or not store.uploads[0].received_bytes:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert store.uploads[0].was_aborted


async def test_draining_waits_for_what_runs_and_refuses_what_comes():
    uploads, _, _ = make()
    go = asyncio.Event()

    async def slow():
        yield b"abc"
        await go.wait()

    running = asyncio.create_task(uploads.run(slow(), UploadOrder(65536)))
    while not uploads.active:
        await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    draining = asyncio.create_task(uploads.drain(loop.time() + 60))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await uploads.run(pieces(b"x"), UploadOrder(65536))
    go.set()
    assert await draining
    assert (await running).manifest.dataset_size == 3


async def test_draining_gives_up_at_its_deadline():
    uploads, _, _ = make()

    async def endless():
        yield b"abc"
        await asyncio.Event().wait()

    running = asyncio.create_task(uploads.run(endless(), UploadOrder(65536)))
    while not uploads.active:
        await asyncio.sleep(0)
    assert not await uploads.drain(0.0)
    running.cancel()
    await asyncio.wait([running])
