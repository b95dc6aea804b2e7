"""Resumable uploads by tus 1.0: every header and status of the protocol, on a live node."""

import asyncio
import json
import random

import pytest

from support.http import send
from support.live import live_node, make_node, serving
from support.tus import (
    BYTES,
    TUS,
    UPLOADS,
    begun,
    checksum,
    create,
    head,
    metadata,
    offset_of,
    patch,
)

RNG = random.Random(11)
BLOCK = 65_536


@pytest.fixture
async def live(tmp_path):
    async with live_node(tmp_path / "n", storage_quota="32m") as (node, url):
        yield node, url


async def stored(url, cid):
    reply = await send(url, "GET", f"/api/quire/v1/data/{cid}")
    assert reply.status == 200
    return reply.body


async def same_by_post(url, data, **headers):
    """The CID of the same bytes uploaded in one go."""
    named = {"Content-Type": "application/octet-stream"} | headers
    reply = await send(url, "POST", "/api/quire/v1/data", named, data)
    assert reply.status == 200
    return reply.text


async def test_options_tell_what_is_supported(live):
    node, url = live
    for path in (UPLOADS, f"{UPLOADS}/whatever"):
        reply = await send(url, "OPTIONS", path)
        assert reply.status == 204
        assert reply.headers["tus-version"] == "1.0.0"
        assert reply.headers["tus-resumable"] == "1.0.0"
        assert reply.headers["tus-checksum-algorithm"] == "sha1,sha256"
        assert set(reply.headers["tus-extension"].split(",")) == {
            "creation", "creation-with-upload", "creation-defer-length", "expiration", "checksum",
            "termination",
        }  # fmt: skip
        assert int(reply.headers["tus-max-size"]) == (32 * 1024 * 1024 - 512) // BLOCK * BLOCK
        assert node.resumable.max_bytes(BLOCK) == int(reply.headers["tus-max-size"])


async def test_an_upload_in_parts_is_the_same_dataset_as_in_one_go(live):
    _, url = live
    data = RNG.randbytes(5 * BLOCK + 777)
    path = await begun(
        url, len(data), Upload_Metadata=metadata(filename="a.bin", filetype="image/png")
    )
    at = 0
    for size in (1, BLOCK, 3, BLOCK - 4, 2 * BLOCK, len(data)):
        part = data[at : at + size]
        reply = await patch(url, path, at, part)
        assert reply.status == 204
        at += len(part)
        assert reply.headers["upload-offset"] == str(at)
        assert "upload-expires" in reply.headers
        assert reply.headers["tus-resumable"] == "1.0.0"
        assert ("quire-cid" in reply.headers) == (at == len(data))
        assert await offset_of(url, path) == at
    cid = reply.headers["quire-cid"]
    assert await stored(url, cid) == data
    names = {"Content-Type": "image/png", "Content-Disposition": 'attachment; filename="a.bin"'}
    assert await same_by_post(url, data, **names) == cid
    after = await head(url, path)
    assert after.headers["quire-cid"] == cid
    assert after.headers["upload-length"] == str(len(data))
    assert after.headers["upload-metadata"] == metadata(filename="a.bin", filetype="image/png")


async def test_bytes_may_come_with_the_creation(live):
    _, url = live
    data = RNG.randbytes(100_000)
    first = await create(url, len(data), data[:70_000])
    assert first.status == 201
    assert first.headers["upload-offset"] == "70000"
    last = await patch(url, first.headers["location"], 70_000, data[70_000:])
    assert await stored(url, last.headers["quire-cid"]) == data
    whole = await create(url, len(data), data)
    assert whole.headers["quire-cid"] == last.headers["quire-cid"]


async def test_the_length_may_come_later(live):
    _, url = live
    data = RNG.randbytes(200_000)
    path = await begun(url, None)
    reply = await head(url, path)
    assert reply.headers["upload-defer-length"] == "1"
    assert "upload-length" not in reply.headers
    assert (await patch(url, path, 0, data[:150_000])).status == 204
    done = await patch(url, path, 150_000, data[150_000:], Upload_Length=str(len(data)))
    assert done.status == 204
    assert await stored(url, done.headers["quire-cid"]) == data
    late = await begun(url, None)
    await patch(url, late, 0, data)
    done = await patch(url, late, len(data), b"", Upload_Length=str(len(data)))
    assert await stored(url, done.headers["quire-cid"]) == data


