"""A disk that is full and data that rots: found out, said in words, repaired where possible."""

import contextlib
import json
import random
import subprocess

import pytest

from quire.base.errors import NodeUnreachable
from quire.faces.local import LocalNode
from support.cluster import CODEX, QUIRE, ask, call, held, put, until, until_held
from support.command import quire

BLOCK = 65_536
DISK = 48 << 20
ROOMY_DISK = 96 << 20  # enough for the node to keep some room in reserve


def make_bytes(size, seed):
    return random.Random(seed).randbytes(size)


def flip(node, data, block):
    """Change one byte of a block where it lies on the disk."""
    wanted = data[block * BLOCK : (block + 1) * BLOCK]
    for pack in sorted((node.data_dir / "store" / "packs").iterdir()):
        at = pack.read_bytes().find(wanted)
        if at >= 0:
            with pack.open("r+b") as file:
                file.seek(at + 1234)
                file.write(bytes([wanted[1234] ^ 1]))
            return
    raise AssertionError("the block is in no pack")


@pytest.fixture
def small_disk(tmp_path, request):
    """A directory on a disk of DISK bytes, or of as many as the test's parameter says."""
    size = getattr(request, "param", DISK)
    place = tmp_path / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size}", "quire-test", str(place)]
    mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a disk of limited size needs root: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_507_and_leaves_nothing(small_disk, tmp_path):
    large = tmp_path / "large"
    large.write_bytes(make_bytes(DISK + (4 << 20), 1))
    with LocalNode(small_disk / "node") as node:
        cid = put(node, b"was here before")
        before = held(node)
        status, body = call(node, "POST", QUIRE + "/data", large.read_bytes())
        answer = json.loads(body)
        assert (status, answer["code"]) == (507, "disk-full")
        assert "data directory" in answer["hint"]
        done = quire("put", "--plain", str(large), api=node.api)
        assert (done.code, done.out) == (4, b"")
        assert "full" in done.err
        until_held(node, before)
        assert call(node, "GET", f"{CODEX}/data/{cid}") == (200, b"was here before")
        put(node, make_bytes(4 << 20, 2))
        assert node.stop() == 0


@pytest.mark.parametrize("small_disk", [ROOMY_DISK], indirect=True)
def test_a_disk_that_others_filled_still_lets_things_be_deleted(small_disk):
    with LocalNode(small_disk / "node") as node:
        cid = put(node, make_bytes(8 << 20, 3))
        ballast = small_disk / "node" / "store" / "packs" / "ballast"
        put(node, b"so that there is a moment to take room in reserve")
        until(lambda: ballast.exists() and ballast.stat().st_size == 16 << 20, "no reserve")
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        status, body = call(node, "POST", QUIRE + "/data", make_bytes(1 << 20, 4))
        assert (status, json.loads(body)["code"]) == (507, "disk-full")
        assert call(node, "DELETE", f"{CODEX}/data/{cid}")[0] == 204
        assert len(ask(node, "/data")["content"]) == 1
        filler.unlink()
        assert len(put(node, make_bytes(1 << 20, 4))) > 40
        assert node.stop() == 0


@pytest.mark.parametrize("small_disk", [ROOMY_DISK], indirect=True)
def test_a_fetch_onto_a_full_disk_fails_in_words(small_disk, tmp_path):
    data = make_bytes(ROOMY_DISK + (4 << 20), 5)
    with (
        LocalNode(tmp_path / "source") as source,
        LocalNode(small_disk / "node", bootstrap=[source.address]) as node,
    ):
        cid = put(source, data)
        done = quire("fetch", cid, "--timeout", "10s", api=node.api)
        assert done.code == 4
        assert "full" in done.err
        assert quire("rm", cid, api=node.api).code == 0
        until(lambda: ask(node, "/space")["quotaUsedBytes"] == 0, "space is still taken")


def test_a_rotten_byte_is_an_error_and_the_dataset_is_not_complete_any_more(tmp_path):
    data = make_bytes(40 * BLOCK, 6)
    with LocalNode(tmp_path / "node") as node:
        cid = put(node, data)
        flip(node, data, 17)
        path = f"{CODEX}/data/{cid}?timeout=1"
        status, body = call(node, "GET", path, Range="bytes=1114112-1179647")
        assert status in (404, 504), body
        target = tmp_path / "copy"
        limits = ["--timeout", "1s", "--patience", "1s"]
        done = quire("get", cid, "-o", str(target), *limits, api=node.api)
        assert done.code in (3, 5, 6, 7, 8)
        assert "Traceback" not in done.err
        assert not target.exists()
        stat = quire("stat", cid, "--json", api=node.api).json
        assert (stat["complete"], stat["presentBlocks"]) == (False, 39)
        why = quire("why", cid, api=node.api).out.decode()
        assert "39 of 40 blocks" in why
        status, body = call(node, "GET", f"{CODEX}/data/{cid}", Range="bytes=0-65535")
        assert (status, body) == (206, data[:BLOCK])
        again = put(node, data)  # the same bytes once more make it whole
        assert again == cid
        assert ask(node, f"/datasets/{cid}")["complete"]
        assert call(node, "GET", f"{CODEX}/data/{cid}") == (200, data)


def test_a_rotten_byte_is_repaired_from_the_network_while_it_is_read(tmp_path):
    data = make_bytes(40 * BLOCK, 7)
    with (
        LocalNode(tmp_path / "one") as one,
        LocalNode(tmp_path / "two", bootstrap=[one.address]) as two,
    ):
        cid = put(one, data)
        assert quire("fetch", cid, api=two.api).code == 0
        for block in (0, 21, 39):
            flip(two, data, block)
        assert call(two, "GET", f"{CODEX}/data/{cid}") == (200, data)
        assert ask(two, f"/datasets/{cid}")["complete"]
        assert call(two, "GET", f"{CODEX}/data/{cid}/exists")[0] == 200
        one.kill()
        assert call(two, "GET", f"{CODEX}/data/{cid}") == (200, data)


@pytest.mark.parametrize("damage", ["garbage", "header", "truncated", "another database"])
def test_a_damaged_index_stops_the_start_with_6(tmp_path, damage):
    with LocalNode(tmp_path / "node") as node:
        put(node, make_bytes(10 * BLOCK, 8))
    index = tmp_path / "node" / "store" / "meta.sqlite"
    for part in ("-wal", "-shm"):
        index.with_name(index.name + part).unlink(missing_ok=True)
    content = index.read_bytes()
    damaged = {
        "garbage": content[:100] + make_bytes(len(content) - 100, 9),
        "header": b"not a database" + content[14:],
        "truncated": content[: len(content) // 2],
        "another database": None,
    }[damage]
    if damaged is None:
        import sqlite3

        index.unlink()
        with contextlib.closing(sqlite3.connect(index)) as other:
            other.execute("CREATE TABLE somebody_else (x)")
    else:
        index.write_bytes(damaged)
    kept = index.read_bytes()
    done = quire("node", "--data-dir", str(tmp_path / "node"), "--api-port", "0")
    assert done.code == 6, done.err
    assert "metadata" in done.err or "database" in done.err
    assert "Traceback" not in done.err
    assert index.read_bytes() == kept  # nothing is made worse
    with pytest.raises(NodeUnreachable, match="exit code 6"):
        LocalNode(tmp_path / "node").start()
    assert not (tmp_path / "node" / "node.json").exists()
