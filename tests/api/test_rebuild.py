"""Rebuilding slots over the API and on the command line."""

from __future__ import annotations

import asyncio
import json

from quire.faces.rest.route import QUIRE_BASE
from quire.formats.cid import Cid, manifest_cid
from quire.node.why import why
from support.command import quire
from support.http import send
from support.live import live_node, memory_network
from support.protect_kit import det
from support.vectors import load

UNKNOWN = str(manifest_cid(b"nobody has this"))
ROW = next(row for row in load("protected.json")["accept"] if row["name"] == "det(655360) 4+2")
CID = ROW["verifiableManifestCid"]  # ten blocks in four rows of three, the last two are padding
BLOCK = 65536


async def ask(url, method, path):
    reply = await send(url, method, QUIRE_BASE + path, {}, b"")
    return reply.status, json.loads(reply.body) if reply.body else None


async def protected(node, url):
    """The dataset of the vector, protected, on a node."""
    cid = (await send(url, "POST", f"{QUIRE_BASE}/data", {}, det(ROW["size"]))).text
    await ask(url, "POST", f"/datasets/{cid}/protect?k=4&m=2")
    (job,) = await node.protections.of((await node.store.datasets())[0].manifest_cid)
    assert str((await node.protections.wait(job)).manifest_cid) == CID


async def connect(url, node):
    (address,) = node.transport.listen_addresses()
    path = f"/connect/{node.transport.peer_id}?addrs={address}"
    assert (await send(url, "GET", QUIRE_BASE + path, {}, b"")).status == 200


async def ended(url, path):
    while True:
        status, found = await ask(url, "GET", path)
        assert status == 200
        if found["state"] in ("complete", "failed", "cancelled"):
            return found
        await asyncio.sleep(0.01)


async def test_slots_are_rebuilt_from_another_node(tmp_path):
    network = memory_network()
    async with (
        live_node(tmp_path / "owner", network) as (owner, owner_url),
        live_node(tmp_path / "host", network) as (host, url),
    ):
        await protected(owner, owner_url)
        await connect(url, owner)
        path = f"/datasets/{CID}/slots/5/rebuild"
        assert (await ask(url, "GET", path))[0] == 404
        assert (await ask(url, "DELETE", path))[0] == 404
        status, found = await ask(url, "POST", f"{path}?with=1&timeout=5s")
        assert (status, found["state"], found["slots"]) == (202, "searching", [1, 5])
        assert (found["verifiedBytes"], found["totalBytes"]) == (0, None)
        found = await ended(url, f"/datasets/{CID}/slots/1/rebuild")
        assert found["reason"] == "every block and every slot root is checked"
        assert (found["state"], found["error"]) == ("complete", None)
        assert found["verifiedBytes"] == found["totalBytes"] == 6 * BLOCK
        assert (found["writtenBlocks"], found["remoteBlocks"]) == (6, found["readBlocks"])
        assert found["readBlocks"] <= 4 * 3
        _, shown = await ask(url, "GET", f"/datasets/{CID}/slots/5")
        assert (shown["state"], shown["held"]) == ("held", True)
        kinds = [e.kind for e in host.events.history(CID) if e.kind.startswith("rebuild.")]
        assert kinds == ["rebuild.started", "rebuild.complete"]
        assert (await ask(url, "DELETE", path))[0] == 204

        command = ("rebuild", CID, "--slot", "4", "--json")
        done = (await asyncio.to_thread(quire, *command, api=url)).json
        assert (done["state"], done["slots"], done["writtenBlocks"]) == ("complete", [4], 3)
        said = await asyncio.to_thread(quire, "rebuild", CID, "--slot", "0", api=url)
        assert said.out.decode().startswith("complete  192.0 KiB in slots 0;")
        command = ("rebuild", CID, "--slot", "2", "--for", "1d", "--no-wait", "--json")
        begun = (await asyncio.to_thread(quire, *command, api=url)).json
        assert (begun["state"], begun["slots"]) == ("searching", [2])
        command = ("rebuild", CID, "--slot", "2", "--cancel", "--json")
        ended_now = (await asyncio.to_thread(quire, *command, api=url)).json
        assert ended_now == {"cid": CID, "slots": [2], "state": "cancelled"}
        assert (await ended(url, f"/datasets/{CID}/slots/2/rebuild"))["state"] != "failed"


async def test_why_tells_which_rows_cannot_be_had(tmp_path):
    network = memory_network()
    async with (
        live_node(tmp_path / "owner", network) as (owner, owner_url),
        live_node(tmp_path / "reader", network) as (reader, url),
    ):
        await protected(owner, owner_url)
        await connect(url, owner)
        root = next(d for d in await owner.store.datasets() if str(d.manifest_cid) == CID).tree_root
        for row in (0, 4, 5):
            await owner.store.shed(root, row * 3, 3)
        status, _ = await ask(url, "POST", f"/datasets/{CID}/fetch")
        assert status == 202
        lack = "Rows 0, 4 and 5 have no holder; 4 of the 6 rows are needed and only 3 can be had."
        async with asyncio.timeout(20):
            while lack not in (await why(reader, Cid.parse(CID))).sentences:
                await asyncio.sleep(0.02)
        assert (await ask(url, "DELETE", f"/datasets/{CID}/fetch"))[0] == 204


async def test_what_cannot_be_rebuilt_is_refused_in_words(tmp_path):
    network = memory_network()
    async with live_node(tmp_path / "owner", network) as (owner, url):
        await protected(owner, url)
        plain = str((await owner.store.datasets())[0].manifest_cid)
        cases = [
            (f"/datasets/{CID}/slots/6/rebuild", "slot 6 does not exist"),
            (f"/datasets/{CID}/slots/x/rebuild", "not a whole number"),
            (f"/datasets/{CID}/slots/0/rebuild?with=1,2", "survives the loss of 2"),
            (f"/datasets/{CID}/slots/0/rebuild?with=0", "each once"),
            (f"/datasets/{CID}/slots/0/rebuild?with=a", "not a whole number"),
            (f"/datasets/{plain}/slots/0/rebuild", "not protected"),
            ("/datasets/zDv/slots/0/rebuild", ""),
        ]
        for path, words in cases:
            status, body = await ask(url, "POST", path)
            assert status == 400, path
            assert words in body["message"]
        path = f"/datasets/{UNKNOWN}/slots/0/rebuild"
        assert (await ask(url, "POST", f"{path}?timeout=200ms"))[0] in (202, 400)
        failed = await asyncio.to_thread(quire, "rebuild", CID, "--slot", "9", api=url)
        assert failed.code == 2
        assert "slot 9 does not exist" in failed.err