async def test_a_length_is_not_changed_and_not_below_what_is_here(live):
    _, url = live
    path = await begun(url, None)
    await patch(url, path, 0, b"x" * 100)
    assert (await patch(url, path, 100, b"", Upload_Length="99")).status == 400
    assert (await patch(url, path, 100, b"", Upload_Length="200")).status == 204
    assert (await patch(url, path, 100, b"", Upload_Length="201")).status == 400
    assert (await head(url, path)).headers["upload-length"] == "200"
    assert (await patch(url, path, 100, b"", Upload_Length="99999999999")).status == 400


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_a_wrong_checksum_is_460_and_nothing_of_the_part_stays(live, algorithm):
    _, url = live
    data = RNG.randbytes(4 * BLOCK)
    path = await begun(url, len(data))
    good = data[: BLOCK + 5]
    reply = await patch(url, path, 0, good, Upload_Checksum=checksum(good, algorithm))
    assert reply.status == 204
    rest = data[BLOCK + 5 :]
    reply = await patch(url, path, BLOCK + 5, rest, Upload_Checksum=checksum(data, algorithm))
    assert reply.status == 460
    assert json.loads(reply.text)["code"] == "checksum-mismatch"
    assert await offset_of(url, path) == BLOCK + 5
    reply = await patch(url, path, BLOCK + 5, rest, Upload_Checksum=checksum(rest, algorithm))
    assert await stored(url, reply.headers["quire-cid"]) == data


@pytest.mark.parametrize(
    "text", ["md5 AAAA", "sha256", "sha256 AAAA", "sha256 ####", "", "SHA256 AAAA"]
)
async def test_a_checksum_that_cannot_be_read_is_400_and_nothing_is_taken(live, text):
    _, url = live
    path = await begun(url, 10)
    assert (await patch(url, path, 0, b"x" * 10, Upload_Checksum=text)).status == 400
    assert await offset_of(url, path) == 0


async def test_the_version_is_checked_before_anything_else(live):
    _, url = live
    path = await begun(url, 10)
    for version in (None, "0.2.2", "1.0.1", ""):
        for method, where in (("POST", UPLOADS), ("PATCH", path), ("HEAD", path), ("DELETE", path)):
            headers = {"Tus-Resumable": version, "Upload-Length": "5", "Upload-Offset": "0"}
            reply = await send(url, method, where, headers | {"Content-Type": BYTES})
            assert reply.status == 412
            assert reply.headers["tus-version"] == "1.0.0"
            assert reply.headers["tus-resumable"] == "1.0.0"
    assert await offset_of(url, path) == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload-Length": None}, 400),
        ({"Upload-Length": "-1"}, 400),
        ({"Upload-Length": "1e3"}, 400),
        ({"Upload-Length": "9" * 30}, 400),
        ({"Upload-Length": "10", "Upload-Defer-Length": "1"}, 400),
        ({"Upload-Length": None, "Upload-Defer-Length": "2"}, 400),
        ({"Upload-Length": "33554432"}, 413),
        ({"Upload-Metadata": "filename ####"}, 400),
        ({"Upload-Metadata": "a YQ==,a YQ=="}, 400),
        ({"Upload-Metadata": "a YQ==,,b YQ=="}, 400),
        ({"Upload-Metadata": "k YQ== x"}, 400),
        ({"Upload-Metadata": "k " + "A" * 5000}, 400),
        ({"Upload-Metadata": metadata(filename="a/b")}, 422),
        ({"Upload-Metadata": "filename /w=="}, 422),
        ({"Upload-Metadata": metadata(filetype="nonsense")}, 422),
        ({"Upload-Concat": "partial"}, 400),
    ],
)
async def test_a_bad_creation_is_refused_in_words(live, headers, status):
    node, url = live
    before = node.store.space()
    reply = await send(url, "POST", UPLOADS, TUS | {"Upload-Length": "10"} | headers)
    assert reply.status == status
    assert len(json.loads(reply.text)["message"]) > 10
    assert await node.store.resumables.every() == []
    assert node.store.space() == before


