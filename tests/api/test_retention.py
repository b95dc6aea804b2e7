"""Pins, names, times to live, collection, scrub and fsck, as the API has them."""

import asyncio
import json
import random

import pytest

from quire.faces.rest.route import QUIRE_BASE
from quire.formats.cid import manifest_cid
from support.http import send
from support.live import live_node, memory_network

UNKNOWN = str(manifest_cid(b"nobody has this"))
DAY = 86_400


async def ask(url, method, path, body=None):
    headers = {} if body is None else {"Content-Type": "application/json"}
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = await send(url, method, QUIRE_BASE + path, headers, data)
    return reply.status, json.loads(reply.body) if reply.body else None


async def put(url, data=b"some bytes"):
    return (await send(url, "POST", f"{QUIRE_BASE}/data", {}, data)).text


async def test_a_dataset_says_why_and_until_when_it_is_kept(tmp_path):
    async with live_node(tmp_path, block_ttl="30d") as (node, url):
        cid = await put(url)
        status, body = await ask(url, "GET", f"/datasets/{cid}/roots")
        assert status == 200
        assert body["kept"]
        assert body["keptUntil"] == pytest.approx(node.clock.now() + 30 * DAY, abs=60)
        assert "kept until" in body["words"]
        assert [root["kind"] for root in body["roots"]] == ["lease"]
        status, body = await ask(url, "PUT", f"/datasets/{cid}/pin")
        assert (status, body["keptUntil"]) == (200, None)
        assert "for ever" in body["words"]
        _, listed = await ask(url, "GET", "/datasets")
        assert [(each["cid"], each["expiresAt"]) for each in listed["content"]] == [(cid, None)]
        _, body = await ask(url, "PUT", f"/datasets/{cid}/pin?for=2d")
        assert body["keptUntil"] == pytest.approx(node.clock.now() + 30 * DAY, abs=60)
        _, body = await ask(url, "PUT", f"/datasets/{cid}/ttl?for=1h")
        assert body["keptUntil"] == pytest.approx(node.clock.now() + 2 * DAY, abs=60)
        _, body = await ask(url, "DELETE", f"/datasets/{cid}/pin")
        assert body["keptUntil"] == pytest.approx(node.clock.now() + 3600, abs=60)
        _, body = await ask(url, "PUT", f"/datasets/{cid}/ttl?for=0")
        assert body["keptUntil"] is None


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_what_is_not_here_cannot_be_kept(tmp_path, method):
    async with live_node(tmp_path) as (_, url):
        path = "roots" if method == "GET" else "pin"
        status, body = await ask(url, method, f"/datasets/{UNKNOWN}/{path}")
        assert (status, body["code"]) == (404, "unknown-dataset")
        status, _ = await ask(url, method, f"/datasets/nonsense/{path}")
        assert status == 400


@pytest.mark.parametrize("query", ["", "?for=soon", "?for=-1", "?for=9999999999d", "?for=inf"])
async def test_a_time_that_is_none_is_refused_and_changes_nothing(tmp_path, query):
    async with live_node(tmp_path) as (_, url):
        cid = await put(url)
        _, before = await ask(url, "GET", f"/datasets/{cid}/roots")
        assert (await ask(url, "PUT", f"/datasets/{cid}/ttl{query}"))[0] == 400
        _, after = await ask(url, "GET", f"/datasets/{cid}/roots")
        assert after["roots"] == before["roots"]


async def test_a_name_moves_to_another_dataset_and_is_forgotten(tmp_path):
    async with live_node(tmp_path) as (_, url):
        one, two = await put(url, b"one"), await put(url, b"two")
        assert (await ask(url, "GET", "/names/latest"))[0] == 404
        status, body = await ask(url, "PUT", "/names/latest", {"cid": one})
        assert (status, body) == (200, {"name": "latest", "cid": one, "was": None})
        _, body = await ask(url, "PUT", "/names/latest", {"cid": two})
        assert body == {"name": "latest", "cid": two, "was": one}
        _, body = await ask(url, "GET", "/names")
        assert [(each["name"], each["cid"]) for each in body["names"]] == [("latest", two)]
        assert (await ask(url, "GET", "/names/latest"))[1]["cid"] == two
        assert (await ask(url, "DELETE", "/names/latest"))[1]["cid"] == two
        assert (await ask(url, "DELETE", "/names/latest"))[0] == 404


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("ok", b"", 400),
        ("ok", b"[]", 400),
        ("ok", b"\xff", 400),
        ("ok", {"cid": 5}, 400),
        ("ok", {"cid": "nonsense"}, 400),
        ("ok", {"cid": UNKNOWN}, 404),
        ("%40no", {"cid": UNKNOWN}, 400),
        ("a%20b", {"cid": UNKNOWN}, 400),
        ("x" * 200, {"cid": UNKNOWN}, 400),
        ("ok", b'{"cid": "' + b"z" * 100_000 + b'"}', 400),
    ],
)
async def test_a_bad_name_or_target_is_refused(tmp_path, name, body, status):
    async with live_node(tmp_path) as (_, url):
        assert (await ask(url, "PUT", f"/names/{name}", body))[0] == status
        assert (await ask(url, "GET", "/names"))[1] == {"names": []}


