"""Diagram A with real processes: a file put on one node outlives that node."""

import hashlib
import random
import time

from quire.faces.local import LocalNode
from support.command import quire

SIZE = 24 * 1024 * 1024 + 12345


def test_a_file_outlives_the_node_it_was_put_on(tmp_path):
    data = random.Random(24).randbytes(SIZE)
    file = tmp_path / "file.bin"
    file.write_bytes(data)
    with (
        LocalNode(tmp_path / "client") as client,
        LocalNode(tmp_path / "host1", bootstrap=[client.address]) as host1,
        LocalNode(tmp_path / "host2", bootstrap=[host1.address]) as host2,
    ):
        put = quire("put", "--plain", str(file), "--json", api=client.api)
        assert put.code == 0, put.err
        cid = put.json["cid"]

        fetched = quire("fetch", cid, "--json", "--timeout", "30s", api=host1.api)
        assert fetched.code == 0, fetched.err
        assert fetched.json["state"] == "complete"

        client.kill()

        back = tmp_path / "back.bin"
        got = quire("get", cid, "-o", str(back), "--json", "--timeout", "30s", api=host2.api)
        assert got.code == 0, got.err
        assert got.json["verified"]
        assert hashlib.sha256(back.read_bytes()).digest() == hashlib.sha256(data).digest()

        stat = quire("stat", cid, "--json", api=host1.api).json
        assert stat["complete"]
        peers = quire("peers", "--json", api=host2.api).json["peers"]
        assert host1.peer_id in [peer["peerId"] for peer in peers]


def test_a_node_that_is_told_to_stop_ends_at_once_and_cleanly(tmp_path):
    node = LocalNode(tmp_path / "node").start()
    assert (tmp_path / "node" / "node.json").exists()
    started = time.monotonic()
    assert node.stop() == 0
    assert time.monotonic() - started < 15
    assert not (tmp_path / "node" / "node.json").exists()


def test_what_was_acknowledged_before_a_kill_is_there_after_a_restart(tmp_path):
    with LocalNode(tmp_path / "node") as node:
        cid = quire("put", "--plain", "-", "--json", api=node.api, stdin=b"some bytes").json["cid"]
        node.kill()
    with LocalNode(tmp_path / "node") as node:
        assert quire("get", cid, api=node.api).out == b"some bytes"
