"""Encrypted files from the command line, through real nodes: what a node learns, what it cannot,
what survives a break, and what 24 words bring back."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import signal
import stat

import pytest

from quire.faces.keyring import Keyring
from quire.faces.local import LocalNode
from quire.formats.cap import LiteralCap, ReadCap, parse_cap
from quire.formats.catalogue import CatalogueEntry
from support.breaking import Link, command, ended
from support.cluster import QUIRE, ask, call, until
from support.command import quire
from support.vectors import load

RNG = random.Random(77)
MIB = 1 << 20
DATA = RNG.randbytes(40 * MIB + 777)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """Two nodes that know each other, logging all they can."""
    place = tmp_path_factory.mktemp("nodes")
    loud = ["--log-level", "trace"]
    with (
        LocalNode(place / "one", arguments=loud) as one,
        LocalNode(place / "two", arguments=loud, bootstrap=[one.address]) as two,
    ):
        until(lambda: len(ask(two, "/peers")["peers"]) > 0, "the nodes did not meet")
        yield one, two


@pytest.fixture
def home(tmp_path):
    """A user's own configuration and state."""
    return {
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }


def shapes_of(secret: bytes) -> list[bytes]:
    """The ways in which a secret could be written down."""
    return [
        secret,
        secret.hex().encode(),
        base64.b64encode(secret)[:40],
        base64.b32encode(secret).lower()[:48],
        repr(secret).encode()[2:30],
    ]


def windows_in(held: bytes, windows: set[bytes]) -> bool:
    return any(held[i : i + 32] in windows for i in range(max(0, len(held) - 31)))


def test_only_the_capability_reads_and_the_nodes_learn_nothing(nodes, home, tmp_path):
    one, two = nodes
    content = random.Random(5).randbytes(300_000)
    file = tmp_path / "secret-plan.odt"
    file.write_bytes(content)
    done = quire("put", str(file), api=one.api, **home)
    assert done.code == 0, done.err
    text = done.out.decode().strip()
    cap = parse_cap(text)
    assert text.startswith("pn1r:")
    assert text[5:] not in done.err
    assert str(cap.cid) in done.err
    for api in (one.api, two.api):
        got = quire("get", text, api=api, **home)
        assert (got.code, got.out) == (0, content), got.err
    assert quire("get", "-", api=two.api, stdin=text.encode() + b"\n", **home).out == content
    for arguments in (["why"], ["stat"], ["pin"], ["why-kept"], ["unpin"]):
        assert quire(*arguments, text, api=one.api, **home).code == 0
    refused = quire("get", text[:40] + ("a" if text[40] != "a" else "b") + text[41:], api=one.api)
    assert (refused.code, "character 41 of" in refused.err) == (2, True)

    status, body = call(one, "POST", f"{QUIRE}/files?filename=secret-plan-2.odt", content)
    made = json.loads(body)
    served = parse_cap(made["cap"])
    assert (status, call(two, "GET", f"{QUIRE}/files", Quire_Cap=made["cap"])) == (
        201,
        (200, content),
    )
    flipped = made["cap"][:50] + ("a" if made["cap"][50] != "a" else "b") + made["cap"][51:]
    assert call(two, "GET", f"{QUIRE}/files", Quire_Cap=flipped)[0] == 400
    other = ReadCap(served.suite, served.flags, cap.cid, served.file_key)
    assert call(two, "GET", f"{QUIRE}/files", Quire_Cap=other.text)[0] == 422

    windows = {content[i : i + 32] for i in range(len(content) - 31)}
    for node in nodes:
        paths = [path for path in node.data_dir.rglob("*") if path.is_file()] + [node.log_path]
        assert node.log_path.stat().st_size > 1000
        for path in paths:
            held = path.read_bytes()
            for shape in (*shapes_of(cap.file_key), *shapes_of(served.file_key)):
                assert shape not in held, path
            for secret in (text, made["cap"], flipped, other.text):
                assert secret[5:45].encode() not in held, path
            assert b"secret-plan" not in held, path
            assert path.stat().st_size > 64 * MIB or not windows_in(held, windows), path
    events = json.dumps([ask(node, "/status") for node in nodes])
    assert text[5:60] not in events


