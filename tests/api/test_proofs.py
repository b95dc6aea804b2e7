"""Storage proofs at the API: asked for, made, told as events, verified."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from contextlib import asynccontextmanager, contextmanager

import pytest

from quire.faces.rest.route import QUIRE_BASE
from quire.formats.cid import manifest_cid
from support.http import send
from support.live import live_node, memory_network
from support.prove_kit import TINY, TINY_SETTINGS, tiny_keys

UNKNOWN = str(manifest_cid(b"nobody has this"))
ENDED = ("complete", "failed", "cancelled")
HOST = "0x" + "ab" * 20


async def ask(url, method, path, body=None):
    headers = {} if body is None else {"Content-Type": "application/json"}
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = await send(url, method, QUIRE_BASE + path, headers, data)
    return reply.status, json.loads(reply.body) if reply.body else None


async def ask_text(url, path):
    reply = await send(url, "GET", QUIRE_BASE + path, {}, b"")
    assert reply.status == 200, reply.text


@contextmanager
def busy_threads(node):
    """No proof is computed for the length of the block."""
    gate = threading.Event()
    executor = node.parts.workers.proving
    for _ in range(executor._max_workers):
        executor.submit(gate.wait, 60)
    try:
        yield
    finally:
        gate.set()


async def until(url, path, *states):
    async with asyncio.timeout(60):
        while True:
            status, body = await ask(url, "GET", path)
            assert status == 200
            if body["state"] in states:
                return body
            await asyncio.sleep(0.02)


@asynccontextmanager
async def node_with_slots(directory, network=None, **settings):
    """A node with a protected dataset of 3 + 2 slots: node, URL, CID."""
    flags = TINY_SETTINGS | {"circuit_dir": str(tiny_keys())} | settings
    async with live_node(directory, network, **flags) as (node, url):
        data = random.Random(2).randbytes(14 * 4096)
        cid = (await send(url, "POST", f"{QUIRE_BASE}/data?blockSize=4096", {}, data)).text
        path = f"/datasets/{cid}/protect?k=3&m=2"
        status, _ = await ask(url, "POST", path)
        assert status == 202
        async with asyncio.timeout(60):
            while (job := (await ask(url, "GET", path))[1]["jobs"][-1])["state"] not in ENDED:
                await asyncio.sleep(0.02)
        yield node, url, job["result"]["cid"]


async def proved(url, cid, slot=0, query=f"entropy=12d687&host={HOST}"):
    """The proof of a slot, once it is made."""
    path = f"/datasets/{cid}/slots/{slot}/proofs"
    status, job = await ask(url, "POST", f"{path}?{query}")
    assert status == 202, job
    job = await until(url, f"{path}/{job['id']}", *ENDED)
    assert job["state"] == "complete", job
    return job


async def test_a_slot_proves_itself_and_the_proof_is_verified(tmp_path) -> None:
    async with node_with_slots(tmp_path) as (node, url, cid):
        job = await proved(url, cid, 4)
        assert (job["slot"], job["circuit"], job["host"]) == (4, TINY.id, HOST)
        assert job["entropy"] == "0x12d687"
        assert job["seconds"] > 0
        proof = job["proof"]
        assert proof["public"][2:] == ["0x" + f"{4:064x}", "0x" + "00" * 12 + "ab" * 20]
        query = f"?cid={cid}&slot=4&entropy=12d687&host={HOST}"
        status, verdict = await ask(url, "POST", f"/proofs/verify{query}", proof)
        assert (status, verdict["good"]) == (200, True)
        assert "slot 4" in verdict["proofs"][0]["says"]
        kinds = [e.kind for e in node.events.history(cid) if e.kind.startswith("prove.")]
        assert kinds == ["prove.asked", "prove.started", "prove.proving", "prove.complete"]
        _, found = await ask(url, "GET", "/status")
        assert found["proofs"]["complete"] == 1
        metrics = (await send(url, "GET", f"{QUIRE_BASE}/metrics", {}, b"")).text
        assert "quire_proofs_complete_total 1.0" in metrics
        assert "quire_proofs_waiting 0.0" in metrics


async def test_every_slot_proves_itself_and_a_batch_is_verified_at_once(tmp_path) -> None:
    async with node_with_slots(tmp_path) as (_, url, cid):
        challenge = "0x" + "5a" * 32
        jobs = [await proved(url, cid, slot, f"challenge={challenge}") for slot in range(5)]
        proofs = [job["proof"] for job in jobs]
        _, found = await ask(url, "POST", f"/proofs/verify?cid={cid}&challenge={challenge}", proofs)
        assert found["good"]
        proofs[3] = proofs[3] | {"proof": proofs[2]["proof"]}
        _, found = await ask(url, "POST", "/proofs/verify", proofs)
        assert [each["good"] for each in found["proofs"]] == [True, True, True, False, True]
        assert not found["good"]
        assert "names no host" in found["proofs"][0]["says"]


async def test_a_proof_of_something_else_than_expected_is_not_good(tmp_path) -> None:
    async with node_with_slots(tmp_path) as (_, url, cid):
        proof = (await proved(url, cid, 1))["proof"]
        for query, why in (
            ("slot=2", "slot 1, not 2"),
            ("entropy=7", "another challenge"),
            (f"challenge={'00' * 32}", "another challenge"),
            ("host=0x" + "00" * 20, "another host"),
        ):
            _, found = await ask(url, "POST", f"/proofs/verify?{query}", proof)
            assert not found["good"]
            assert why in found["proofs"][0]["problem"]
        other = proof | {"keyHash": "00" * 32}
        _, found = await ask(url, "POST", "/proofs/verify", other)
        assert "another key" in found["proofs"][0]["problem"]
        changed = proof | {"public": [proof["public"][0][:-1] + "0", *proof["public"][1:]]}
        _, found = await ask(url, "POST", "/proofs/verify", changed)
        assert found["proofs"][0]["problem"] == "the proof is false"


async def test_what_a_proof_is_made_from_is_given_to_other_provers(tmp_path) -> None:
    async with node_with_slots(tmp_path) as (_, url, cid):
        path = f"/datasets/{cid}/slots/4/proof-input"
        status, found = await ask(url, "GET", f"{path}?entropy=12d687")
        assert status == 200
        assert (found["entropy"], found["slotIndex"], found["nCellsPerSlot"]) == ("1234567", 4, 16)
        assert [len(found[name]) for name in ("cellData", "merklePaths", "slotProof")] == [1, 1, 3]
        proof = (await proved(url, cid, 4))["proof"]
        assert int(proof["public"][1], 16) == int(found["dataSetRoot"])
        five = "quire-5-6-3-1-67"  # whose key is not here
        _, more = await ask(url, "GET", f"{path}?entropy=12d687&circuit={five}")
        assert more["cellData"][:1] == found["cellData"]
        assert len(more["cellData"]) == 5
        assert (await ask(url, "GET", path))[0] == 400


async def test_a_host_proves_the_slot_that_it_holds_and_no_other(tmp_path) -> None:
    """It has one row of the dataset, and nothing else."""
    network = memory_network()
    flags = TINY_SETTINGS | {"circuit_dir": str(tiny_keys())}
    async with (
        node_with_slots(tmp_path / "owner", network=network) as (owner, owner_url, cid),
        live_node(tmp_path / "host", network, **flags) as (_, url),
    ):
        (address,) = owner.transport.listen_addresses()
        await ask_text(url, f"/connect/{owner.transport.peer_id}?addrs={address}")
        slot = f"/datasets/{cid}/slots/3"
        assert (await ask(url, "POST", f"{slot}?timeout=5s"))[0] == 202
        await until(url, slot, "held")
        proof = (await proved(url, cid, 3))["proof"]
        query = f"?cid={cid}&slot=3&entropy=12d687&host={HOST}"
        _, verdict = await ask(owner_url, "POST", f"/proofs/verify{query}", proof)
        assert verdict["good"]
        path = f"/datasets/{cid}/slots/4/proofs"
        _, job = await ask(url, "POST", f"{path}?entropy=1")
        job = await until(url, f"{path}/{job['id']}", *ENDED)
        assert (job["state"], job["error"]["code"]) == ("failed", "block-missing")


async def test_the_proofs_of_a_slot_are_listed_newest_first(tmp_path) -> None:
    async with node_with_slots(tmp_path) as (_, url, cid):
        first, second = [await proved(url, cid, 2, f"entropy={n}") for n in (1, 2)]
        again = await proved(url, cid, 2, "entropy=1")
        assert again["id"] == first["id"]
        path = f"/datasets/{cid}/slots/2/proofs"
        _, found = await ask(url, "GET", path)
        assert [each["id"] for each in found["proofs"]] == [second["id"], first["id"]]
        _, found = await ask(url, "GET", f"/datasets/{cid}/slots/0/proofs")
        assert found["proofs"] == []
        assert (await ask(url, "GET", f"/datasets/{cid}/slots/0/proofs/{first['id']}"))[0] == 404
        assert (await ask(url, "DELETE", f"{path}/{first['id']}"))[0] == 204
        assert (await ask(url, "GET", f"{path}/{first['id']}"))[1]["state"] == "complete"


async def test_proofs_can_be_stopped_waiting_or_running(tmp_path) -> None:
    async with node_with_slots(tmp_path) as (node, url, cid):
        path = f"/datasets/{cid}/slots/0/proofs"
        first, *_, last = [(await ask(url, "POST", f"{path}?entropy={n}"))[1] for n in range(1, 9)]
        with busy_threads(node):
            for job in (last, first):
                assert (await ask(url, "DELETE", f"{path}/{job['id']}"))[0] == 204
        _, found = await ask(url, "GET", f"{path}/{last['id']}")
        assert found["state"] == "cancelled"
        async with asyncio.timeout(60):
            while node.proving.proofs.running_count:
                await asyncio.sleep(0.02)
        assert node.waits.of() == []


async def test_what_a_proof_waits_for_is_shown(tmp_path) -> None:
    async with node_with_slots(tmp_path) as (node, url, cid):
        path = f"/datasets/{cid}/slots/0/proofs"
        with busy_threads(node):
            for number in range(1, 6):
                _, job = await ask(url, "POST", f"{path}?entropy={number}&within=90s")
            assert job["state"] == "waiting"
            assert "number 5 by deadline" in job["reason"]
            assert 80 < job["remainingSeconds"] <= 90
            _, why = await ask(url, "GET", f"/datasets/{cid}/why")
            assert any("proof of slot 0" in wait["reason"] for wait in why["waits"])
        await until(url, f"{path}/{job['id']}", "complete")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/datasets/{cid}/slots/0/proofs", 400, "input"),
        ("/datasets/{cid}/slots/0/proofs?entropy=xyz", 400, "input"),
        ("/datasets/{cid}/slots/0/proofs?entropy=1&challenge=" + "00" * 32, 400, "input"),
        ("/datasets/{cid}/slots/0/proofs?challenge=00", 400, "input"),
        ("/datasets/{cid}/slots/0/proofs?entropy=" + "f" * 64, 400, "input"),
        ("/datasets/{cid}/slots/5/proofs?entropy=1", 400, "input"),
        ("/datasets/{cid}/slots/256/proofs?entropy=1", 400, "input"),
        ("/datasets/{cid}/slots/-1/proofs?entropy=1", 400, "input"),
        ("/datasets/{cid}/slots/x/proofs?entropy=1", 400, "input"),
        ("/datasets/{cid}/slots/0/proofs?entropy=1&host=0x12", 400, "input"),
        ("/datasets/{cid}/slots/0/proofs?entropy=1&within=0", 400, "input"),
        ("/datasets/{cid}/slots/0/proofs?entropy=1&within=2d", 400, "input"),
        ("/datasets/{cid}/slots/0/proofs?entropy=1&circuit=nonsense", 400, "input"),
        ("/datasets/{cid}/slots/0/proofs?entropy=1&circuit=quire-2-6-3-1-67", 404, "no-circuit"),
        ("/datasets/{cid}/slots/0/proofs?entropy=1&circuit=quire-1-6-3-2-67", 409, "refused"),
        ("/datasets/nonsense/slots/0/proofs?entropy=1", 400, "bad-cid"),
        (f"/datasets/{UNKNOWN}/slots/0/proofs?entropy=1", 404, "unknown-dataset"),
    ],
)
async def test_what_cannot_be_proved_is_refused_in_words(tmp_path, path, status, code) -> None:
    async with node_with_slots(tmp_path) as (_, url, cid):
        found, body = await ask(url, "POST", path.format(cid=cid))
        assert (found, body["code"]) == (status, code)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b"{}", b"[{}]", b"\xff", b"[" * 9000, b"[" + b"{}," * 1025]
)
async def test_what_is_no_proof_is_not_verified(tmp_path, body) -> None:
    async with live_node(tmp_path) as (_, url):
        status, found = await ask(url, "POST", "/proofs/verify", body)
        assert (status, found["code"] in ("input", "bad-encoding")) == (400, True)


async def test_a_body_that_is_too_large_is_refused(tmp_path) -> None:
    async with live_node(tmp_path) as (_, url):
        status, found = await ask(url, "POST", "/proofs/verify", b" " * (5 << 20))
        assert (status, found["code"]) == (413, "too-large")


async def test_circuits_are_listed_with_a_warning_of_unsafe_keys(tmp_path) -> None:
    async with node_with_slots(tmp_path) as (_, url, cid):
        _, found = await ask(url, "GET", "/circuits")
        (circuit,) = found["circuits"]
        assert (circuit["id"], circuit["networks"], circuit["isOpen"]) == (TINY.id, True, False)
        assert "UNSAFE" in circuit["warning"]
        await proved(url, cid)
        _, found = await ask(url, "GET", "/circuits")
        assert found["circuits"][0]["isOpen"]


async def test_a_node_without_keys_says_how_to_get_one(tmp_path) -> None:
    async with node_with_slots(tmp_path, circuit_dir=str(tmp_path / "none")) as (_, url, cid):
        status, found = await ask(url, "POST", f"/datasets/{cid}/slots/0/proofs?entropy=1")
        assert (status, found["code"]) == (404, "no-circuit")
        assert "quire circuit setup" in found["hint"]
        _, found = await ask(url, "GET", "/circuits")
        assert [each["hasProvingKey"] for each in found["circuits"]] == [False]


async def test_a_node_that_is_told_to_prove_nothing_refuses(tmp_path) -> None:
    async with node_with_slots(tmp_path, circom_no_zkey=True) as (_, url, cid):
        status, found = await ask(url, "POST", f"/datasets/{cid}/slots/0/proofs?entropy=1")
        assert (status, found["code"]) == (409, "refused")
