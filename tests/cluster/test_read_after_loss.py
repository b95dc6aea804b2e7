"""Six nodes hold a slot each of a 4 + 2 dataset; two are killed. It is read, and made whole."""

from __future__ import annotations

import hashlib
import json
import random

import pytest

from quire.faces.local import LocalNode
from support.cluster import QUIRE, ask, call, put, until
from support.command import quire

SIZE = 24 << 20
BLOCK = 65_536
STEPS = SIZE // BLOCK // 4


class Holders:
    """A protected dataset, and the nodes that hold its slots by number."""

    def __init__(self, cid, digest, nodes):
        self.cid, self.digest, self.nodes = cid, digest, nodes

    def kill(self, *slots):
        for slot in slots:
            self.nodes.pop(slot).kill()

    def join(self, directory):
        """A node that knows all that are left."""
        node = LocalNode(directory, bootstrap=[n.address for n in self.nodes.values()]).start()
        until(lambda: len(ask(node, "/peers")["peers"]) >= len(self.nodes), "not connected")
        return node

    def received(self, node):
        """Bytes that a node took from those that are left."""
        peers = {p["peerId"]: p["receivedBytes"] for p in ask(node, "/peers")["peers"]}
        return sum(peers[each.peer_id] for each in self.nodes.values())


@pytest.fixture(scope="module")
def holders(tmp_path_factory):
    directory = tmp_path_factory.mktemp("holders")
    data = random.Random(24).randbytes(SIZE)
    nodes = {}
    with LocalNode(directory / "owner") as owner:
        plain = put(owner, data)
        made = quire("protect", plain, "-k", "4", "-m", "2", "--json", api=owner.api)
        assert made.code == 0, made.err
        cid = made.json["cid"]
        try:
            for slot in range(6):
                nodes[slot] = LocalNode(
                    directory / f"slot-{slot}", bootstrap=[owner.address]
                ).start()
                taken = quire("slot", "take", cid, "--slot", str(slot), api=nodes[slot].api)
                assert taken.code == 0, taken.err
        except BaseException:
            for node in nodes.values():
                node.stop()
            raise
    it = Holders(cid, hashlib.sha256(data).digest(), nodes)
    try:
        yield it
    finally:
        for node in it.nodes.values():
            node.stop()


def test_a_rebuild_goes_on_after_a_kill(tmp_path, holders):
    it = holders
    victim = it.join(tmp_path / "victim")
    path = f"/datasets/{it.cid}/slots/1/rebuild"
    assert call(victim, "POST", f"{QUIRE}{path}?with=2")[0] == 202
    until(lambda: ask(victim, path)["verifiedBytes"] >= 2 << 20, "nothing was rebuilt")
    before = ask(victim, path)
    victim.kill()
    again = it.join(tmp_path / "victim")
    try:
        done = quire("rebuild", it.cid, "--slot", "1", "--slot", "2", "--json", api=again.api)
        assert done.code == 0, json.dumps(before) + done.err
        assert done.json["verifiedBytes"] == 2 * STEPS * BLOCK
        if before["state"] == "rebuilding":
            assert done.json["writtenBlocks"] < 2 * STEPS
    finally:
        assert again.stop() == 0


def test_it_is_read_through_a_seventh_node_and_rebuilt_on_new_ones(tmp_path, holders):
    it = holders
    it.kill(0, 3)
    reader = it.join(tmp_path / "reader")
    try:
        got = quire("get", it.cid, api=reader.api)
        assert got.code == 0, got.err
        assert hashlib.sha256(got.out).digest() == it.digest
        assert it.received(reader) <= SIZE * 1.02 + (1 << 20)  # four rows, whatever is lost
        why = quire("why", it.cid, "--json", api=reader.api).json
        assert "dataset.decoding" in [event["kind"] for event in why["events"]]
    finally:
        assert reader.stop() == 0

    new = it.join(tmp_path / "new")
    done = quire("rebuild", it.cid, "--slot", "0", "--slot", "3", "--json", api=new.api)
    assert done.code == 0, done.err
    assert (done.json["readBlocks"], done.json["writtenBlocks"]) == (4 * STEPS, 2 * STEPS)
    used = ask(new, "/space")["quotaUsedBytes"]
    assert 2 * STEPS * BLOCK <= used < 2 * STEPS * BLOCK + (1 << 20)  # no source row is kept
    it.nodes[0] = new

    it.kill(1, 2)  # two more than the dataset survives without the rebuilt slots
    last = it.join(tmp_path / "last")
    try:
        got = quire("get", it.cid, api=last.api)
        assert got.code == 0, got.err
        assert hashlib.sha256(got.out).digest() == it.digest
    finally:
        assert last.stop() == 0
