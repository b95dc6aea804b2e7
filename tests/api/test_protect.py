"""Protecting datasets, and their slots, as the API has them."""

import asyncio
import json
import random

import pytest

from quire.faces.rest.route import QUIRE_BASE
from quire.formats.cid import manifest_cid
from support.http import send
from support.live import live_node
from support.protect_kit import det
from support.vectors import load

UNKNOWN = str(manifest_cid(b"nobody has this"))
ROW = next(row for row in load("protected.json")["accept"] if row["name"] == "det(655360) 4+2")


async def ask(url, method, path):
    reply = await send(url, method, QUIRE_BASE + path, {}, b"")
    return reply.status, json.loads(reply.body) if reply.body else None


async def put(url, data):
    return (await send(url, "POST", f"{QUIRE_BASE}/data", {}, data)).text


async def ended(url, path):
    while True:
        status, body = await ask(url, "GET", path)
        assert status == 200
        if all(job["state"] not in ("waiting", "fetching", "coding") for job in body["jobs"]):
            return body["jobs"]
        await asyncio.sleep(0.01)


async def test_a_dataset_is_protected_and_shows_its_slots(tmp_path):
    async with live_node(tmp_path) as (node, url):
        cid = await put(url, det(ROW["size"]))
        status, job = await ask(url, "POST", f"/datasets/{cid}/protect?k=4&m=2")
        assert status == 202
        assert (job["cid"], job["k"], job["m"]) == (cid, 4, 2)
        assert job["totalBytes"] == ROW["size"]
        (job,) = await ended(url, f"/datasets/{cid}/protect")
        assert (job["state"], job["error"]) == ("complete", None)
        assert job["verifiedBytes"] == ROW["size"]
        result = {
            "cid": ROW["verifiableManifestCid"],
            "treeCid": ROW["treeCid"],
            "verifyRoot": ROW["verifyRootCid"],
            "slotRoots": ROW["slotRootCids"],
        }
        assert job["result"] == result
        status, body = await ask(url, "GET", f"/datasets/{result['cid']}/slots")
        assert status == 200
        assert {name: body[name] for name in result} == result
        assert (body["k"], body["m"], body["steps"]) == (4, 2, 3)
        assert body["slotSize"] == ROW["slotBytes"]
        assert body["originalTreeCid"] == ROW["originalTreeCid"]
        for index, status in ((9, 200), (10, 404), (11, 404), (12, 200)):  # 10 and 11 are padding
            path = f"{QUIRE_BASE}/data/{result['cid']}/blocks/{index}"
            assert (await send(url, "GET", path)).status == status
        shown = [
            (s["kind"], s["firstBlock"], s["blocks"], s["presentBlocks"]) for s in body["slots"]
        ]
        assert shown == [
            ("data", 0, 3, 3),
            ("data", 3, 3, 3),
            ("data", 6, 3, 3),
            ("data", 9, 1, 1),
            ("parity", 12, 3, 3),
            ("parity", 15, 3, 3),
        ]
        assert all(slot["tree"] for slot in body["slots"])
        kinds = {event.kind for event in node.events.history(cid)}
        assert {"protect.started", "protect.complete"} <= kinds
        reply = await send(url, "GET", f"{QUIRE_BASE}/data/{result['cid']}", {}, b"")
        assert reply.body == det(ROW["size"])


async def test_the_result_is_kept_for_as_long_as_asked(tmp_path):
    async with live_node(tmp_path, block_ttl="1h") as (node, url):
        cid = await put(url, det(ROW["size"]))
        await ask(url, "POST", f"/datasets/{cid}/protect?k=4&m=2&for=30d")
        (job,) = await ended(url, f"/datasets/{cid}/protect")
        _, kept = await ask(url, "GET", f"/datasets/{job['result']['cid']}/roots")
        assert kept["keptUntil"] == pytest.approx(node.clock.now() + 30 * 86_400, abs=60)
        await ask(url, "POST", f"/datasets/{cid}/protect?k=2&m=2")
        jobs = await ended(url, f"/datasets/{cid}/protect?k=2&m=2")
        _, kept = await ask(url, "GET", f"/datasets/{jobs[0]['result']['cid']}/roots")
        assert kept["keptUntil"] == pytest.approx(node.clock.now() + 3600, abs=60)


async def test_a_job_can_be_stopped_and_leaves_nothing(tmp_path, monkeypatch):
    async with live_node(tmp_path) as (node, url):
        cid = await put(url, random.Random(1).randbytes(40 * 65536))
        used = node.store.space().quota_used_bytes
        reached, go = asyncio.Event(), asyncio.Event()

        async def slow(*_):
            reached.set()
            await go.wait()

        monkeypatch.setattr("quire.flow.encode.read_rows", slow)
        await ask(url, "POST", f"/datasets/{cid}/protect?k=4&m=2")
        await reached.wait()
        _, status = await ask(url, "GET", "/status")
        assert [job["cid"] for job in status["protections"]] == [cid]
        assert await ask(url, "DELETE", f"/datasets/{cid}/protect") == (204, None)
        (job,) = await ended(url, f"/datasets/{cid}/protect")
        assert job["state"] == "cancelled"
        await node.store.reclaimed()
        space = node.store.space()
        assert (space.quota_used_bytes, space.quota_reserved_bytes) == (used, 0)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("k=1&m=1", 422, "bad-protection"),
        ("k=3&m=0", 422, "bad-protection"),
        ("k=2&m=3", 422, "bad-protection"),
        ("k=200&m=57", 422, "bad-protection"),
        ("k=11&m=1", 422, "insufficient-blocks"),
        ("k=4", 400, "input"),
        ("", 400, "input"),
        ("k=x&m=1", 400, "input"),
        ("k=-2&m=1", 400, "input"),
        ("k=99999999999999999999&m=1", 400, "input"),
        ("k=4&m=2&for=x", 400, "input"),
    ],
)
async def test_a_wrong_request_is_refused_in_words(tmp_path, query, status, code):
    async with live_node(tmp_path) as (_, url):
        cid = await put(url, det(ROW["size"]))
        answer = await ask(url, "POST", f"/datasets/{cid}/protect?{query}")
        assert (answer[0], answer[1]["code"]) == (status, code)
        assert (await ask(url, "GET", f"/datasets/{cid}/protect"))[0] == 404


async def test_what_is_not_here_or_has_no_slots_is_said(tmp_path):
    async with live_node(tmp_path) as (_, url):
        for method, path in (("POST", "protect?k=2&m=1"), ("GET", "protect"), ("GET", "slots")):
            assert (await ask(url, method, f"/datasets/{UNKNOWN}/{path}"))[0] == 404
            assert (await ask(url, method, f"/datasets/nonsense/{path}"))[0] == 400
        cid = await put(url, det(ROW["size"]))
        status, body = await ask(url, "GET", f"/datasets/{cid}/slots")
        assert (status, body["code"]) == (422, "not-verifiable")