@pytest.mark.parametrize("text", ["", "filename", "is_confidential,filename YS50eHQ=", " "])
async def test_metadata_may_lack_values(live, text):
    _, url = live
    path = await begun(url, 10, Upload_Metadata=text)
    assert (await head(url, path)).headers.get("upload-metadata", "") == text.strip()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload-Offset": "1"}, 409),
        ({"Upload-Offset": "-1"}, 400),
        ({"Upload-Offset": None}, 400),
        ({"Content-Type": "application/octet-stream"}, 415),
        ({"Content-Type": None}, 415),
    ],
)
async def test_a_bad_patch_changes_nothing(live, headers, status):
    _, url = live
    path = await begun(url, 10)
    given = {**TUS, "Upload-Offset": "0", "Content-Type": BYTES} | headers
    assert (await send(url, "PATCH", path, given, b"12345")).status == status
    assert await offset_of(url, path) == 0


async def test_more_than_the_length_is_413_before_the_body(live):
    _, url = live
    path = await begun(url, 10)
    assert (await patch(url, path, 0, b"x" * 11)).status == 413
    given = {**TUS, "Upload-Offset": "0", "Content-Type": BYTES, "Transfer-Encoding": "chunked"}
    chunked = b"b\r\n" + b"x" * 11 + b"\r\n0\r\n\r\n"
    reply = await send(url, "PATCH", path, given | {"Content-Length": None}, chunked)
    assert reply.status == 413
    assert await offset_of(url, path) == 0
    assert (await create(url, 5, b"x" * 6)).status == 413


async def test_an_upload_that_was_removed_is_gone_and_an_unknown_one_not_found(live):
    node, url = live
    before = node.store.space()
    path = await begun(url, 5_000_000)
    await patch(url, path, 0, RNG.randbytes(3 * BLOCK + 5))
    reply = await send(url, "DELETE", path, dict(TUS))
    assert reply.status == 204
    assert reply.headers["tus-resumable"] == "1.0.0"
    for method in ("HEAD", "PATCH", "DELETE"):
        headers = {**TUS, "Upload-Offset": "0", "Content-Type": BYTES}
        assert (await send(url, method, path, headers)).status == 410
        reply = await send(url, method, f"{UPLOADS}/unknown", headers)
        assert reply.status == 404
        assert "upload-offset" not in reply.headers
    await node.store.reclaimed()
    assert node.store.space() == before


async def test_removing_a_complete_upload_leaves_its_dataset(live):
    _, url = live
    done = await create(url, 5, b"hello")
    await send(url, "DELETE", done.headers["location"], dict(TUS))
    assert await stored(url, done.headers["quire-cid"]) == b"hello"


async def test_an_override_stands_above_the_method(live):
    _, url = live
    path = await begun(url, 5)
    headers = {**TUS, "Upload-Offset": "0", "Content-Type": BYTES}
    override = headers | {"X-HTTP-Method-Override": "PATCH"}
    assert (await send(url, "POST", path, override, b"he")).status == 204
    reply = await send(url, "POST", path, TUS | {"X-HTTP-Method-Override": "HEAD"})
    assert reply.headers["upload-offset"] == "2"
    assert (await send(url, "POST", path, dict(TUS))).status == 405
    gone = await send(url, "POST", path, TUS | {"X-HTTP-Method-Override": "DELETE"})
    assert gone.status == 204
    assert (await head(url, path)).status == 410


