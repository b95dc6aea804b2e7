"""A node that is started with the reference's options and syntax, as in an operator's script."""

import json
from urllib.request import urlopen

import pytest

from quire.faces.local import LocalNode
from support.cluster import CODEX, ask, call, put
from support.command import quire


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    folder = tmp_path_factory.mktemp("options")
    arguments = [
        "--listen-addrs:/ip4/127.0.0.1/tcp/0", "--storage-quota:1gb", "--block-ttl=10m",
        "--block-mi:5m", "--block-mn=50", "--nat:none", "--api-cors-origin=*", "--max-peers:7",
        "--log-level:debug", "--log-format=none", f"--log-file={folder / 'quire.log'}",
        "--metrics", "--metrics-port:0", "--num-threads=2", "--agent-string:Codex",
        "--disc-port=8090", "--repo-kind:fs", "--block-retries=3000", "-c=0",
    ]  # fmt: skip
    with LocalNode(folder / "node", arguments=arguments) as started:
        yield started


def test_options_that_mean_something_count(node):
    space = json.loads(call(node, "GET", f"{CODEX}/space")[1])
    assert space["quotaMaxBytes"] == 1 << 30
    cid = put(node, b"x")
    stat = ask(node, f"/datasets/{cid}")
    assert round(stat["expiresAt"] - stat["createdAt"]) == 600
    with urlopen(f"{node.api}{CODEX}/space") as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_options_that_mean_nothing_are_warned_of_in_one_line_each(node):
    lines = node.log_path.read_text().splitlines()
    for name in ("disc-port", "repo-kind", "block-retries", "cache-size"):
        assert sum(line.startswith(f"quire: {name} has no effect here") for line in lines) == 1


def test_the_log_goes_to_its_file_and_metrics_to_their_port(node):
    log = (node.data_dir.parent / "quire.log").read_text()
    assert "Started codex node" in log
    assert "Started" not in node.log_path.read_text()
    line = next(line for line in log.splitlines() if "metrics at" in line)
    url = line.split("metrics at ")[1].split("/metrics")[0]
    with urlopen(f"{url}/metrics") as answer:
        assert b"codex_repostore_bytes_used" in answer.read()
    with urlopen(f"{url}/health") as answer:
        assert answer.read() == b"OK"


def test_variables_of_the_reference_count(tmp_path, monkeypatch):
    monkeypatch.setenv("CODEX_STORAGE_QUOTA", "2g")
    monkeypatch.setenv("CODEX_HOME", str(tmp_path))  # of another program
    with LocalNode(tmp_path / "node") as node:
        space = json.loads(call(node, "GET", f"{CODEX}/space")[1])
        assert space["quotaMaxBytes"] == 2 << 30


@pytest.mark.parametrize(
    "arguments", [["persistence"], ["--storage-quota=1g", "persistence", "prover"],
                  ["--eth-provider=ws://localhost:8545"]]
)  # fmt: skip
def test_a_market_without_an_account_ends_the_start_with_the_reason(tmp_path, arguments):
    done = quire("node", "--data-dir", str(tmp_path / "n"), *arguments)
    assert done.code == 2
    assert "Persistence enabled, but no Ethereum account was set" in done.err
    assert "--eth-private-key" in done.err


def test_a_taken_port_for_metrics_ends_with_7(node, tmp_path):
    port = node.api.rpartition(":")[2]
    arguments = ["--metrics", f"--metrics-port={port}", "--api-port=0"]
    done = quire("node", "--data-dir", str(tmp_path / "n"), *arguments)
    assert done.code == 7
    assert port in done.err
    assert not (tmp_path / "n" / "node.json").exists()


def test_an_empty_file_goes_up_and_comes_down(node, tmp_path):
    (tmp_path / "empty").touch()
    done = quire("put", "--plain", str(tmp_path / "empty"), "--json", api=node.api)
    assert done.code == 0, done.err
    cid = done.json["cid"]
    assert done.json["bytes"] == 0
    back = quire("get", cid, "-o", str(tmp_path / "back"), api=node.api)
    assert back.code == 0, back.err
    assert (tmp_path / "back").read_bytes() == b""
    piped = quire("put", "--plain", "-", "--json", api=node.api)
    assert piped.json["cid"] != cid  # it has no name
    assert quire("rm", cid, api=node.api).code == 0