async def test_a_collection_says_before_what_it_does_then(tmp_path):
    async with live_node(tmp_path) as (node, url):
        kept, gone = await put(url, b"kept"), await put(url, b"x" * 200_000)
        assert (await ask(url, "GET", "/collection"))[1]["datasets"] == []
        dataset = (await node.store.datasets())[1]
        assert str(dataset.manifest_cid) == gone
        await node.store.release(dataset.manifest_cid, "lease", "")
        _, body = await ask(url, "GET", f"/datasets/{gone}/roots")
        assert (body["kept"], body["keptUntil"], body["roots"]) == (False, 0.0, [])
        assert "not kept" in body["words"]
        status, body = await ask(url, "GET", "/collection")
        assert status == 200
        assert [each["cid"] for each in body["datasets"]] == [gone]
        before = node.store.space().quota_used_bytes
        status, done = await ask(url, "POST", "/collection")
        assert (status, done["deleted"]) == (200, 1)
        await node.store.reclaimed()
        assert before - node.store.space().quota_used_bytes == body["freedBytes"]
        assert [str(each.manifest_cid) for each in await node.store.datasets()] == [kept]


async def test_usage_says_where_the_bytes_are(tmp_path):
    async with live_node(tmp_path, storage_quota="8m") as (node, url):
        data = bytes(range(256)) * 1024
        first, second = await put(url, data), await put(url, data + b"more")
        await ask(url, "PUT", f"/datasets/{first}/pin")
        _, body = await ask(url, "GET", "/usage")
        shares = {share["kind"]: share for share in body["kept"]}
        assert (shares["pin"]["datasets"], shares["lease"]["datasets"]) == (1, 1)
        total = sum(share["bytes"] for share in body["kept"]) - body["sharedBytes"]
        assert total == body["quotaUsedBytes"] == node.store.space().quota_used_bytes
        assert body["sharedBytes"] >= 256 * 1024
        assert body["packBytes"] > 0
        assert any("quota" in line for line in body["words"])
        assert second


async def test_damage_is_found_by_fsck_and_repaired_from_another_node(tmp_path):
    network = memory_network()
    async with (
        live_node(tmp_path / "a", network) as (one, url_one),
        live_node(tmp_path / "b", network) as (two, url_two),
    ):
        data = random.Random(3).randbytes(1 << 20)
        cid = await put(url_one, data)
        deadline = asyncio.get_running_loop().time() + 5
        await two.transport.dial(one.transport.peer_id, one.transport.listen_addresses(), deadline)
        await send(url_two, "GET", f"{QUIRE_BASE}/data/{cid}/network/stream")
        assert (await ask(url_two, "GET", "/fsck"))[0] == 404
        (pack,) = (tmp_path / "b" / "store" / "packs").glob("pack-*")
        harmed = bytearray(pack.read_bytes())
        harmed[0] ^= 1
        pack.write_bytes(harmed)
        status, body = await ask(url_two, "POST", "/fsck")
        assert status == 202
        await two.fsck.wait()
        _, body = await ask(url_two, "GET", "/fsck")
        assert (body["state"], body["good"]) == ("done", True)
        assert (body["damagedBlocks"], body["repairedBlocks"], body["lost"]) == (1, 1, [])
        (damaged,) = body["damaged"]
        assert len(damaged["byteRanges"]) == 1
        reply = await send(url_two, "GET", f"{QUIRE_BASE}/data/{cid}")
        assert reply.body == data
        assert (await ask(url_two, "DELETE", "/fsck"))[0] == 204


async def test_what_nobody_else_has_is_listed_as_lost(tmp_path):
    async with live_node(tmp_path) as (node, url):
        cid = await put(url, b"y" * 100_000)
        (pack,) = (tmp_path / "store" / "packs").glob("pack-*")
        pack.write_bytes(bytes(1000))
        (dataset,) = await node.store.datasets()
        await node.store.retention.limit(dataset.manifest_cid, 1.0)  # not kept: nobody is asked
        await ask(url, "POST", "/fsck")
        await node.fsck.wait()
        _, body = await ask(url, "GET", "/fsck")
        assert not body["good"]
        lost = [{"cid": cid, "filename": None, "byteRanges": [[0, 100_000]]}]
        assert body["lost"] == lost
        assert any(line.startswith("lost:") for line in body["words"])


async def test_the_scrub_tells_how_far_it_is(tmp_path):
    async with live_node(tmp_path) as (_, url):
        await put(url)
        status, body = await ask(url, "POST", "/scrub")
        assert status == 202
        assert set(body) == {
            "state", "readBytes", "totalBytes", "lostBlocks", "lastEndedAt", "nextAt",
        }  # fmt: skip
        assert (await ask(url, "GET", "/status"))[1]["scrub"]["lostBlocks"] == 0
    async with live_node(tmp_path / "off", scrub_rate="0") as (_, url):
        assert (await ask(url, "GET", "/scrub"))[1]["state"] == "off"