def test_a_directory_is_listed_and_restored_by_its_capability(nodes, home, tmp_path):
    one, two = nodes
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "a.txt").write_text("hello")
    (tree / "deep" / "b.bin").write_bytes(random.Random(6).randbytes(100_000))
    (tree / "link").symlink_to("a.txt")
    put = quire("put", str(tree), "--json", api=one.api, **home)
    assert put.code == 0, put.err
    cap = put.json["cap"]
    listed = quire("ls", cap, "-r", "--json", api=two.api, **home).json["entries"]
    assert [each["path"] for each in listed] == ["a.txt", "deep", "deep/b.bin", "link"]
    assert listed[3]["target"] == "a.txt"
    inner = quire("get", f"{cap}/deep/b.bin", api=two.api, **home)
    assert inner.out == (tree / "deep" / "b.bin").read_bytes()
    done = quire("get", cap, "-o", str(tmp_path / "back"), "--json", api=two.api, **home)
    assert (done.code, done.json["files"]) == (0, 2)
    assert (tmp_path / "back" / "a.txt").read_text() == "hello"
    assert os.readlink(tmp_path / "back" / "link") == "a.txt"
    again = quire("get", cap, "-o", str(tmp_path / "back"), "--json", api=two.api, **home)
    assert again.json["fetchedFiles"] == 0
    assert quire("ls", put.json["verifyCap"], api=two.api, **home).code == 2


def test_a_protected_capability_reads_what_strangers_repair(nodes, home, tmp_path):
    one, two = nodes
    content = random.Random(11).randbytes(700_000)
    cap = quire("put", "-", api=one.api, stdin=content, **home).out.decode().strip()
    done = quire("protect", cap, "-k", "3", "-m", "2", api=one.api, **home)
    protected = done.out.decode().strip()
    assert done.code == 0, done.err
    assert parse_cap(protected).cid != parse_cap(cap).cid
    assert parse_cap(protected).file_key == parse_cap(cap).file_key
    assert quire("get", protected, api=two.api, **home).out == content
    output = str(tmp_path / "out")
    assert quire("get", protected, "-o", output, api=two.api, **home).code == 0
    assert (tmp_path / "out").read_bytes() == content


def test_small_contents_are_their_own_capability(nodes, home, tmp_path):
    nowhere = "http://127.0.0.1:1"
    done = quire("put", "-", api=nowhere, stdin=b"hello", **home)
    cap = done.out.decode().strip()
    assert (done.code, cap[:5]) == (0, "pn1l:")
    assert quire("get", cap, api=nowhere, **home).out == b"hello"
    to_file = quire("get", cap, "-o", str(tmp_path / "x"), "--json", api=nowhere, **home)
    assert (to_file.json["bytes"], (tmp_path / "x").read_bytes()) == (5, b"hello")
    stored = quire("put", "-", "--no-literal", api=nodes[0].api, stdin=b"hello", **home)
    assert stored.out.startswith(b"pn1r:")
    assert quire("get", stored.out.decode().strip(), api=nodes[1].api, **home).out == b"hello"
    assert quire("pin", cap, api=nodes[0].api, **home).code == 2


def test_a_stream_of_unknown_length_is_encrypted_too(nodes, home, tmp_path):
    data = random.Random(9).randbytes(3 * MIB + 1)
    odd = tmp_path / os.fsdecode(b"odd \xff name")
    odd.write_bytes(b"y" * 100)
    quire("keyring", "new", **home)
    for path, content in (("/dev/stdin", data), (str(odd), b"y" * 100)):
        done = quire("put", path, "--json", api=nodes[0].api, stdin=data, **home)
        assert done.code == 0, done.err
        assert quire("get", done.json["cap"], api=nodes[1].api, **home).out == content
    names = [e["name"] for e in quire("keyring", "list", "--json", **home).json["entries"]]
    assert "odd \ufffd name" in names
    for options in ([], ["--no-padding"]):
        done = quire("put", "-", "--json", *options, api=nodes[0].api, stdin=data, **home)
        assert done.json["bytes"] == len(data)
        assert quire("get", done.json["cap"], api=nodes[1].api, **home).out == data


