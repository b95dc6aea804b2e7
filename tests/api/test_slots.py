"""Taking, looking at and dropping a slot, over the API and on the command line."""

import asyncio
import json

import pytest

from quire.faces.rest.route import QUIRE_BASE
from quire.flow.slots import SlotHolds
from quire.formats.cid import manifest_cid
from support.command import quire
from support.http import send
from support.live import live_node, memory_network
from support.protect_kit import det
from support.vectors import load

UNKNOWN = str(manifest_cid(b"nobody has this"))
ROW = next(row for row in load("protected.json")["accept"] if row["name"] == "det(655360) 4+2")
CID = ROW["verifiableManifestCid"]
BLOCK = 65536


async def ask(url, method, path):
    reply = await send(url, method, QUIRE_BASE + path, {}, b"")
    return reply.status, json.loads(reply.body) if reply.body else None


async def protected(node, url):
    """The dataset of the vector, protected, on a node."""
    cid = (await send(url, "POST", f"{QUIRE_BASE}/data", {}, det(ROW["size"]))).text
    (await ask(url, "POST", f"/datasets/{cid}/protect?k=4&m=2"))
    (job,) = await node.protections.of((await node.store.datasets())[0].manifest_cid)
    assert str((await node.protections.wait(job)).manifest_cid) == CID


async def connect(url, node):
    (address,) = node.transport.listen_addresses()
    path = f"/connect/{node.transport.peer_id}?addrs={address}"
    assert (await send(url, "GET", QUIRE_BASE + path, {}, b"")).status == 200


async def ended(url, slot):
    while True:
        status, found = await ask(url, "GET", f"/datasets/{CID}/slots/{slot}")
        assert status == 200
        if found["state"] not in ("searching", "listing", "fetching", "hashing"):
            return found
        await asyncio.sleep(0.01)


async def test_a_slot_is_taken_from_another_node_shown_and_dropped(tmp_path):
    network = memory_network()
    async with (
        live_node(tmp_path / "owner", network) as (owner, owner_url),
        live_node(tmp_path / "host", network) as (host, url),
    ):
        await protected(owner, owner_url)
        await connect(url, owner)
        slot = f"/datasets/{CID}/slots/3"
        assert (await ask(url, "GET", slot))[0] == 404
        status, found = await ask(url, "POST", f"{slot}?for=30d&timeout=5s")
        assert (status, found["state"], found["held"]) == (202, "searching", False)
        found = await ended(url, 3)
        assert found == {
            "cid": CID, "slot": 3, "state": "held", "held": True, "verifiedBytes": BLOCK,
            "totalBytes": BLOCK, "reason": "it is held", "error": None,
        }  # fmt: skip
        tree = await host.parts.slot_files.open((await host.store.datasets())[0].tree_root, 3)
        assert tree.root.hex() == ROW["slotRoots"][3]
        _, kept = await ask(url, "GET", f"/datasets/{CID}/roots")
        root = next(each for each in kept["roots"] if each["kind"] == "slot")
        assert root["expiresAt"] == pytest.approx(host.clock.now() + 30 * 86_400, abs=60)
        assert (await ask(owner_url, "GET", slot))[1]["state"] == "stored"

        command = ("slot", "take", CID, "--slot", "5", "--json")
        taken = (await asyncio.to_thread(quire, *command, api=url)).json
        assert (taken["state"], taken["verifiedBytes"]) == ("held", 3 * BLOCK)
        shown = await asyncio.to_thread(quire, "slot", "show", CID, "--slot", "5", api=url)
        assert "slot 5  held" in shown.out.decode()
        dropped = await asyncio.to_thread(quire, "slot", "drop", CID, "--slot", "5", api=url)
        assert dropped.code == 0
        again = await asyncio.to_thread(quire, "slot", "drop", CID, "--slot", "5", api=url)
        assert again.code == 3
        assert (await ask(url, "DELETE", slot))[0] == 204
        assert (await ask(url, "DELETE", slot))[0] == 404
        assert (await ask(url, "GET", slot))[1]["state"] == "absent"
        assert host.store.space().total_blocks == 1


async def test_a_slot_that_cannot_be_taken_says_why(tmp_path):
    async with live_node(tmp_path) as (_, url):
        path = f"/datasets/{UNKNOWN}/slots/0"
        assert (await ask(url, "POST", f"{path}?timeout=0.2s"))[0] == 202
        while (found := (await ask(url, "GET", path))[1])["state"] == "searching":
            await asyncio.sleep(0.01)
        assert (found["state"], found["error"]["code"]) == ("failed", "unknown-dataset")
        command = ("slot", "take", UNKNOWN, "--slot", "0", "--timeout", "0.2s")
        outcome = await asyncio.to_thread(quire, *command, api=url)
        assert outcome.code == 3
        assert "was not found" in outcome.err


async def test_a_job_is_stopped_by_dropping_the_slot(tmp_path, monkeypatch):
    async with live_node(tmp_path) as (node, url):
        await protected(node, url)
        reached = asyncio.Event()

        async def slow(*_):
            reached.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(SlotHolds, "_fetch", slow)
        path = f"/datasets/{CID}/slots/0"
        assert (await ask(url, "POST", path))[0] == 202
        await reached.wait()
        assert (await ask(url, "GET", path))[1]["state"] == "fetching"
        assert (await ask(url, "DELETE", path))[0] == 204
        assert (await ask(url, "GET", path))[1]["state"] == "stored"


@pytest.mark.parametrize(
    ("slot", "query", "code"),
    [
        ("6", "", "input"),
        ("65536", "", "input"),
        ("x", "", "input"),
        ("-1", "", "input"),
        ("99999999999999999999", "", "input"),
        ("0", "?for=x", "input"),
        ("0", "?timeout=0s", "input"),
        ("0", "?timeout=x", "input"),
    ],
)
async def test_a_wrong_request_is_refused_in_words(tmp_path, slot, query, code):
    async with live_node(tmp_path) as (node, url):
        await protected(node, url)
        status, body = await ask(url, "POST", f"/datasets/{CID}/slots/{slot}{query}")
        assert (status, body["code"]) == (400, code)
        assert (await ask(url, "POST", f"/datasets/nonsense/slots/{slot}"))[0] == 400
        plain = str((await node.store.datasets())[0].manifest_cid)
        for method in ("POST", "GET"):
            assert (await ask(url, method, f"/datasets/{plain}/slots/0"))[0] == 400
        assert (await ask(url, "DELETE", f"/datasets/{plain}/slots/0"))[0] == 404
