"""What keeps a node from starting: a taken port, open permissions, another node's data."""

import os
import socket

import pytest

from quire.faces.local import LocalNode
from support.cluster import CODEX, call, held, put, until_held
from support.command import quire


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with LocalNode(tmp_path_factory.mktemp("start") / "node") as node:
        yield node


def start(directory, *arguments):
    done = quire("node", "--data-dir", str(directory), "--api-port", "0", *arguments)
    assert "Traceback" not in done.err
    assert done.out == b""
    assert not (directory / "node.json").exists()
    return done


def test_a_second_node_on_the_same_data_is_refused_and_the_first_goes_on(node):
    before = held(node)
    arguments = ["--listen", "/ip4/127.0.0.1/tcp/0"]
    done = quire("node", "--data-dir", str(node.data_dir), "--api-port", "0", *arguments)
    assert done.code == 7
    assert "in use by another" in done.err
    assert "--data-dir" in done.err
    until_held(node, before)
    assert (node.data_dir / "node.json").exists()


def test_a_taken_api_port_ends_with_7(node, tmp_path):
    port = node.api.rpartition(":")[2]
    done = quire("node", "--data-dir", str(tmp_path / "n"), "--api-port", port)
    assert done.code == 7
    assert port in done.err
    assert "another port" in done.err
    with LocalNode(tmp_path / "n"):  # nothing stands in the way of the next start
        pass


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_a_taken_port_for_peers_ends_with_7(tmp_path, kind):
    kinds = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
    with socket.socket(socket.AF_INET, kinds[kind]) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == "tcp":
            taken.listen()
        port = taken.getsockname()[1]
        tail = "/quic-v1" if kind == "udp" else ""
        done = start(tmp_path / "n", "--listen", f"/ip4/127.0.0.1/{kind}/{port}{tail}")
    assert done.code == 7
    assert str(port) in done.err


def test_the_port_of_another_node_for_peers_is_taken_too(node, tmp_path):
    address = node.address.partition("/p2p/")[0]
    done = start(tmp_path / "n", "--listen", address)
    assert done.code == 7
    assert "taken" in done.err


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o777])
def test_a_key_that_others_can_read_ends_with_7(tmp_path, mode):
    with LocalNode(tmp_path / "n") as node:
        peer = node.peer_id
    key = tmp_path / "n" / "key"
    assert key.stat().st_mode & 0o777 == 0o600
    os.chmod(key, mode)
    done = start(tmp_path / "n")
    assert done.code == 7
    assert "chmod 600" in done.err
    assert key.stat().st_mode & 0o777 == mode
    os.chmod(key, 0o600)
    with LocalNode(tmp_path / "n") as node:
        assert node.peer_id == peer


@pytest.mark.parametrize("content", [b"", b"short", b"\x08\x02\x12\x20" + bytes(32), bytes(36)])
def test_a_key_that_is_none_is_said_and_kept(tmp_path, content):
    (tmp_path / "n").mkdir(mode=0o700)
    key = tmp_path / "n" / "key"
    key.write_bytes(content)
    key.chmod(0o600)
    done = start(tmp_path / "n")
    assert done.code in (2, 6, 7)
    assert "key" in done.err
    assert key.read_bytes() == content


def test_the_node_that_runs_is_untouched_by_all_this(node):
    cid = put(node, b"still here")
    assert call(node, "GET", f"{CODEX}/data/{cid}") == (200, b"still here")
