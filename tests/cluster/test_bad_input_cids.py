"""CIDs that are none, that nobody has, or that name another kind of thing; on a real node."""

import json
import time

import pytest

from quire.faces.local import LocalNode
from quire.formats.cid import CODEC_SLOT_ROOT, Cid, block_cid, manifest_cid, tree_cid
from support.cluster import CODEX, QUIRE, call, held, put, until_held
from support.command import quire

UNKNOWN = str(manifest_cid(b"nobody has this"))
BLOCK = str(block_cid(bytes(32)))
WRONG = [
    str(tree_cid(bytes(32))),
    str(Cid(1, CODEC_SLOT_ROOT, 0x00, bytes(32))),
    str(Cid(1, 0x55, 0x12, bytes(32))),  # a raw block of IPFS
    str(Cid(0, 0x70, 0x12, bytes(32))),  # the first version of CIDs
]
BAD = ["notacid", "z", "zDv", "%F0%9F%90%BF", "z" * 400, UNKNOWN[:-1], UNKNOWN + "1"]
NETWORK = [("GET", "/network/manifest"), ("GET", "/network/stream"), ("POST", "/network")]
ALL = [("GET", ""), ("DELETE", ""), ("GET", "/exists"), *NETWORK]
GRACE_SECONDS = 8.0  # for a machine that is busy


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A node with a neighbour, so that there is somebody to ask."""
    directory = tmp_path_factory.mktemp("cids")
    with (
        LocalNode(directory / "other") as other,
        LocalNode(directory / "node", bootstrap=[other.address]) as node,
    ):
        put(node, b"something is here")
        yield node, held(node)


@pytest.mark.parametrize("cid", BAD)
def test_what_is_no_cid_is_400_on_every_path(pair, cid):
    node, before = pair
    for method, tail in ALL:
        assert call(node, method, f"{CODEX}/data/{cid}{tail}") == (400, b"Incorrect Cid")
        status, body = call(node, method, f"{QUIRE}/data/{cid}{tail}")
        assert (status, json.loads(body)["code"]) == (400, "bad-cid")
    for path in ("", "/why", "/fetch"):
        status, body = call(node, "GET", f"{QUIRE}/datasets/{cid}{path}")
        assert (status, json.loads(body)["code"]) == (400, "bad-cid")
    until_held(node, before)


@pytest.mark.parametrize("command", ["get", "stat", "rm", "fetch", "why"])
def test_what_is_no_cid_ends_every_command_with_2(pair, command):
    node, before = pair
    for flags in ([], ["--json"] if command != "get" else []):
        done = quire(command, UNKNOWN[:-1], *flags, api=node.api)
        assert (done.code, done.out) == (2, b"")
        assert UNKNOWN[:-1] in done.err
        assert "manifest CID" in done.err
    until_held(node, before)


@pytest.mark.parametrize(("method", "tail"), NETWORK)
def test_an_unknown_cid_is_answered_in_the_time_that_the_caller_sets(pair, method, tail):
    node, before = pair
    started = time.monotonic()
    status, body = call(node, method, f"{QUIRE}/data/{UNKNOWN}{tail}?timeout=2")
    took = time.monotonic() - started
    answer = json.loads(body)
    assert (status, answer["code"]) == (404, "unknown-dataset")
    assert UNKNOWN in answer["message"]
    assert 1.5 < took < 2 + GRACE_SECONDS
    status, body = call(node, method, f"{CODEX}/data/{UNKNOWN}{tail}?timeout=0.2s")
    assert status == 404
    assert UNKNOWN in body.decode()
    until_held(node, before)


@pytest.mark.parametrize("command", ["get", "fetch"])
def test_the_command_ends_in_the_time_that_the_caller_sets(pair, command, tmp_path):
    node, before = pair
    target = ["-o", str(tmp_path / "never")] if command == "get" else []
    started = time.monotonic()
    done = quire(command, UNKNOWN, *target, "--timeout", "2", api=node.api)
    assert time.monotonic() - started < 2 + GRACE_SECONDS
    assert done.code == 3
    assert UNKNOWN in done.err
    assert list(tmp_path.iterdir()) == []
    until_held(node, before)


def test_without_a_timeout_it_is_30_seconds():
    assert "[30.0]" in quire("node", "--help").out.decode()


@pytest.mark.parametrize("cid", WRONG)
def test_a_cid_of_another_kind_is_answered_at_once_and_in_words(pair, cid):
    node, before = pair
    started = time.monotonic()
    for method, tail in NETWORK:
        status, body = call(node, method, f"{CODEX}/data/{cid}{tail}")
        assert (status, body) == (404, b"Unable to decode as manifest")
        status, body = call(node, method, f"{QUIRE}/data/{cid}{tail}")
        assert status == 404
        assert "not a manifest CID" in json.loads(body)["message"]
    assert call(node, "GET", f"{CODEX}/data/{cid}")[0] == 404
    assert call(node, "DELETE", f"{CODEX}/data/{cid}")[0] == 204
    assert json.loads(call(node, "GET", f"{CODEX}/data/{cid}/exists")[1])["has"] is False
    status, body = call(node, "POST", f"{QUIRE}/datasets/{cid}/fetch")
    assert (status, "not a manifest CID" in body.decode()) == (404, True)
    assert time.monotonic() - started < GRACE_SECONDS
    until_held(node, before)


def test_a_block_is_searched_for_as_a_block_and_names_no_dataset(pair):
    node, before = pair
    for base in (CODEX, QUIRE):
        status, body = call(node, "GET", f"{base}/data/{BLOCK}/network/stream?timeout=0.5")
        assert (status, BLOCK in body.decode()) == (404, True)
        assert call(node, "GET", f"{base}/data/{BLOCK}")[0] == 404
        assert call(node, "DELETE", f"{base}/data/{BLOCK}")[0] == 204
        assert json.loads(call(node, "GET", f"{base}/data/{BLOCK}/exists")[1])["has"] is False
    for method, tail in (("GET", "/network/manifest"), ("POST", "/network")):
        answer = call(node, method, f"{CODEX}/data/{BLOCK}{tail}")
        assert answer == (404, b"Unable to decode as manifest")
    until_held(node, before)


@pytest.mark.parametrize("command", ["get", "fetch"])
def test_a_cid_of_another_kind_ends_the_command_with_3(pair, command):
    node, before = pair
    done = quire(command, WRONG[0], api=node.api)
    assert (done.code, done.out) == (3, b"")
    assert "not a manifest CID" in done.err
    until_held(node, before)
