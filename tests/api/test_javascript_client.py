"""@codex-storage/sdk-js 0.1.3, the public JavaScript client, makes every call it has."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from support.live import live_node, memory_network
from support.npm import installed

PROJECT = Path(__file__).parent / "js"

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None, reason="there is no Node.js on this machine"
)


def run(*arguments):
    command = ["node", str(PROJECT / "every_call.cjs"), str(installed(PROJECT)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def every_call(tmp_path):
    network = memory_network()
    async with (
        live_node(tmp_path / "a", network) as (node, url),
        live_node(tmp_path / "b", network) as (other, _),
    ):
        peer, address = other.transport.peer_id, other.transport.listen_addresses()[0]
        return node, await asyncio.to_thread(run, url, peer, address)


def good(answer):
    assert not answer["error"], answer
    return answer["data"]


async def test_every_call_of_the_javascript_client_gets_what_it_expects(tmp_path):
    node, found = await every_call(tmp_path)
    cid, bare = good(found["upload"]), good(found["uploadBare"])
    items = {item["cid"]: item["manifest"] for item in good(found["cids"])["content"]}
    assert set(items) == {cid, bare}
    assert items[cid]["filename"] == "a.txt"
    assert items[bare]["filename"] is None
    assert set(good(found["space"])) == {
        "totalBlocks", "quotaMaxBytes", "quotaUsedBytes", "quotaReservedBytes"
    }  # fmt: skip
    for call in ("localDownload", "networkDownloadStream"):
        assert good(found[call]) == "from javascript"
        assert found[call]["name"] == 'attachment; filename="a.txt"'
    for call in ("networkDownload", "fetchManifest"):
        assert good(found[call])["manifest"] == items[cid]
    assert good(found["delete"]) == ""
    assert good(found["connect"]) == "Successfully connected to peer"
    assert good(found["peerId"]) == {"id": node.transport.peer_id}
    assert good(found["spr"])["spr"].startswith("spr:")
    assert good(found["sprText"])
    assert good(found["setLogLevel"]) == ""
    info = good(found["info"])
    assert info["id"] == node.transport.peer_id
    assert len(info["announceAddresses"][0].split("/")) == 5
    check_refusals(found)


def check_refusals(found):
    """The client shows the status as `code` and the body as `message`."""
    words = {
        "uploadBadType": (422, "The MIME type 'hello/world' is not valid."),
        "uploadBadName": (422, "The filename is not valid."),
        "badCid": (400, "Incorrect Cid"),
        "gone": (404, "The requested CID could not be retrieved"),
        "connectBad": (400, "peerid"),
    }
    for call, (code, message) in words.items():
        assert found[call]["code"] == code
        assert message in found[call]["message"]
    for call, answer in found["market"].items():
        expected = {"error": True, "code": 503, "message": "Persistence is not enabled"}
        assert answer == expected, call