async def test_uploads_are_listed_with_their_state_and_among_the_waits(live):
    node, url = live
    path = await begun(url, 5, Upload_Metadata=metadata(filename="x.txt"))
    await patch(url, path, 0, b"he")
    (shown,) = json.loads((await send(url, "GET", UPLOADS)).text)["uploads"]
    assert (shown["url"], shown["state"], shown["receivedBytes"]) == (path, "ready", 2)
    assert (shown["length"], shown["filename"], shown["cid"]) == (5, "x.txt", None)
    assert json.loads((await send(url, "GET", path)).text) == shown
    (wait,) = node.waits.of(f"upload {shown['id']}")
    assert "2 of 5 bytes" in wait["reason"]
    done = await patch(url, path, 2, b"llo")
    (shown,) = json.loads((await send(url, "GET", UPLOADS)).text)["uploads"]
    assert (shown["state"], shown["cid"]) == ("complete", done.headers["quire-cid"])
    assert node.waits.of(f"upload {shown['id']}") == []
    assert (await send(url, "GET", f"{UPLOADS}/none")).status == 404


async def test_an_upload_goes_on_after_an_orderly_restart(tmp_path):
    data = RNG.randbytes(4 * BLOCK + 99)
    async with live_node(tmp_path / "n") as (_, url):
        path = await begun(url, len(data), Upload_Metadata=metadata(filename="a.txt"))
        await patch(url, path, 0, data[: BLOCK + 17])
        done = (await create(url, 5, b"hello")).headers
    async with live_node(tmp_path / "n") as (node, url):
        assert node.store.space().quota_reserved_bytes == 4 * BLOCK + 512
        assert await offset_of(url, path) == BLOCK + 17
        reply = await patch(url, path, BLOCK + 17, data[BLOCK + 17 :])
        assert await stored(url, reply.headers["quire-cid"]) == data
        assert (await head(url, done["location"])).headers["quire-cid"] == done["quire-cid"]
        assert node.store.space().quota_reserved_bytes == 0


async def test_space_is_reserved_up_front_and_uploads_never_exceed_it_together(live):
    node, url = live
    path = await begun(url, 20 << 20)
    assert node.store.space().quota_reserved_bytes == (20 << 20) + 512
    reply = await create(url, 20 << 20)
    assert reply.status == 507
    assert json.loads(reply.text)["code"] == "quota-exceeded"
    plain = await send(url, "POST", "/api/quire/v1/data", {"Content-Length": str(20 << 20)})
    assert plain.status == 507
    late = await begun(url, None)
    assert (await patch(url, late, 0, b"x", Upload_Length=str(20 << 20))).status == 507
    assert "upload-length" not in (await head(url, late)).headers
    await send(url, "DELETE", path, dict(TUS))
    assert (await patch(url, late, 0, b"x", Upload_Length=str(20 << 20))).status == 204


async def test_an_upload_that_is_not_resumed_in_time_leaves_nothing(tmp_path):
    async with live_node(tmp_path / "n", upload_expiry="1s") as (node, url):
        before = node.store.space()
        path = await begun(url, 10 * BLOCK)
        await patch(url, path, 0, RNG.randbytes(2 * BLOCK + 1))
        while await node.store.resumables.every():
            await asyncio.sleep(0.05)
        assert (await head(url, path)).status == 410
        await node.store.reclaimed()
        assert node.store.space() == before
        assert node.waits.of(f"upload {path.rpartition('/')[2]}") == []


async def test_a_page_elsewhere_may_use_uploads_when_its_origin_is_allowed(tmp_path):
    node = await make_node(tmp_path / "n", api_cors_origin="http://a.example")
    async with serving(node) as url:
        origin = {"Origin": "http://a.example"}
        reply = await send(url, "OPTIONS", UPLOADS, origin)
        assert "POST" in reply.headers["access-control-allow-methods"]
        for name in ("tus-resumable", "upload-length", "upload-offset", "upload-metadata"):
            assert name in reply.headers["access-control-allow-headers"]
        reply = await create(url, 10, **origin)
        assert reply.headers["access-control-allow-origin"] == "http://a.example"
        for name in ("location", "upload-offset", "quire-cid", "tus-resumable"):
            assert name in reply.headers["access-control-expose-headers"]
        one = await send(url, "OPTIONS", reply.headers["location"], origin)
        assert "PATCH" in one.headers["access-control-allow-methods"]
        assert (await create(url, 10, Origin="http://evil.example")).status == 403