def test_equal_contents_of_one_key_ring_are_one_dataset(nodes, home, tmp_path):
    one, file = nodes[0], tmp_path / "same.bin"
    file.write_bytes(random.Random(10).randbytes(100_000))
    refused = quire("put", "--convergent", str(file), api=one.api, **home)
    assert (refused.code, "quire keyring new" in refused.err) == (3, True)
    assert quire("keyring", "new", **home).code == 0
    caps = [quire("put", "--convergent", str(file), api=one.api, **home).out for _ in range(2)]
    other = home | {"XDG_CONFIG_HOME": str(tmp_path / "other")}
    quire("keyring", "new", **other)
    caps.append(quire("put", "--convergent", str(file), api=one.api, **other).out)
    assert caps[0] == caps[1] != caps[2]
    assert len(quire("keyring", "list", "--json", **home).json["entries"]) == 1


def test_an_encrypted_put_that_was_killed_is_resumed_with_the_same_key(tmp_path, home):
    file = tmp_path / "movie.bin"
    file.write_bytes(DATA)
    with LocalNode(tmp_path / "node") as node, Link(node, up=25 * MIB, stalls=True) as link:
        state = tmp_path / "state"
        process = command("put", str(file), "--json", api=link.api, state=state)

        def receiving() -> int:
            uploads = ask(node, "/uploads")["uploads"]
            return uploads[0]["receivedBytes"] if uploads else 0

        until(lambda: receiving() > 20 * MIB, "the upload did not begin")
        process.send_signal(signal.SIGKILL)
        process.communicate()
        (memory,) = (state / "quire" / "uploads").glob("*.json")
        assert stat.S_IMODE(memory.stat().st_mode) == 0o600
        code, facts, err = ended(command("put", str(file), "--json", api=link.api, state=state))
        assert (code, err) == (0, "")
        assert facts["resumedBytes"] > 20 * MIB
        assert not memory.exists()
        output, part = tmp_path / "out", tmp_path / "out.part"
        with Link(node, down=20 * MIB, stalls=True) as slow:
            getting = ("get", facts["cap"], "-o", str(output))
            process = command(*getting, api=slow.api, state=state)
            until(lambda: part.exists() and part.stat().st_size > 15 * MIB, "it did not begin")
            process.send_signal(signal.SIGKILL)
            process.communicate()
        damaged = bytearray(part.read_bytes())
        damaged[5 * MIB] ^= 1
        part.write_bytes(damaged)
        done = quire("get", facts["cap"], "-o", str(output), "--json", api=node.api, **home)
        assert done.code == 0, done.err
        assert len(damaged) - 3 * 65_536 < done.json["resumedBytes"] < len(damaged)
        assert hashlib.sha256(output.read_bytes()).digest() == hashlib.sha256(DATA).digest()


