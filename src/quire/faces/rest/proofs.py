"""Storage proofs: asking for one, waiting for it, and verifying others'."""

from __future__ import annotations

import asyncio

import msgspec
from aiohttp import web

from quire.base.errors import InputError, NotFound, TooLarge, UnknownDataset
from quire.base.units import parse_duration
from quire.dataset.geometry import MAX_SLOTS_PROVABLE
from quire.dataset.sampling import entropy_of_challenge, parse_challenge, parse_entropy
from quire.dataset.storage_proof import (
    MAX_JSON_BYTES,
    StorageProof,
    parse_host,
    proof_of_values,
)
from quire.faces.rest.inputs import cid_of, whole_of
from quire.faces.rest.proof_shapes import (
    CircuitBody,
    CircuitList,
    ProofList,
    VerdictList,
    circuit_body,
    proof_status,
    verdict_body,
)
from quire.faces.rest.reply import JSON, reply_empty, reply_json, reply_text
from quire.flow.prove import ProofAsk, gather, verification_of
from quire.formats.cid import Cid, is_manifest
from quire.node.node import Node
from quire.services.proof_check import Expected, Verdict, check_proofs
from quire.services.proof_job import ProofJob
from quire.store.dataset import Dataset

WITHIN_SECONDS = 600.0
WITHIN_SECONDS_MAX = 86_400.0
PROOFS_MAX = 1024  # verified by one request
BODY_BYTES_MAX = 4 << 20


async def start(request: web.Request, node: Node) -> web.Response:
    """Ask for a proof of a slot; joins the job that makes it already."""
    dataset = await _dataset(node, cid_of(request))
    entropy, host = _needed_entropy(request), _host(request)
    circuits = node.proving.circuits
    parameters = circuits.parameters(request.query.get("circuit"))
    ask = ProofAsk.of(dataset, _slot(request), entropy, host, parameters)
    prover = await circuits.prover(parameters)
    deadline = node.clock.monotonic() + _within(request)
    job = node.proving.proofs.start(ask, prover, deadline)
    return reply_json(proof_status(job, node.clock.monotonic()), 202)


async def evidence(request: web.Request, node: Node) -> web.Response:
    """What a proof would be made from, as `input.json` for other provers of the circuit."""
    dataset = await _dataset(node, cid_of(request))
    parameters = node.proving.circuits.parameters(request.query.get("circuit"))
    entropy = _needed_entropy(request)
    ask = ProofAsk.of(dataset, _slot(request), entropy, None, parameters)
    made = await gather(node.proving.proofs.ports, ask, parameters)
    text = made.to_input_json(parameters.max_slot_depth, parameters.max_dataset_depth)
    return reply_text(text, media_type=JSON)


async def listed(request: web.Request, node: Node) -> web.Response:
    """The proofs of a slot that were asked for, newest first."""
    now = node.clock.monotonic()
    jobs = node.proving.proofs.of(cid_of(request), _slot(request))
    return reply_json(ProofList([proof_status(job, now) for job in jobs]))


async def show(request: web.Request, node: Node) -> web.Response:
    return reply_json(proof_status(_job(request, node), node.clock.monotonic()))


async def cancel(request: web.Request, node: Node) -> web.Response:
    """Stop making a proof; one that is made stays."""
    await node.proving.proofs.cancel(_job(request, node).id)
    return reply_empty(204)


async def circuits(_request: web.Request, node: Node) -> web.Response:
    """The circuits of this node, that of its network first."""

    def look() -> list[CircuitBody]:
        places = node.proving.circuits.places
        found = dict.fromkeys([places.default, *places.every()])
        return [circuit_body(parameters, node) for parameters in found]

    loop = asyncio.get_running_loop()
    return reply_json(CircuitList(await loop.run_in_executor(None, look)))


async def verify(request: web.Request, node: Node) -> web.Response:
    """Whether proofs hold, and say what is expected: that they are about this dataset, slot,
    entropy, host, as far as they are named."""
    proofs = decode_proofs(await _body(request))
    expected = await _expected(request, node)

    def look() -> list[Verdict]:
        find_key = node.proving.circuits.find_verifying_key
        return check_proofs(proofs, find_key, expected, node.proving.proofs.secret())

    loop = asyncio.get_running_loop()
    verdicts = await loop.run_in_executor(None, look)
    good = all(verdict.is_good for verdict in verdicts)
    return reply_json(VerdictList(good, [verdict_body(each) for each in verdicts]))


def decode_proofs(body: bytes) -> list[StorageProof]:
    """A proof, or a list of them, in JSON. Raises InputError."""
    try:
        values = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"the body is neither a proof nor a list of proofs: {error}") from None
    found = values if isinstance(values, list) else [values]
    if not 0 < len(found) <= PROOFS_MAX:
        raise InputError(f"{len(found)} proofs are not from 1 to {PROOFS_MAX}")
    return [proof_of_values(each) for each in found]


async def _body(request: web.Request) -> bytes:
    body = bytearray()
    while piece := await request.content.read(MAX_JSON_BYTES):
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise TooLarge(f"the body is larger than {BODY_BYTES_MAX} bytes")
    return bytes(body)


async def _expected(request: web.Request, node: Node) -> Expected:
    cid, slot = request.query.get("cid"), request.query.get("slot")
    root = None
    if cid is not None:
        dataset = await _dataset(node, Cid.parse(cid))
        root = verification_of(dataset.manifest).verify_root.digest
    return Expected(
        dataset_root=root,
        slot_index=None if slot is None else whole_of(slot, "slot", 0, MAX_SLOTS_PROVABLE - 1),
        entropy=_entropy(request),
        host=_host(request),
    )


async def _dataset(node: Node, cid: Cid) -> Dataset:
    dataset = await node.store.dataset(cid) if is_manifest(cid) else None
    if dataset is None:
        raise UnknownDataset(f"{cid} is not on this node; fetch it first", cid=str(cid))
    return dataset


def _job(request: web.Request, node: Node) -> ProofJob:
    job = node.proving.proofs.find(request.match_info["proofId"])
    if (job.ask.dataset.manifest_cid, job.ask.slot) != (cid_of(request), _slot(request)):
        raise NotFound(f"proof {job.id} is one of another slot")
    return job


def _slot(request: web.Request) -> int:
    return whole_of(request.match_info["slot"], "slot", 0, MAX_SLOTS_PROVABLE - 1)


def _entropy(request: web.Request) -> bytes | None:
    """Of `?entropy=`, or of `?challenge=`."""
    entropy, challenge = request.query.get("entropy"), request.query.get("challenge")
    if entropy is not None and challenge is not None:
        raise InputError("give either entropy or challenge; entropy follows from a challenge")
    if challenge is not None:
        return entropy_of_challenge(parse_challenge(challenge))
    return None if entropy is None else parse_entropy(entropy)


def _needed_entropy(request: web.Request) -> bytes:
    entropy = _entropy(request)
    if entropy is None:
        raise InputError("a proof of what? give ?entropy= or ?challenge= in hexadecimal")
    return entropy


def _host(request: web.Request) -> bytes | None:
    text = request.query.get("host")
    return None if text is None else parse_host(text)


def _within(request: web.Request) -> float:
    text = request.query.get("within")
    seconds = WITHIN_SECONDS if text is None else parse_duration(text)
    if not 0 < seconds <= WITHIN_SECONDS_MAX:
        raise InputError(f"within={text} is not above 0 and at most {WITHIN_SECONDS_MAX:.0f} s")
    return seconds
