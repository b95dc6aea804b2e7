"""Nodes that are told of a chain: what they refuse at their start, what they say once they run.

The chain is run by `quire chain dev`, as a person would.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys

import pytest

from quire.chain.dev_accounts import dev_account
from quire.chain.dev_chain import free_port
from quire.faces.local import LocalNode
from support.cluster import CODEX, ask, call
from support.command import hear_ctrl_c, quire

START_SECONDS = 60.0
CONTRACT = "0x322813Fd9A801c5507c9de605d63CEA4f2CE6c44"
CONTRACTS = {"marketplace": "ok", "payment hub": "ok", "submission bonds": "ok"}  # of the doctor
HUB = "0xa85233C63b9Ee964Add6F2cffe00Fd84eb32338f"
BONDS = "0x4A679253410272dd5232B3Ff7cF5dbB88f295319"


def chain_process(*arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "quire.faces.cli.main", "chain", "dev", "--json", "--port=0"]
    return subprocess.Popen(
        [*command, "--any-proof", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hear_ctrl_c,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )


def said_by(process: subprocess.Popen) -> dict:
    """The one JSON object that it prints when it is ready."""
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        assert ready.select(START_SECONDS), "the chain did not start"
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return json.loads(line)


def end(process: subprocess.Popen) -> int:
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    return process.returncode


@pytest.fixture(scope="module")
def chain():
    process = chain_process("--period", "10s", "--timeout", "5s", "--downtime", "20")
    try:
        yield said_by(process)
    finally:
        assert end(process) == 0


def key_file(folder, index=1, mode=0o600):
    path = folder / f"{index}.key"
    path.write_text(f"0x{dev_account(index).key.hex()}\n")
    path.chmod(mode)
    return str(path)


def test_the_chain_tells_what_a_node_needs(chain):
    assert chain["marketplace"] == CONTRACT
    assert (chain["hub"], chain["bonds"]) == (HUB, BONDS)
    assert chain["chainId"] == 31337
    assert chain["accounts"][1]["address"] == dev_account(1).text
    info = quire("chain", "info", "--eth-provider", chain["url"], "--json").json
    assert (info["period"], info["timeout"], info["downtime"]) == (10, 5, 20)
    assert (info["marketplace"], info["hub"], info["bonds"]) == (CONTRACT, HUB, BONDS)
    assert "batch-proofs" in info["extensions"]
    shown = quire("chain", "info", "--eth-provider", chain["url"])
    assert "marketplace" in shown.out.decode()
    other = quire("chain", "info", "--eth-provider", chain["url"], "--hub-address", chain["token"])
    assert (other.code, "no hub of payment channels" in other.err) == (7, True)


def test_a_chain_is_kept_from_one_start_to_the_next(tmp_path):
    state = str(tmp_path / "chain.json")
    for _ in range(2):
        process = chain_process("--state", state, "--block-time", "0")
        try:
            assert said_by(process)["marketplace"] == CONTRACT
        finally:
            assert end(process) == 0


def test_a_contract_that_cannot_be_is_refused_before_a_chain_is_started():
    done = quire("chain", "dev", "--port=0", "--any-proof", "--slash", "80")
    assert done.code == 2
    assert "at most 1 slashes fit" in done.err


def test_a_contract_for_a_circuit_needs_its_key(tmp_path):
    done = quire("chain", "dev", "--port=0", "--circuit-dir", str(tmp_path))
    assert done.code == 2
    assert "quire circuit setup" in done.err
    assert "--any-proof" in done.err


REFUSED = {
    "unknown chain": (["--profile", "{profile}"], 7, "no marketplace is known for it"),
    "no contract": (["--marketplace-address", "0x" + "12" * 20], 7, "no code"),
    "another contract": (["--marketplace-address", "{token}"], 7, "does not answer"),
    "no hub": (["--hub-address", "0x" + "12" * 20], 7, "no hub of payment channels"),
    "another contract as hub": (["--hub-address", CONTRACT], 7, "no hub of payment channels"),
    "another contract as bonds": (["--bonds-address", HUB], 7, "no contract of submission bonds"),
    "nobody there": (["--eth-provider", "ws://127.0.0.1:{port}"], 9, "cannot be reached"),
    "no address": (["--eth-provider", "localhost:8545"], 2, "ws://127.0.0.1:8545"),
    "open key": (["--eth-private-key", "{open}"], 7, "must have 0600"),
    "no key": (["--eth-private-key", "{missing}"], 7, "cannot be read"),
    "two keys": (["--eth-keystore", "{key}", "--eth-password-file", "{key}"], 2, "give one"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_not_work_is_refused_at_the_start(chain, tmp_path, case):
    arguments, code, said = REFUSED[case]
    profile = tmp_path / "other.toml"
    profile.write_text(
        'name = "other"\nbrand = "other"\nagent = "Other"\nrest-bases = ["/api/other/v1"]\n'
        '[protocols]\nexchange = "/o/1"\nkad = "/k/1"\n'
        f'[chain.contracts]\n5 = "{CONTRACT}"\n'
    )
    places = {
        "profile": profile,
        "token": chain["token"],
        "port": free_port(),
        "open": key_file(tmp_path, 2, 0o644),
        "key": key_file(tmp_path, 3),
        "missing": tmp_path / "none",
    }
    given = {"--eth-provider": chain["url"], "--eth-private-key": key_file(tmp_path)}
    pairs = iter(argument.format(**places) for argument in arguments)
    given |= dict(zip(pairs, pairs, strict=True))
    words = [word for pair in given.items() for word in pair]
    done = quire("node", "--data-dir", str(tmp_path / "n"), "--api-port=0", *words)
    assert done.code == code, done.err
    assert said in done.err
    assert dev_account(1).key.hex() not in done.err


def test_a_node_without_a_proving_key_buys_and_does_not_sell(chain, tmp_path):
    arguments = ["persistence", "--eth-provider", chain["url"]]
    arguments += ["--eth-private-key", key_file(tmp_path), "--validator"]
    with LocalNode(tmp_path / "node", arguments=arguments) as node:
        assert call(node, "GET", f"{CODEX}/storage/purchases")[1] == b"[]"
        status, body = call(node, "GET", f"{CODEX}/sales/slots")
        assert status == 503
        assert b"Selling is not enabled" in body
        findings = {f["check"]: f for f in ask(node, "/doctor")["findings"]}
        assert findings["chain"]["state"] == "ok"
        assert "31337" in findings["marketplace"]["message"]
        assert HUB in findings["payment hub"]["message"]
        assert findings["gas"]["state"] == findings["tokens"]["state"] == "ok"
        assert "does not sell" in findings["selling"]["message"]
        text = call(node, "GET", "/api/quire/v1/metrics")[1].decode()
        assert "codex_purchases_pending 0.0" in text
        assert "quire_chain_block" in text
        assert "quire_validator_slots 0.0" in text
        info = json.loads(call(node, "GET", f"{CODEX}/debug/info")[1])
        assert (
            len(info["quire"]["contracts"] if "quire" in info else info["codex"]["contracts"]) == 8
        )


def test_the_doctor_asks_the_chain_before_a_node_runs(chain, tmp_path):
    settings = {
        "QUIRE_ETH_PROVIDER": chain["url"],
        "QUIRE_ETH_PRIVATE_KEY": key_file(tmp_path),
    }
    place = ["--data-dir", str(tmp_path / "n"), "--json"]
    api = f"http://127.0.0.1:{free_port()}"
    found = quire("doctor", *place, api=api, **settings).json["findings"]
    assert {f["check"]: f["state"] for f in found if f["check"] in CONTRACTS} == CONTRACTS
    settings["QUIRE_MARKETPLACE_ADDRESS"] = "0x" + "12" * 20
    done = quire("doctor", *place, api=api, **settings)
    assert done.code == 7
    assert any(f["check"] == "chain" and f["state"] == "problem" for f in done.json["findings"])
