"""The command line: what people type, what they get, and the exit code of what went wrong."""

import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys

import pytest

from quire.faces.local import LocalNode
from quire.formats.cid import manifest_cid, tree_cid
from support.command import quire

DATA = random.Random(7).randbytes(300_000)
UNKNOWN = str(manifest_cid(b"nobody has this"))
TREE = str(tree_cid(bytes(32)))


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    directory = tmp_path_factory.mktemp("cli") / "node"
    with LocalNode(directory, arguments=["--storage-quota", "64m"]) as node:
        yield node


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "some data.bin"
    path.write_bytes(DATA)
    return path


def test_put_prints_the_cid_and_get_gives_the_bytes_back(node, file, tmp_path):
    put = quire("put", "--plain", str(file), api=node.api)
    assert put.code == 0
    cid = put.out.decode().strip()
    assert cid.startswith("zDv")
    assert quire("get", cid, api=node.api).out == DATA
    target = tmp_path / "back"
    got = quire("get", cid, "-o", str(target), "--json", api=node.api)
    assert got.json["verified"]
    assert target.read_bytes() == DATA
    assert sorted(p.name for p in tmp_path.iterdir()) == ["back", "some data.bin"]


def test_put_with_and_without_a_name(node, file):
    named = quire("put", "--plain", str(file), "--json", api=node.api).json["cid"]
    bare = quire("put", "--plain", "--no-name", str(file), "--json", api=node.api).json["cid"]
    piped = quire("put", "--plain", "-", "--json", api=node.api, stdin=DATA).json["cid"]
    assert bare == piped != named
    stat = quire("stat", named, "--json", api=node.api).json
    assert stat["manifest"]["filename"] == "some data.bin"
    assert quire("stat", bare, "--json", api=node.api).json["manifest"]["filename"] is None
    other = quire("put", "--plain", "--name", "é.txt", str(file), "--json", api=node.api).json[
        "cid"
    ]
    assert quire("stat", other, "--json", api=node.api).json["manifest"]["mimetype"] == "text/plain"


def test_ls_stat_why_peers_id_doctor_answer_in_words_and_in_json(node, file):
    cid = quire("put", "--plain", str(file), "--json", api=node.api).json["cid"]
    for command in (["ls"], ["stat", cid], ["why", cid], ["peers"], ["id"], ["doctor"]):
        words = quire(*command, api=node.api)
        assert (words.code, words.out.count(b"Traceback")) == (0, 0), words.err
        assert isinstance(quire(*command, "--json", api=node.api).json, dict)
    assert cid in quire("ls", api=node.api).out.decode()
    assert quire("id", api=node.api).out.decode().startswith(node.peer_id)


def test_rm_deletes_and_says_when_there_is_nothing(node):
    cid = quire("put", "--plain", "-", "--json", api=node.api, stdin=b"to be deleted").json["cid"]
    assert quire("rm", cid, api=node.api).code == 0
    again = quire("rm", cid, api=node.api)
    assert again.code == 3
    assert cid in again.err


def test_fetch_of_what_is_here_ends_at_once(node):
    cid = quire("put", "--plain", "-", "--json", api=node.api, stdin=b"here already").json["cid"]
    assert quire("fetch", cid, "--json", api=node.api).json["state"] == "complete"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["get", "notacid"], 2, "is not a CID"),
        (["stat", "z0OIl"], 2, "is not a CID"),
        (["get", UNKNOWN, "--timeout", "0.5s"], (3, 8), UNKNOWN),
        (["fetch", UNKNOWN, "--timeout", "0.5s"], (3, 8), UNKNOWN),
        (["get", TREE], 3, "does not name a dataset"),
        (["stat", UNKNOWN], 3, "not on this node"),
        (["put", "/does/not/exist", "--plain"], 2, "cannot be read"),
        (["get", UNKNOWN, "--timeout", "soon"], 2, "is not a duration"),
        (["get", UNKNOWN, "--json"], 2, "-o FILE"),
        (["wat"], 2, "No such command"),
        (["put"], 2, "Missing argument"),
    ],
)
def test_what_goes_wrong_is_said_with_its_exit_code(node, arguments, code, words):
    done = quire(*arguments, api=node.api)
    assert done.code in (code if isinstance(code, tuple) else (code,)), done.err
    assert words in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("arguments", [["wat"], ["get", UNKNOWN, "--timeout", "soon"], ["put"]])
def test_a_usage_error_is_json_too_when_asked_for(arguments):
    done = quire(*arguments, "--json")
    assert (done.code, done.out) == (2, b"")
    assert json.loads(done.err)["code"] == "input"


