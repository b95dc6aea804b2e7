"""What only /api/quire/v1 has: status, fetches, why, events, metrics, OpenAPI, health."""

import asyncio
import json

import pytest

from quire.faces.rest.route import QUIRE_BASE
from quire.faces.rest.server import RestFace
from quire.formats.cid import manifest_cid
from support.http import send
from support.live import live_node, memory_network

UNKNOWN = str(manifest_cid(b"nobody has this"))


async def get(url, path, **headers):
    reply = await send(url, "GET", QUIRE_BASE + path, headers)
    return reply.status, json.loads(reply.body)


async def put(url, data=b"some bytes"):
    return (await send(url, "POST", f"{QUIRE_BASE}/data", {}, data)).text


async def test_status_tells_the_node_at_this_moment(tmp_path):
    async with live_node(tmp_path) as (node, url):
        await put(url)
        status, body = await get(url, "/status")
        assert status == 200
        assert body["peerId"] == node.transport.peer_id
        assert body["space"]["totalBlocks"] == 2
        assert set(body["loopLag"]) == {"p50Ms", "p99Ms"}
        assert body["announce"]["queued"] + body["announce"]["failed"] >= 0


async def test_stat_tells_what_is_here_of_a_dataset(tmp_path):
    async with live_node(tmp_path, block_ttl="0") as (_, url):
        status, body = await get(url, f"/datasets/{await put(url)}")
        assert status == 200
        assert (body["presentBlocks"], body["totalBlocks"], body["complete"]) == (1, 1, True)
        assert body["expiresAt"] is None
        status, body = await get(url, f"/datasets/{UNKNOWN}")
        assert (status, body["code"]) == (404, "unknown-dataset")


async def test_a_fetch_job_is_started_watched_and_ends(tmp_path):
    network = memory_network()
    async with (
        live_node(tmp_path / "a", network) as (one, url_one),
        live_node(tmp_path / "b", network) as (two, url_two),
    ):
        data = bytes(range(256)) * 4096
        cid = await put(url_one, data)
        loop = asyncio.get_running_loop()
        await two.transport.dial(
            one.transport.peer_id, one.transport.listen_addresses(), loop.time() + 5
        )
        path = f"{QUIRE_BASE}/datasets/{cid}/fetch"
        assert (await send(url_two, "GET", path)).status == 404
        started = await send(url_two, "POST", path + "?timeout=20s")
        assert started.status == 202
        async with asyncio.timeout(30):
            while (body := json.loads((await send(url_two, "GET", path)).body))["state"] not in (
                "complete",
                "failed",
            ):
                await asyncio.sleep(0.01)
        assert (body["state"], body["error"]) == ("complete", None)
        assert body["verifiedBytes"] == body["totalBytes"] == len(data)
        assert sum(body["peers"].values()) >= len(data)
        assert (await get(url_two, f"/datasets/{cid}"))[1]["complete"]


async def test_a_fetch_of_what_nobody_has_fails_in_words_and_can_be_cancelled(tmp_path):
    async with live_node(tmp_path) as (_, url):
        path = f"{QUIRE_BASE}/datasets/{UNKNOWN}/fetch"
        await send(url, "POST", path + "?timeout=30s")
        assert (await send(url, "DELETE", path)).status == 204
        assert json.loads((await send(url, "GET", path)).body)["state"] == "cancelled"
        await send(url, "POST", path + "?timeout=0.2s")
        async with asyncio.timeout(20):
            while (body := json.loads((await send(url, "GET", path)).body))["state"] != "failed":
                await asyncio.sleep(0.01)
        assert UNKNOWN in body["error"]["message"]


async def test_why_explains_what_is_here_and_what_is_not(tmp_path):
    async with live_node(tmp_path) as (_, url):
        _, here = await get(url, f"/datasets/{await put(url)}/why")
        assert here["holds"] == "complete"
        assert any("holds all 1 blocks" in s for s in here["sentences"])
        assert any("kept by lease" in s for s in here["sentences"])
        _, not_here = await get(url, f"/datasets/{UNKNOWN}/why")
        assert not_here["holds"] == "nothing"
        assert any("connected to nobody" in s for s in not_here["sentences"])


async def test_why_shows_what_is_being_waited_for(tmp_path):
    async with live_node(tmp_path) as (node, url):
        path = f"{QUIRE_BASE}/datasets/{UNKNOWN}/fetch?timeout=60s"
        await send(url, "POST", path)
        async with asyncio.timeout(20):
            while not node.waits.of(UNKNOWN):
                await asyncio.sleep(0.005)
        _, body = await get(url, f"/datasets/{UNKNOWN}/why")
        assert body["waits"]
        assert any(s.startswith("It waits:") for s in body["sentences"])


async def test_errors_are_json_with_a_code(tmp_path):
    async with live_node(tmp_path) as (_, url):
        assert (await get(url, "/data/notacid"))[1]["code"] == "bad-cid"
        assert (await get(url, "/nothing"))[1]["code"] == "unknown-route"
        problem = await send(
            url, "GET", "/api/codex/v1/data/notacid", {"Accept": "application/problem+json"}
        )
        assert problem.headers["content-type"] == "application/problem+json"
        assert json.loads(problem.body)["status"] == 400


