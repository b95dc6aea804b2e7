"""What the reference answered is what Quire answers, except where DIFFERENCES says why not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from support.http import send
from support.live import live_node

VECTORS = Path(__file__).parents[2] / "vectors" / "rest"
REQUESTS = json.loads((VECTORS / "requests.json").read_text("utf-8"))
UPLOADS = json.loads((VECTORS / "uploads.json").read_text("utf-8"))["uploads"]

# name of the vector -> (status here, why it differs). Text bodies of these are our own words.
DIFFERENCES = {
    "upload empty (Content-Length: 0)": (200, "a dataset may have no bytes"),
    "upload no content-length": (200, "as above"),
    "upload chunked empty": (200, "as above"),
    "upload mime with charset": (200, "parameters are cut off, not refused"),
    "upload filename slash": (422, "a name with a directory is a trap for who saves under it"),
    "upload filename unquoted": (200, "RFC 6266: the name counts with and without quotes"),
    "upload filename trailing param": (200, "RFC 6266: what follows the quotes is another thing"),
    "upload filename filename*": (200, "RFC 6266: the extended form counts"),
    "leaf block cid (local)": (200, "a single block can be downloaded"),
    "leaf block cid (local) /network/stream": (200, "as above"),
    "DELETE leaf": (409, "the block stays while a dataset has it, and 204 would say otherwise"),
    "loglevel empty": (400, "a bad level is the client's fault, not ours"),
    "loglevel bad": (400, "as above"),
    "HEAD space": (200, "HEAD is answered where GET is"),
    "HEAD data": (200, "HEAD is answered where GET is"),
    "HEAD get": (200, "HEAD is answered where GET streams"),
    "base16 of same cid": (200, "a CID in another base is still that CID"),
    "base16 of same cid /exists": (200, "as above"),
    "base16 of same cid /network/manifest": (200, "as above"),
    "base16 of same cid /network/stream": (200, "as above"),
    "base16 of same cid POST network": (200, "as above"),
    "get range": (206, "a range is answered as a range"),
}
# After one of the above the reference is asked for the manifest under its own CID.
FOLLOWS_A_DIFFERENCE = {
    "upload filename slash",
    "upload filename unquoted",
    "upload filename trailing param",
    "upload filename filename*",
}
OWN_VALUES = ("spr ", "peerid ", "space", "list data")  # shape is compared, values are the node's


def det(size: int) -> bytes:
    """The reference's test data."""
    period = bytes((i * 31 + (i >> 8) * 17) & 0xFF for i in range(65536))
    return (period * (size // 65536 + 1))[:size]


def body_of(vector) -> bytes:
    body = vector["requestBody"]
    return det(body["det"]) if "det" in body else body["text"].encode()


async def test_every_recorded_request_is_answered_as_the_reference_did(tmp_path):
    wrong = []
    async with live_node(tmp_path, request_timeout="0.3s") as (_, url):
        previous = ""
        for vector in REQUESTS["requests"]:
            headers = dict(vector["requestHeaders"])
            path = REQUESTS["base"] + vector["path"]
            reply = await send(url, vector["method"], path, headers, body_of(vector))
            fault = compare(vector, reply, previous)
            if fault:
                wrong.append(f"{vector['name']} ({vector['method']} {vector['path']}): {fault}")
            previous = vector["name"]
    assert not wrong, "\n".join(wrong)


def compare(vector, reply, previous) -> str:
    name = vector["name"]
    if name in DIFFERENCES:
        expected = DIFFERENCES[name][0]
        return "" if reply.status == expected else f"{reply.status}, not {expected}: {reply.body!r}"
    if name == "manifest of it" and previous in FOLLOWS_A_DIFFERENCE:
        return ""
    if vector["status"] is None:
        ended_in_words = reply.status in (404, 504) and reply.body
        return "" if ended_in_words else f"{reply.status} {reply.body!r}"
    if reply.status != vector["status"]:
        return f"{reply.status}, not {vector['status']}: {reply.body[:80]!r}"
    for header, value in vector["headers"].items():
        if header == "Content-Disposition" and not value.isascii():
            continue
        if reply.headers.get(header.lower()) != value:
            return f"{header} is {reply.headers.get(header.lower())!r}, not {value!r}"
    return compare_body(name, vector["body"], reply.body)


def compare_body(name, expected, body: bytes) -> str:
    if isinstance(expected, dict):
        if len(body) != expected["len"]:
            return f"{len(body)} bytes, not {expected['len']}"
        same = hashlib.sha256(body).hexdigest() == expected.get("sha256", "") or body == det(
            len(body)
        )
        return "" if same else "other bytes"
    text = body.decode()
    if name.startswith(OWN_VALUES):
        return compare_shape(text, expected)
    if name.endswith(("/exists", "exists known", "exists after delete")) and text.startswith("{"):
        ours = json.loads(text)
        theirs = json.loads(expected)
        is_here = next(iter(theirs.values()))
        return "" if ours == theirs | {"has": is_here} else f"{ours} is not {theirs}"
    return "" if text == expected else f"{text!r} is not {expected!r}"


def compare_shape(text: str, expected: str) -> str:
    if not expected.startswith("{"):
        return "" if text.split(":")[0][:4] == expected.split(":")[0][:4] else text
    ours, theirs = json.loads(text), json.loads(expected)
    if list(ours) != list(theirs):
        return f"{list(ours)} is not {list(theirs)}"
    if "content" in theirs:
        same = list(ours["content"][0]) == list(theirs["content"][0]) and list(
            ours["content"][0]["manifest"]
        ) == list(theirs["content"][0]["manifest"])
        return "" if same else text
    return "" if all(type(ours[k]) is type(theirs[k]) for k in theirs) else text


@pytest.mark.parametrize("vector", UPLOADS, ids=lambda v: f"{v['size']}-{len(v['requestHeaders'])}")
async def test_an_upload_gets_the_reference_s_cid_and_comes_back(tmp_path, vector):
    data = det(vector["size"])
    async with live_node(tmp_path) as (node, url):
        base = "/api/codex/v1/data"
        stored = await send(url, "POST", base, dict(vector["requestHeaders"]), data)
        assert stored.text == vector["cid"]
        item = await send(url, "GET", f"{base}/{stored.text}/network/manifest")
        assert json.loads(item.body) == vector["item"]
        back = await send(url, "GET", f"{base}/{stored.text}")
        assert hashlib.sha256(back.body).hexdigest() == vector["sha256"]
        for header, value in vector["headers"].items():
            assert back.headers[header.lower()] == value
        (dataset,) = await node.store.datasets()
        assert dataset.manifest_bytes.hex() == vector["manifestHex"]
