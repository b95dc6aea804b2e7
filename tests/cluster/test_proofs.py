"""Real nodes: a dataset is protected, every slot proves itself, others verify without a node."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from quire.dataset.circuit import CircuitParameters
from quire.faces.local import LocalNode
from support.command import hear_ctrl_c, quire

SMALL = ("--max-slot-depth", "8", "--max-dataset-depth", "3")
CIRCUIT = CircuitParameters(samples=1, max_slot_depth=8, max_dataset_depth=3)
ENTROPY = ("--entropy", "12d687")
HOST = ("--host", "0x" + "ab" * 20)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A node with an unsafe key, which was set up before it was started."""
    directory = tmp_path_factory.mktemp("proofs") / "node"
    made = quire("circuit", "setup", "-d", str(directory), "--samples", "1", *SMALL, "--json")
    assert made.code == 0, made.err
    assert made.json["id"] == CIRCUIT.id
    assert "UNSAFE" in made.err
    assert "UNSAFE" in made.json["warning"]
    arguments = ["--proof-samples", "1", *SMALL]
    with LocalNode(directory, arguments=arguments) as node:
        yield node


@pytest.fixture(scope="module")
def cid(node):
    """A dataset with slots: 2 + 1, of 3 blocks each, one of them a pad."""
    data = random.Random(9).randbytes(5 * 65536)
    put = quire("put", "--plain", "-", "--json", api=node.api, stdin=data)
    done = quire("protect", put.json["cid"], "-k", "2", "-m", "1", "--json", api=node.api)
    assert done.code == 0, done.err
    return done.json["cid"]


def test_every_slot_proves_itself_and_a_batch_is_verified_without_a_node(node, cid, tmp_path):
    files = []
    for slot in range(3):
        file = tmp_path / f"{slot}.json"
        made = quire("prove", cid, "--slot", str(slot), *ENTROPY, *HOST, "-o", str(file),
                     "--json", api=node.api)  # fmt: skip
        assert made.code == 0, made.err
        assert made.json["proof"] == json.loads(file.read_bytes())
        files.append(str(file))
    root = quire("slots", cid, "--json", api=node.api).json["verifyRoot"]
    where = ("--circuit-dir", str(node.data_dir / "circuits"))
    nobody = "http://127.0.0.1:1"
    good = quire("verify", *files, "--root", root, *ENTROPY, *HOST, *where, "--json", api=nobody)
    assert good.code == 0, good.err
    assert [each["good"] for each in good.json["proofs"]] == [True] * 3
    one = quire("verify", files[1], "--cid", cid, "--slot", "1", *where, api=node.api)
    assert one.code == 0
    assert "it is proved that the 1 cells" in one.out.decode()
    assert "slot 1" in one.out.decode()
    wrong = quire("verify", files[1], "--slot", "2", *where, api=nobody)
    assert wrong.code == 6
    assert "NOT PROVED: it is about slot 1, not 2" in wrong.out.decode()


def test_a_proof_is_verified_with_a_key_alone_and_a_changed_one_is_not(node, cid, tmp_path):
    made = quire("prove", cid, "--slot", "2", "--challenge", "5a" * 32, api=node.api)
    assert made.code == 0, made.err
    proof = json.loads(made.out)
    file = tmp_path / "proof.json"
    file.write_bytes(made.out)
    keys = node.data_dir / "circuits" / CIRCUIT.id
    for key in ("proof_main_verification_key.json", "proof_main.zkey"):
        assert quire("verify", str(file), "--key", str(keys / key)).code == 0
    changed = proof | {"public": [*proof["public"][:3], "0x" + "00" * 12 + "cd" * 20]}
    file.write_text(json.dumps(changed))
    refused = quire("verify", str(file), "--key", str(keys / "proof_main.zkey"))
    assert (refused.code, "the proof is false" in refused.out.decode()) == (6, True)
    for text in ("", "{}", "[1]", json.dumps(proof | {"proof": "0x00"})):
        file.write_text(text)
        refused = quire("verify", str(file), "--key", str(keys / "proof_main.zkey"))
        assert (refused.code, "Traceback" in refused.err) == (2, False)
        assert str(file) in refused.err