async def test_metrics_have_the_names_of_the_reference_and_the_loop_lag(tmp_path):
    async with live_node(tmp_path) as (_, url):
        await put(url)
        text = (await send(url, "GET", f"{QUIRE_BASE}/metrics")).text
        for line in (
            "codex_repostore_bytes_used 65",
            "codex_api_uploads_total 1.0",
            "libp2p_peers 0.0",
            "quire_event_loop_lag_seconds_bucket",
        ):
            assert line in text


async def test_small_answers(tmp_path):
    async with live_node(tmp_path) as (_, url):
        assert (await send(url, "GET", f"{QUIRE_BASE}/health")).text == "OK"
        assert (await get(url, "/version"))[1]["profile"] == "quire"
        lists = ("peers", "wanted", "past", "banned")
        assert (await get(url, "/peers"))[1] == {name: [] for name in lists}
        findings = (await get(url, "/doctor"))[1]["findings"]
        assert {f["state"] for f in findings} <= {"ok", "warning"}


async def test_debug_info_has_the_shape_of_the_reference(tmp_path):
    async with live_node(tmp_path) as (_, url):
        reply = await send(url, "GET", "/api/codex/v1/debug/info")
        body = json.loads(reply.body)
        assert list(body) == ["id", "addrs", "repo", "spr", "announceAddresses", "table", "codex"]
        assert list(body["table"]["localNode"]) == ["nodeId", "peerId", "record", "address", "seen"]
        assert list(body["codex"]) == ["version", "revision", "contracts"]
        assert reply.text.startswith('{\n  "id": "')
        assert len(body["announceAddresses"][0].split("/")) == 5
        assert body["spr"].startswith("spr:")


async def test_each_profile_serves_its_own_bases(tmp_path):
    async with live_node(tmp_path, profile="promethei") as (_, url):
        for brand in ("promethei", "archivist", "codex"):
            body = json.loads((await send(url, "GET", f"/api/{brand}/v1/debug/info")).body)
            assert brand in body
        cid = await put(url, bytes(200_000))
        item = json.loads(
            (await send(url, "GET", f"/api/promethei/v1/data/{cid}/network/manifest")).body
        )
        assert item["manifest"]["blockSize"] == 131072
    async with live_node(tmp_path / "q") as (_, url):
        assert (await send(url, "GET", "/api/promethei/v1/space")).status == 404


async def test_openapi_is_3_1_and_documents_every_route(tmp_path):
    async with live_node(tmp_path) as (node, url):
        _, document = await get(url, "/openapi.json")
        assert document["openapi"] == "3.1.0"
        for base, route in RestFace(node).mounted:
            operation = document["paths"][base + route.path][route.method.lower()]
            assert operation["summary"]
            assert operation["responses"]
        ids = [o["operationId"] for p in document["paths"].values() for o in p.values()]
        assert len(ids) == len(set(ids))
        for reference in references(document):
            assert reference.startswith("#/components/schemas/")
            assert reference.rpartition("/")[2] in document["components"]["schemas"]


def references(value):
    """Every $ref of a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


async def test_every_documented_path_parameter_is_in_its_path(tmp_path):
    async with live_node(tmp_path) as (_, url):
        _, document = await get(url, "/openapi.json")
        for path, operations in document["paths"].items():
            for operation in operations.values():
                named = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
                assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}


async def test_64_uploads_of_1_mib_at_once_and_many_small_ones_all_succeed(tmp_path):
    async with live_node(tmp_path) as (node, url):

        async def one(serial, size):
            body = serial.to_bytes(8, "big") * (size // 8)
            reply = await send(url, "POST", f"{QUIRE_BASE}/data", {}, body)
            assert reply.status == 200, reply.text
            return reply.text

        big = await asyncio.gather(*(one(serial, 1 << 20) for serial in range(64)))
        assert len(set(big)) == 64
        limit = asyncio.Semaphore(32)

        async def small(serial):
            async with limit:
                return await one(1000 + serial, 800)

        cids = await asyncio.gather(*(small(serial) for serial in range(500)))
        assert len(set(cids)) == 500
        assert len(await node.store.datasets()) == 564


@pytest.mark.parametrize("count", [3])
async def test_a_restart_keeps_everything_and_announces_it(tmp_path, count):
    async with live_node(tmp_path) as (node, url):
        cids = [await put(url, b"dataset %d" % n) for n in range(count)]
        peer = node.transport.peer_id
        assert json.loads((tmp_path / "node.json").read_text())["api"] == url
    assert not (tmp_path / "node.json").exists()
    async with live_node(tmp_path) as (node, url):
        assert node.transport.peer_id == peer
        for cid in cids:
            assert (await send(url, "GET", f"{QUIRE_BASE}/data/{cid}")).status == 200
        announced = {str(item.cid) for item in node.announcer.status().items}
        assert announced >= set(cids)
