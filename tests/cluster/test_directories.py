"""Directories with real processes: put, fetch, restore, resume, and what stands in the way."""

import io
import os
import random
import shutil
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from quire.faces.local import LocalNode
from support.cluster import CODEX, ask, call, held, until, until_held
from support.command import quire
from support.trees import directory_bytes, snapshot

SOURCES = Path(__file__).parents[2]
ODD_TIME = -1_234_567_890_123_456_789


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with LocalNode(tmp_path_factory.mktemp("trees") / "node") as node:
        yield node


@pytest.fixture
def tree(tmp_path):
    """A tree with everything that can be awkward."""
    top = tmp_path / "tree"
    (top / "dir" / "empty dir").mkdir(parents=True)
    (top / ".hidden").write_bytes(b"hidden")
    (top / "empty").write_bytes(b"")
    (top / "dir" / "naïve\n<&>\\.txt").write_bytes(b"odd name")
    (top / "dir" / ("n" * 200)).write_bytes(b"long name")
    (top / "big.bin").write_bytes(bytes(range(256)) * 20_000)
    (top / "run.sh").write_bytes(b"#!/bin/sh\n")
    (top / "run.sh").chmod(0o751)
    (top / "to dir").symlink_to("dir")
    (top / "outside").symlink_to("/etc/passwd")
    (top / "dangling").symlink_to("../../nothing")
    os.utime(top / "empty", ns=(ODD_TIME, ODD_TIME))
    os.utime(top / "to dir", ns=(10**18, 10**18 + 1), follow_symlinks=False)
    (top / "dir" / "empty dir").chmod(0o500)
    os.utime(top / "dir", ns=(5, 1_600_000_000_000_000_007))
    yield top
    (top / "dir" / "empty dir").chmod(0o700)


def put(node, top, *options):
    done = quire("put", "--plain", *options, str(top), "--json", api=node.api)
    assert done.code == 0, done.err
    return done.json["cid"]


def get(node, what, output):
    done = quire("get", what, "-o", str(output), "--json", "--timeout", "20s", api=node.api)
    assert done.code == 0, done.err
    return done.json


def test_our_own_sources_come_back_through_another_node_exactly(tmp_path):
    top = tmp_path / "sources"
    leave = shutil.ignore_patterns(".*", "*.so", "__pycache__", "target")
    for name in ("src", "tests", "docs", "crates"):
        shutil.copytree(SOURCES / name, top / name, ignore=leave, symlinks=True)
    with (
        LocalNode(tmp_path / "a") as a,
        LocalNode(tmp_path / "b", bootstrap=[a.address]) as b,
    ):
        cid = put(a, top)
        fetched = quire("fetch", cid, "--json", "--timeout", "30s", api=b.api)
        assert fetched.json["state"] == "complete", fetched.err
        a.kill()
        facts = get(b, cid, tmp_path / "back")
    assert facts["files"] > 200
    assert snapshot(tmp_path / "back") == snapshot(top)


def test_a_path_comes_from_another_node_without_a_fetch(tmp_path, tree):
    with (
        LocalNode(tmp_path / "a") as a,
        LocalNode(tmp_path / "b", bootstrap=[a.address]) as b,
    ):
        cid = put(a, tree)
        get(b, f"{cid}/run.sh", tmp_path / "run")
        assert (tmp_path / "run").read_bytes() == b"#!/bin/sh\n"
        assert not quire("stat", cid, "--json", api=b.api).json["complete"]
        listed = quire("ls", f"{cid}/dir", "--json", api=b.api).json["entries"]
        assert [e["path"] for e in listed] == [
            "dir/empty dir",
            "dir/naïve\n<&>\\.txt",
            f"dir/{'n' * 200}",
        ]


def test_a_tree_comes_back_with_modes_times_links_and_empty_things(node, tree, tmp_path):
    cid = put(node, tree)
    get(node, cid, tmp_path / "back")
    assert snapshot(tmp_path / "back") == snapshot(tree)
    again = get(node, cid, tmp_path / "back")
    assert again["fetchedFiles"] == 0
    assert snapshot(tmp_path / "back") == snapshot(tree)
    part = get(node, f"{cid}/dir", tmp_path / "part")
    assert part["files"] == 2
    assert snapshot(tmp_path / "part") == snapshot(tree / "dir")
    (tmp_path / "back" / "dir" / "empty dir").chmod(0o700)


def test_the_same_tree_has_the_same_cid(node, tree, tmp_path):
    first = put(node, tree)
    assert put(node, tree) == first
    moved = tmp_path / "elsewhere" / "tree"
    shutil.copytree(tree, moved, symlinks=True)
    assert put(node, moved) == first
    os.utime(moved / "empty")
    assert put(node, moved) != first
    assert put(node, moved, "--no-times") == put(node, tree, "--no-times")
    (moved / "dir" / "empty dir").chmod(0o700)