def test_a_damaged_slot_file_is_made_anew_and_the_slot_still_proves_itself(node, cid):
    for slot, damage in ((0, b""), (1, b"nonsense" * 100)):
        file = next((node.data_dir / "slots").glob(f"*-{slot}.tree"))
        good = file.read_bytes()
        file.write_bytes(damage)
        made = quire("prove", cid, "--slot", str(slot), "--entropy", "77", api=node.api)
        assert made.code == 0, made.err
        assert file.read_bytes() == good


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--slot", "0"], 2),
        (["--slot", "0", "--entropy", "1", "--challenge", "00" * 32], 2),
        (["--slot", "0", "--entropy", "xyz"], 2),
        (["--slot", "3", "--entropy", "1"], 2),
        (["--slot", "0", "--entropy", "1", "--host", "0x1"], 2),
        (["--slot", "0", "--entropy", "1", "--circuit", "quire-7-8-3-5-67"], 3),
        (["--slot", "0", "--entropy", "1", "--circuit", "no circuit"], 2),
    ],
)
def test_what_cannot_be_proved_ends_with_a_reason_and_a_code(node, cid, arguments, code):
    refused = quire("prove", cid, *arguments, api=node.api)
    assert (refused.code, refused.out) == (code, b"")
    assert refused.err.startswith("quire: ") or "Usage" in refused.err


def test_proofs_and_slot_files_go_with_the_dataset(node):
    data = random.Random(10).randbytes(2 * 65536)
    put = quire("put", "--plain", "-", "--json", api=node.api, stdin=data).json["cid"]
    made = quire("protect", put, "-k", "2", "-m", "1", "--json", api=node.api).json["cid"]
    before = len(list((node.data_dir / "slots").iterdir()))
    assert quire("rm", made, api=node.api).code == 0
    deadline = time.monotonic() + 20
    while len(list((node.data_dir / "slots").iterdir())) != before - 3:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert quire("prove", made, "--slot", "0", *ENTROPY, api=node.api).code == 3


def test_keys_are_shown_and_checked_without_a_node(node, tmp_path):
    shown = quire("circuit", "info", "-d", str(node.data_dir))
    assert CIRCUIT.id in shown.out.decode()
    assert "UNSAFE" in shown.out.decode()
    found = quire("circuit", "check", CIRCUIT.id, "-d", str(node.data_dir), "--json")
    assert found.code == 0, found.err
    assert (found.json["unsafe"], len(found.json["findings"])) == (True, 6)
    shutil.copytree(node.data_dir / "circuits", tmp_path / "circuits")
    key = tmp_path / "circuits" / CIRCUIT.id / "proof_main.zkey"
    key.write_bytes(key.read_bytes()[:-1])
    cut = quire("circuit", "check", CIRCUIT.id, "-d", str(tmp_path))
    assert cut.code == 2
    assert "NO:" in cut.out.decode()
    assert quire("circuit", "info", "quire-9-8-3-5-67", "-d", str(tmp_path), "--json").json == {
        "directory": str(tmp_path / "circuits"),
        "circuits": [
            {
                **dict.fromkeys(("zkey", "zkeyBytes", "keyHash", "publishedKeyHash", "r1cs"), None),
                **dict.fromkeys(("wasm", "seed"), None),
                "id": "quire-9-8-3-5-67",
                "samples": 9,
                "publicInputs": 4,
                "bindsHost": True,
                "networks": False,
                "unsafe": False,
                "warning": "",
            }
        ],
    }
    assert quire("circuit", "check", "quire-9-8-3-5-67", "-d", str(tmp_path)).code == 3


def test_a_key_that_is_not_the_published_one_is_refused_in_words(node, tmp_path):
    profile = tmp_path / "net.toml"
    profile.write_text(
        'name = "net"\nbrand = "net"\nagent = "Net"\nrest-bases = ["/api/net/v1"]\n'
        '[protocols]\nexchange = "/net/x/1"\nkad = "/net/kad/1"\n[circuit]\nfamily = "quire"\n'
        f'samples = 1\nmax-slot-depth = 8\nmax-dataset-depth = 3\nkey-hash = "{"0" * 64}"\n'
    )
    found = quire("circuit", "check", "-d", str(node.data_dir), "--profile", str(profile))
    assert found.code == 2
    assert "published is 0000" in found.out.decode()
    shown = quire("circuit", "info", "-d", str(node.data_dir), "--profile", str(profile))
    assert "NOT THE KEY THAT THE NETWORK PUBLISHES" in shown.out.decode()


def test_a_set_up_that_is_interrupted_leaves_nothing(tmp_path):
    command = [sys.executable, "-m", "quire.faces.cli.main", "circuit", "setup", "-d",
               str(tmp_path), "--samples", "20"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, preexec_fn=hear_ctrl_c
    ) as process:
        deadline = time.monotonic() + 40
        while not any((tmp_path / "circuits").glob(".*.draft-*/*.r1cs")):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert list((tmp_path / "circuits").iterdir()) == []