@pytest.mark.skipif(shutil.which("script") is None, reason="script(1) makes the terminal")
def test_on_a_terminal_progress_shows_bytes_rate_and_time_to_go(node, file, tmp_path):
    cid = quire("put", "--plain", str(file), "--json", api=node.api).json["cid"]
    base = f"{sys.executable} -m quire.faces.cli.main --api {node.api}"
    with LocalNode(tmp_path / "other", bootstrap=[node.address]) as other:
        shown = {}
        for name, command in {
            "put": f"{base} put --plain '{file}'",
            "get": f"{base} get {cid} -o '{tmp_path / 'copy'}'",
            "fetch": f"{base.replace(node.api, other.api)} fetch {cid}",
        }.items():
            done = subprocess.run(
                ["script", "-qec", command, "/dev/null"],
                stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60,
                env=os.environ | {"TERM": "xterm", "COLUMNS": "100",
                                  "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            )  # fmt: skip
            shown[name] = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", done.stdout.decode())
    for name, text in shown.items():
        assert f"{name} " in text
        assert "293.0/293.0 KiB" in text, text
        assert re.search(r"\d+:\d\d:\d\d", text)
        assert "B/s" in text or name == "fetch"  # too small to have a rate


def test_an_empty_stream_is_a_dataset_of_no_bytes(node):
    put = quire("put", "--plain", "-", "--json", api=node.api)
    assert put.code == 0, put.err
    got = quire("get", put.json["cid"], api=node.api)
    assert (got.code, got.out) == (0, b"")


def test_a_full_quota_leaves_nothing(node, tmp_path):
    before = quire("ls", "--json", api=node.api).json
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(128 << 20)
    full = quire("put", "--plain", str(large), "--json", api=node.api)
    assert full.code == 4
    assert json.loads(full.err)["code"] == "quota-exceeded"
    assert quire("ls", "--json", api=node.api).json == before


def test_a_failed_get_leaves_no_file(node, tmp_path):
    target = tmp_path / "never"
    assert quire("get", UNKNOWN, "-o", str(target), "--timeout", "0.5s", api=node.api).code in (
        3,
        8,
    )
    assert list(tmp_path.iterdir()) == []
    nowhere = str(tmp_path / "no" / "place")
    assert quire("get", UNKNOWN, "-o", nowhere, "--timeout", "0.5s", api=node.api).code != 0


def test_without_a_node_the_exit_code_is_7_and_the_words_say_what_to_do():
    done = quire("ls", api="http://127.0.0.1:9")
    assert done.code == 7
    assert "quire node" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--api-port", "99999"], 2, "api-port"),
        (["--storage-quota", "lots"], 2, "storage-quota"),
        (["--profile", "nothing"], 2, "nothing"),
        (["--bootstrap", "garbage"], 2, "garbage"),
        (["--log-level", "loud"], 2, "loud"),
        (["--config-file", "/does/not/exist"], 2, "cannot be read"),
        (["--listen", "/ip4/127.0.0.1"], 2, "/ip4/127.0.0.1"),
        (["--data-dir", "/proc/nothing/here"], 7, "data directory"),
    ],
)
def test_a_node_that_cannot_start_says_why(tmp_path, arguments, code, words):
    given = [] if "--data-dir" in arguments else ["--data-dir", str(tmp_path / "node")]
    done = quire("node", "--api-port", "0", *given, *arguments)
    assert done.code == code, done.err
    assert words in done.err
    assert "Traceback" not in done.err


def test_a_variable_with_a_typo_is_refused_with_the_nearest_name(tmp_path):
    done = quire("node", "--data-dir", str(tmp_path), QUIRE_STORAGE_QUOTAS="1g")
    assert done.code == 2
    assert "storage-quota" in done.err


def test_a_node_on_a_taken_port_or_with_an_open_key_ends_with_7(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = quire("node", "--data-dir", str(tmp_path / "n"), "--api-port", port)
    assert done.code == 7
    assert port in done.err
    os.chmod(tmp_path / "n" / "key", 0o644)
    done = quire("node", "--data-dir", str(tmp_path / "n"), "--api-port", "0")
    assert done.code == 7
    assert "chmod 600" in done.err
    examined = quire("doctor", "--data-dir", str(tmp_path / "n"), api="http://127.0.0.1:9")
    assert examined.code == 7
    assert "PROBLEM" in examined.out.decode()


def test_a_node_takes_its_settings_from_a_file_and_its_token_from_another(tmp_path):
    token = tmp_path / "token"
    token.write_text("a-token-of-some-length")
    token.chmod(0o600)
    config = tmp_path / "quire.toml"
    config.write_text(f'storage-quota = "5m"\napi-token-file = "{token}"\nlog-format = "json"\n')
    arguments = ["--config-file", str(config)]
    with LocalNode(tmp_path / "node", arguments=arguments) as node:
        refused = quire("ls", api=node.api)
        assert refused.code == 4
        assert "--token-file" in refused.err
        assert quire("--token-file", str(token), "ls", api=node.api).code == 0
        assert quire("ls", api=node.api, QUIRE_TOKEN_FILE=str(token)).code == 0
        log = node.log_path.read_text()
    assert "a-token-of-some-length" not in log
    assert all(json.loads(line)["lvl"] for line in log.splitlines())


def test_help_names_every_command():
    text = quire("--help").out.decode()
    for command in [
        "node",
        "put",
        "get",
        "ls",
        "rm",
        "stat",
        "peers",
        "fetch",
        "why",
        "doctor",
        "id",
        "events",
        "sim",
    ]:
        assert f"\n  {command} " in text
    assert "--storage-quota" in quire("node", "--help").out.decode()