def test_a_half_restored_tree_is_completed(node, tree, tmp_path):
    cid = put(node, tree)
    back = tmp_path / "back"
    get(node, cid, back)
    (back / "dir" / "empty dir").chmod(0o700)
    (back / ".hidden").write_bytes(b"hiDden")
    (back / "big.bin").unlink()
    (back / "run.sh").unlink()
    (back / "run.sh").symlink_to("/etc/hostname")
    (back / "to dir").unlink()
    shutil.rmtree(back / "dir" / "empty dir")
    facts = get(node, cid, back)
    assert facts["fetchedFiles"] == 3
    assert snapshot(back) == snapshot(tree)
    (back / "dir" / "empty dir").chmod(0o700)


def test_what_cannot_be_stored_is_named_before_anything_is_sent(node, tmp_path):
    top = tmp_path / "special"
    top.mkdir()
    (top / "fine").write_bytes(b"x")
    os.mkfifo(top / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(top / "sock"))
    (top / os.fsdecode(b"bad\xffname")).write_bytes(b"x")
    before = held(node)
    refused = quire("put", "--plain", str(top), api=node.api)
    assert refused.code == 2
    assert "pipe: a named pipe" in refused.err
    assert "sock: a socket" in refused.err
    assert "not Unicode" in refused.err
    assert refused.out == b""
    (top / os.fsdecode(b"bad\xffname")).unlink()
    cid = put(node, top, "--skip-special")
    assert [e["path"] for e in quire("ls", cid, "--json", api=node.api).json["entries"]] == ["fine"]
    quire("rm", cid, api=node.api)
    until_held(node, before)


def test_one_file_goes_to_standard_output_and_the_whole_is_a_tar(node, tree):
    cid = put(node, tree)
    assert quire("get", f"{cid}/dir/naïve\n<&>\\.txt", api=node.api).out == b"odd name"
    with tarfile.open(fileobj=io.BytesIO(quire("get", cid, api=node.api).out)) as tar:
        assert tar.extractfile("run.sh").read() == b"#!/bin/sh\n"
    assert quire("get", f"{cid}/dir", api=node.api).code == 2
    assert quire("get", f"{cid}/nothing", "-o", "x", api=node.api).code == 3


def test_a_deleted_directory_leaves_nothing(tmp_path, tree):
    with LocalNode(tmp_path / "node") as node:
        before = held(node)
        cid = put(node, tree)
        assert quire("rm", cid, api=node.api).code == 0
        until_held(node, before)


@pytest.mark.parametrize("kept", ["file", "link"])
def test_nothing_is_written_through_what_stands_in_the_way(node, tmp_path, kept):
    data = directory_bytes({"dir/file": b"theirs"})
    headers = {"Content_Type": "application/vnd.quire.directory"}
    cid = call(node, "POST", CODEX + "/data", data, **headers)[1].decode()
    outside, back = tmp_path / "outside", tmp_path / "back"
    outside.mkdir()
    back.mkdir()
    (back / "dir").write_bytes(b"mine") if kept == "file" else (back / "dir").symlink_to(outside)
    done = quire("get", cid, "-o", str(back), api=node.api)
    assert done.code == 2
    assert "in the way" in done.err
    assert list(outside.iterdir()) == []
    if kept == "file":
        assert (back / "dir").read_bytes() == b"mine"


def started(*arguments, api):
    command = [sys.executable, "-m", "quire.faces.cli.main", "--api", api, *arguments]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )


@pytest.fixture
def many(tmp_path):
    top = tmp_path / "many"
    for number in range(40):
        (top / f"d{number}").mkdir(parents=True)
        (top / f"d{number}" / "f").write_bytes(random.Random(number).randbytes(2_000_000))
    return top


def test_a_put_that_is_killed_in_the_middle_leaves_nothing(tmp_path, many):
    with LocalNode(tmp_path / "node") as node:
        before = held(node)
        with started("put", "--plain", str(many), api=node.api) as client:
            until(lambda: ask(node, "/status")["uploads"])
            client.kill()
        until_held(node, before)


def test_a_node_that_is_killed_in_the_middle_keeps_what_it_acknowledged(tmp_path, tree, many):
    with LocalNode(tmp_path / "node") as node:
        cid = put(node, tree)
        quiet = held(node)
        with started("put", "--plain", str(many), api=node.api) as client:
            until(lambda: ask(node, "/status")["uploads"])
            node.kill()
            assert client.stdout.read() == b""
            assert client.wait() != 0
    with LocalNode(tmp_path / "node") as node:
        until_held(node, {key: quiet[key] for key in ("data", "space", "uploads")})
        get(node, cid, tmp_path / "back")
    assert snapshot(tmp_path / "back") == snapshot(tree)
    (tmp_path / "back" / "dir" / "empty dir").chmod(0o700)


def test_a_get_that_is_killed_in_the_middle_goes_on_where_it_was(node, tmp_path, many):
    cid, back = put(node, many), tmp_path / "back"
    with started("get", cid, "-o", str(back), api=node.api) as client:
        until(lambda: len(list(back.glob("*/f"))) > 3)
        client.kill()
    facts = get(node, cid, back)
    assert facts["fetchedFiles"] < 40
    assert snapshot(back) == snapshot(many)
