"""quire put and quire get go on where they were, whatever broke: the connection, the node, or the
command itself."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path

import pytest

from quire.faces.local import LocalNode
from support.breaking import Link, command, ended
from support.cluster import CODEX, ask, call, put, until
from support.command import quire

RNG = random.Random(13)
MIB = 1 << 20
DATA = RNG.randbytes(40 * MIB + 777)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "movie.bin"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def node(tmp_path):
    with LocalNode(tmp_path / "node") as node:
        yield node


def receiving(node: LocalNode) -> int:
    uploads = ask(node, "/uploads")["uploads"]
    return uploads[0]["receivedBytes"] if uploads else 0


def plain_cid(node: LocalNode, name: str) -> str:
    """The CID of an uninterrupted upload."""
    return (
        quire("put", "--plain", "-", "--name", name, api=node.api, stdin=DATA).out.decode().strip()
    )


def test_put_goes_on_after_its_connection_broke(node, file, tmp_path):
    with Link(node, up=25 * MIB) as link:
        process = command("put", "--plain", str(file), "--json", api=link.api, state=tmp_path / "s")
        code, facts, err = ended(process)
    assert (code, err) == (0, "")
    assert link.left["up"] is None
    assert facts["cid"] == plain_cid(node, file.name)
    assert ask(node, "/space")["quotaReservedBytes"] == 0


def begun(node, file, tmp_path, *options):
    """A put that has sent some of the file and waits: the command, and the line that stalls."""
    link = Link(node, up=25 * MIB, stalls=True)
    arguments = ("put", "--plain", str(file), "--json", *options)
    process = command(*arguments, api=link.api, state=tmp_path / "s")
    until(lambda: receiving(node) > 20 * MIB, "the upload did not begin")
    return process, link


def test_put_goes_on_after_the_node_was_killed_and_started_again(file, tmp_path):
    with LocalNode(tmp_path / "node") as node:
        process, link = begun(node, file, tmp_path, "--patience", "40s")
        port = node.api.rpartition(":")[2]
        node.kill()
    with link, LocalNode(tmp_path / "node", arguments=["--api-port", port]) as node:
        link._is_over.set()
        code, facts, err = ended(process)
        assert (code, err) == (0, "")
        assert facts["cid"] == plain_cid(node, file.name)


def test_put_that_was_killed_is_resumed_by_the_next_one(node, file, tmp_path):
    process, link = begun(node, file, tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with link:
        process = command("put", "--plain", str(file), "--json", api=link.api, state=tmp_path / "s")
        code, facts, _ = ended(process)
    assert code == 0
    assert facts["resumedBytes"] > 20 * MIB
    assert facts["cid"] == plain_cid(node, file.name)
    assert [each["state"] for each in ask(node, "/uploads")["uploads"]] == ["complete"]
    assert not list((tmp_path / "s" / "quire" / "uploads").glob("*.json"))


def test_put_begins_anew_when_the_file_is_another(node, file, tmp_path):
    process, link = begun(node, file, tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    os.utime(file, (1, 1))
    with link:
        process = command("put", "--plain", str(file), "--json", api=link.api, state=tmp_path / "s")
        code, facts, _ = ended(process)
    assert (code, facts["resumedBytes"]) == (0, 0)


def test_put_without_patience_ends_in_words_when_the_node_stays_away(file, tmp_path):
    with LocalNode(tmp_path / "node") as node:
        process, link = begun(node, file, tmp_path, "--patience", "1s")
        with link:
            node.kill()
        code, _, err = ended(process)
    assert code == 7
    assert "nothing was gained for 1.0 s" in json.loads(err)["message"]


@pytest.fixture
def stored(node):
    return put(node, DATA)


def half_received(node, cid, output, tmp_path):
    """A get that was killed in its middle; what it left."""
    part = output.with_name(output.name + ".part")
    with Link(node, down=20 * MIB, stalls=True) as link:
        process = command("get", cid, "-o", str(output), api=link.api, state=tmp_path / "s")
        until(lambda: part.exists() and part.stat().st_size > 15 * MIB, "it did not begin")
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not output.exists()
    return part


def test_get_resumes_a_half_written_file_and_says_so(node, stored, tmp_path):
    output = tmp_path / "out"
    part = half_received(node, stored, output, tmp_path)
    size = part.stat().st_size
    done = quire("get", stored, "-o", str(output), "--json", api=node.api)
    assert done.code == 0
    assert done.json["resumedBytes"] == size // 65_536 * 65_536
    assert output.read_bytes() == DATA
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith("out")) == ["out"]


def test_get_finds_what_was_damaged_in_a_half_written_file(node, stored, tmp_path):
    output = tmp_path / "out"
    part = half_received(node, stored, output, tmp_path)
    size = part.stat().st_size // 65_536 * 65_536
    with part.open("r+b") as file:
        for at in (0, 3 * MIB + 5, size - 1):
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1]))
    done = quire("get", stored, "-o", str(output), api=node.api)
    assert done.code == 0
    assert output.read_bytes() == DATA
    done_json = quire("get", stored, "-o", str(output), "--json", api=node.api).json
    assert done_json["resumedBytes"] == 0
    assert "from before" in done.err


def test_get_of_a_protected_dataset_goes_on_from_the_good_blocks(node, stored, tmp_path):
    cid = quire("protect", stored, "-k", "4", "-m", "2", api=node.api).out.decode().strip()
    output = tmp_path / "out"
    size = half_received(node, cid, output, tmp_path).stat().st_size
    done = quire("get", cid, "-o", str(output), "--json", api=node.api)
    assert done.json["resumedBytes"] == size // 65_536 * 65_536
    assert output.read_bytes() == DATA


def test_get_of_another_dataset_or_of_rubbish_begins_anew(node, stored, tmp_path):
    output = tmp_path / "out"
    other = put(node, RNG.randbytes(3 * MIB))
    part = half_received(node, stored, output, tmp_path)
    done = quire("get", other, "-o", str(output), "--json", api=node.api)
    assert (done.code, done.json["resumedBytes"]) == (0, 0)
    part.write_bytes(RNG.randbytes(60 * MIB))
    Path(f"{part}.json").write_text(json.dumps({"cid": stored}))
    done = quire("get", stored, "-o", str(output), "--json", api=node.api)
    assert (done.code, done.json["resumedBytes"]) == (0, 0)
    assert output.read_bytes() == DATA


def test_get_goes_on_by_itself_when_its_connection_broke(node, stored, tmp_path):
    with Link(node, down=20 * MIB) as link:
        done = quire("get", stored, "-o", str(tmp_path / "out"), api=link.api)
    assert done.code == 0
    assert (tmp_path / "out").read_bytes() == DATA


def test_a_file_that_only_looks_like_a_draft_is_not_touched(node, stored, tmp_path):
    (tmp_path / "out.part").write_bytes(b"mine")
    done = quire("get", stored, "-o", str(tmp_path / "out"), api=node.api)
    assert done.code == 2
    assert "not a draft" in done.err
    assert (tmp_path / "out.part").read_bytes() == b"mine"
    done = quire("get", stored, "-o", str(tmp_path / "no" / "out"), api=node.api)
    assert done.code == 2
    assert "cannot be written" in done.err


def test_the_last_byte_of_every_size_is_right(node, tmp_path):
    for size in (1, 65_535, 65_536, 65_537, 16 * 65_536, 17 * 65_536 + 1):
        data = RNG.randbytes(size)
        cid = put(node, data)
        done = quire("get", cid, "-o", str(tmp_path / "x"), api=node.api)
        assert done.code == 0, done.err
        assert (tmp_path / "x").read_bytes() == data
        assert call(node, "DELETE", f"{CODEX}/data/{cid}")[0] == 204