def test_the_words_alone_bring_everything_back_elsewhere(nodes, home, tmp_path):
    """Also a catalogue that is too large for the pointer, and a newer backup over an older one."""
    one, two = nodes
    assert quire("keyring", "new", **home).code == 0
    cap = quire("put", "-", "--name", "a.txt", api=one.api, stdin=b"x" * 100, **home).out
    first = quire("backup", "--json", "--timeout", "1s", api=one.api, **home)
    assert (first.code, first.json["peersKeeping"]) == (0, 1), first.err
    ring = Keyring.open(tmp_path / "config" / "quire" / "keyring", str)
    literals = [LiteralCap(b"%d" % n).text for n in range(2000)]
    ring.add([CatalogueEntry("n" * 100, text, 1, 1 << 40, None) for text in literals])
    second = quire("backup", "--json", "--timeout", "1s", api=one.api, **home)
    assert second.json["version"] > first.json["version"]
    words = quire("keyring", "phrase", **home).out
    fresh = home | {"XDG_CONFIG_HOME": str(tmp_path / "fresh")}
    restored = quire("restore", "--phrase-file", "-", "--json", api=two.api, stdin=words, **fresh)
    assert (restored.code, restored.json["entries"]) == (0, 2001), restored.err
    entries = quire("keyring", "list", "--caps", "--json", **fresh).json["entries"]
    assert entries[0] | {"at": 0} == {
        "name": "a.txt",
        "size": 100,
        "at": 0,
        "cid": str(parse_cap(cap.decode().strip()).cid),
        "cap": cap.decode().strip(),
    }
    assert quire("get", entries[0]["cap"], api=two.api, **fresh).out == b"x" * 100
    again = quire("restore", "--phrase-file", "-", "--json", api=two.api, stdin=words, **fresh)
    assert again.json["inCatalogue"] == 2001
    quire("keyring", "new", **(home | {"XDG_CONFIG_HOME": str(tmp_path / "third")}))
    third = home | {"XDG_CONFIG_HOME": str(tmp_path / "third")}
    refused = quire("restore", "--phrase-file", "-", api=two.api, stdin=words, **third)
    assert (refused.code, "another key ring" in refused.err) == (4, True)
    unknown = quire("keyring", "phrase", **third).out
    nobody = home | {"XDG_CONFIG_HOME": str(tmp_path / "fourth")}
    arguments = ("restore", "--phrase-file", "-", "--timeout", "2s")
    missing = quire(*arguments, api=two.api, stdin=unknown, **nobody)
    assert (missing.code, "no node that was asked" in missing.err) == (3, True)


def test_capabilities_are_shown_derived_and_given_to_others(home, tmp_path):
    import pyrage

    text = load("cap.json")["accept"][0]["text"]
    shown = quire("cap", "show", text, "--json").json
    assert (shown["kind"], shown["suite"], shown["padded"]) == ("read", "aes-256-gcm", False)
    repair = quire("cap", "repair", text).out.decode().strip()
    assert repair.startswith("pn1p:")
    assert quire("cap", "verify", repair).out == quire("cap", "verify", text).out
    assert quire("cap", "repair", quire("cap", "verify", text).out.decode().strip()).code == 2
    ann, bob = (pyrage.x25519.Identity.generate() for _ in range(2))
    shared = quire("cap", "share", text, "--to", str(ann.to_public())).out
    identities = {}
    for name, identity in (("ann", ann), ("bob", bob)):
        identities[name] = tmp_path / name
        identities[name].write_text(f"# made today\n{identity}\n")
        identities[name].chmod(0o600)
    opened = quire("cap", "open", "--identity", str(identities["ann"]), stdin=shared)
    assert opened.out.decode().strip() == text
    assert quire("cap", "open", "--identity", str(identities["bob"]), stdin=shared).code == 2
    assert quire("cap", "share", text, "--to", "age1nobody").code == 2
    quire("keyring", "new", **home)
    mine = quire("keyring", "show", "--json", **home).json["recipient"]
    shared = quire("cap", "share", text, "--to", mine).out
    assert quire("cap", "open", stdin=shared, **home).out.decode().strip() == text


def test_a_locked_key_ring_needs_its_passphrase(home, tmp_path):
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse\n")
    passphrase.chmod(0o600)
    given = ("--passphrase-file", str(passphrase))
    assert quire("keyring", "new", *given, "--json", **home).json["locked"]
    locked = quire("put", "-", api="http://127.0.0.1:1", stdin=b"x", **home)
    assert (locked.code, "--passphrase-file" in locked.err) == (2, True)
    assert (
        quire("put", "-", "--no-catalogue", api="http://127.0.0.1:1", stdin=b"x", **home).code == 0
    )
    assert quire("put", "-", *given, api="http://127.0.0.1:1", stdin=b"x", **home).code == 0
    assert len(quire("keyring", "list", *given, "--json", **home).json["entries"]) == 1
    assert quire("keyring", "lock", *given, **home).code == 4
    assert quire("keyring", "unlock", *given, **home).code == 0
    assert not quire("keyring", "show", "--json", **home).json["locked"]
