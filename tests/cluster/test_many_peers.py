"""One fetch from several real nodes at once, and a node that dies in the middle of it."""

import hashlib
import random
import time

import pytest

from quire.faces.local import LocalNode
from support.cluster import CODEX, QUIRE, ask, call, put, until
from support.command import quire

SIZE = 64 << 20


@pytest.fixture(scope="module")
def holders(tmp_path_factory):
    """Three nodes that hold the same dataset; its CID and SHA-256."""
    directory = tmp_path_factory.mktemp("holders")
    data = random.Random(64).randbytes(SIZE)
    first = LocalNode(directory / "h1").start()
    nodes = [first]
    try:
        for name in ("h2", "h3"):
            nodes += [LocalNode(directory / name, bootstrap=[first.address]).start()]
        cids = {put(node, data) for node in nodes}
        assert len(cids) == 1
        yield nodes, cids.pop(), hashlib.sha256(data).digest()
    finally:
        for node in nodes:
            node.stop()


def joined(directory, nodes):
    """A node connected to all holders."""
    node = LocalNode(directory / "node", bootstrap=[n.address for n in nodes]).start()
    until(lambda: len(ask(node, "/peers")["peers"]) >= len(nodes), "not connected to all")
    return node


def digest_of(node, cid):
    status, body = call(node, "GET", f"{CODEX}/data/{cid}")
    assert status == 200
    return hashlib.sha256(body).digest()


def test_all_who_have_it_contribute_and_the_ledgers_agree(tmp_path, holders):
    nodes, cid, digest = holders
    node = joined(tmp_path, nodes)
    try:
        done = quire("fetch", cid, "--json", api=node.api)
        assert done.code == 0, done.err
        assert digest_of(node, cid) == digest
        received = {p["peerId"]: p["receivedBytes"] for p in ask(node, "/peers")["peers"]}
        for holder in nodes:
            assert received[holder.peer_id] >= 1 << 20
            told = {p["peerId"]: p["sentBytes"] for p in ask(holder, "/peers")["peers"]}
            assert told[node.peer_id] >= received[holder.peer_id]
        assert SIZE <= sum(received.values()) <= SIZE + (1 << 16)
        assert "received" in quire("peers", api=node.api).out.decode()
    finally:
        assert node.stop() == 0
    until(lambda: node.peer_id in [p["peerId"] for p in ask(nodes[0], "/peers")["past"]])


def test_one_that_is_killed_midway_does_not_stop_the_fetch(tmp_path, holders):
    nodes, cid, digest = holders
    node = joined(tmp_path, nodes)
    victim = nodes[2]
    try:
        assert call(node, "POST", f"{QUIRE}/datasets/{cid}/fetch")[0] == 202
        path = f"/datasets/{cid}/fetch"
        until(lambda: ask(node, path)["verifiedBytes"] > 0, "nothing came")
        victim.kill()
        at_death = ask(node, path)["verifiedBytes"]
        end = time.monotonic() + 30
        while (state := ask(node, path))["state"] not in ("complete", "failed"):
            assert time.monotonic() < end, state
            time.sleep(0.02)
        assert state["state"] == "complete", state
        assert at_death < SIZE
        assert digest_of(node, cid) == digest
        assert ask(node, f"/datasets/{cid}")["complete"]
    finally:
        assert node.stop() == 0
