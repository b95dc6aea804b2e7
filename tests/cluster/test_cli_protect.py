"""quire protect and quire slots: what people type, what they get, also after a kill."""

import random

import pytest

from quire.faces.local import LocalNode
from quire.formats.cid import manifest_cid
from support.command import quire
from support.protect_kit import det
from support.vectors import load

ROW = next(row for row in load("protected.json")["accept"] if row["name"] == "det(655360) 4+2")
UNKNOWN = str(manifest_cid(b"nobody has this"))


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    directory = tmp_path_factory.mktemp("cli") / "node"
    with LocalNode(directory, arguments=["--storage-quota", "64m"]) as node:
        yield node


def put(node, data):
    return quire("put", "--plain", "--no-name", "-", "--json", api=node.api, stdin=data).json["cid"]


def test_protect_prints_the_cid_and_slots_shows_what_is_here(node):
    cid = put(node, det(ROW["size"]))
    made = quire("protect", cid, "-k", "4", "-m", "2", "--json", api=node.api)
    assert made.code == 0
    stat = quire("stat", made.json["cid"], "--json", api=node.api).json
    assert stat["manifest"]["verifiable"]
    assert made.json["slotRoots"] == ROW["slotRootCids"]
    assert made.json["verifyRoot"] == ROW["verifyRootCid"]
    assert made.json["treeCid"] == ROW["treeCid"]
    again = quire("protect", cid, "-k", "4", "-m", "2", api=node.api)
    assert again.out.decode().strip() == made.json["cid"]
    shown = quire("slots", made.json["cid"], "--json", api=node.api).json
    assert [slot["presentBlocks"] for slot in shown["slots"]] == [3, 3, 3, 1, 3, 3]
    text = quire("slots", made.json["cid"], api=node.api).out.decode()
    assert "4 data and 2 parity slots of 256.0 KiB" in text
    assert all(root in text for root in ROW["slotRootCids"])


def test_a_protected_file_is_got_as_it_was_put(node, tmp_path):
    data = random.Random(5).randbytes((3 << 20) + 77)
    made = quire("protect", put(node, data), "-k", "4", "-m", "2", "--json", api=node.api).json
    target = tmp_path / "back"
    got = quire("get", made["cid"], "-o", str(target), "--json", api=node.api)
    assert (got.code, got.json["bytes"], got.json["verified"]) == (0, len(data), True)
    assert target.read_bytes() == data
    assert quire("get", made["cid"], api=node.api).out == data


def test_a_protected_directory_is_a_directory(node, tmp_path):
    files = {"a": random.Random(6).randbytes(700_000), "sub/b": b"small"}
    for name, data in files.items():
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    plain = quire("put", "--plain", str(tmp_path / "tree"), api=node.api).out.decode().strip()
    cid = quire("protect", plain, "-k", "3", "-m", "2", api=node.api).out.decode().strip()
    assert quire("get", cid, "-o", str(tmp_path / "back"), api=node.api).code == 0
    assert {name: (tmp_path / "back" / name).read_bytes() for name in files} == files
    one = quire("get", f"{cid}/sub/b", "-o", str(tmp_path / "b"), api=node.api)
    assert (one.code, (tmp_path / "b").read_bytes()) == (0, b"small")


def test_a_name_stands_for_the_dataset(node):
    cid = put(node, det(ROW["size"]))
    quire("name", "mine", cid, api=node.api)
    made = quire("protect", "@mine", "-k", "2", "-m", "2", "--json", api=node.api)
    assert made.code == 0
    assert len(made.json["slotRoots"]) == 4


def test_protect_returns_at_once_and_is_cancelled_when_asked(node):
    cid = put(node, random.Random(3).randbytes(8 << 20))
    begun = quire("protect", cid, "-k", "8", "-m", "4", "--no-wait", "--json", api=node.api)
    assert begun.json["state"] in ("waiting", "coding")
    cancelled = quire("protect", cid, "--cancel", "--json", api=node.api)
    assert (cancelled.code, cancelled.json["state"]) == (0, "cancelled")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("-k", "1", "-m", "1"), 2, "K = 1"),
        (("-k", "2", "-m", "3"), 2, "M = 3"),
        (("-k", "200", "-m", "57"), 2, "K + M = 257"),
        (("-k", "11", "-m", "2"), 2, str(11 * 65536)),
        (("-k", "4"), 2, "how many rows"),
        ((), 2, "how many rows"),
    ],
)
def test_rows_that_do_not_fit_are_refused_in_words(node, arguments, code, words):
    cid = put(node, det(ROW["size"]))
    refused = quire("protect", cid, *arguments, api=node.api)
    assert refused.code == code
    assert words in refused.err


def test_what_is_not_here_is_said(node):
    assert quire("protect", UNKNOWN, "-k", "2", "-m", "1", api=node.api).code == 3
    assert quire("slots", UNKNOWN, api=node.api).code == 3
    assert quire("slots", put(node, det(70_000)), api=node.api).code == 2


def test_a_full_quota_is_said_and_leaves_nothing(tmp_path):
    with LocalNode(tmp_path / "node", arguments=["--storage-quota", "1m"]) as node:
        cid = put(node, random.Random(4).randbytes(10 * 65536))
        refused = quire("protect", cid, "-k", "2", "-m", "2", api=node.api)
        assert refused.code == 4
        assert "do not fit" in refused.err
        assert quire("protect", cid, "-k", "4", "-m", "2", "--no-wait", api=node.api).code == 0


def test_after_a_kill_the_same_command_ends_with_the_same_result(tmp_path):
    data = det(6 << 20)
    directory = tmp_path / "node"
    with LocalNode(directory) as node:
        cid = put(node, data)
        quire("protect", cid, "-k", "5", "-m", "3", "--no-wait", api=node.api)
        node.kill()
    with LocalNode(directory) as node:
        made = quire("protect", cid, "-k", "5", "-m", "3", "--json", api=node.api)
        assert made.code == 0
        assert quire("get", made.json["cid"], api=node.api).out == data
