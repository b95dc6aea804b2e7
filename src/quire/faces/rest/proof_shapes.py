"""The JSON shapes of storage proofs: jobs, circuits, verdicts."""

from __future__ import annotations

from typing import Any

from quire.dataset.circuit import CircuitParameters
from quire.faces.rest.shape import Shape
from quire.node.node import Node
from quire.services.circuit_files import UNSAFE
from quire.services.proof_check import Verdict, in_words
from quire.services.proof_job import ProofJob


class ProofStatus(Shape, frozen=True):
    """A proof that was asked for. `state`: waiting, gathering, proving, complete, failed,
    cancelled. `proof`: as docs/reference/proof-format.md has it, once it is complete. `seconds`:
    how long it took once its turn had come."""

    id: str
    cid: str
    slot: int
    circuit: str
    entropy: str
    host: str | None
    state: str
    reason: str
    asked_at: float
    remaining_seconds: float
    seconds: float | None
    proof: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class ProofList(Shape, frozen=True):
    proofs: list[ProofStatus]


class CircuitBody(Shape, frozen=True):
    """A circuit. `networks`: whether it is that of the node's network. `warning`: of a key that is
    fit for tests only."""

    id: str
    samples: int
    max_slot_depth: int
    max_dataset_depth: int
    block_depth: int
    cell_elements: int
    binds_host: bool
    networks: bool
    has_proving_key: bool
    is_open: bool
    key_hash: str | None
    published_key_hash: str | None
    warning: str


class CircuitList(Shape, frozen=True):
    circuits: list[CircuitBody]


class VerdictBody(Shape, frozen=True):
    """What came of one proof. `says`: what it proves, if it is good."""

    good: bool
    problem: str
    says: str
    circuit: str
    slot: int
    entropy: str
    verify_root: str
    host: str | None


class VerdictList(Shape, frozen=True):
    """`good`: all of them are."""

    good: bool
    proofs: list[VerdictBody]


def proof_status(job: ProofJob, now: float) -> ProofStatus:
    """`now`: monotonic seconds."""
    ask = job.ask
    return ProofStatus(
        id=job.id,
        cid=job.subject,
        slot=ask.slot,
        circuit=job.prover.parameters.id,
        entropy=felt_text(ask.entropy),
        host=None if ask.host is None else "0x" + ask.host.hex(),
        state=job.state,
        reason=job.reason,
        asked_at=job.asked_at,
        remaining_seconds=round(max(0.0, job.deadline - now), 3),
        seconds=None if job.seconds is None else round(job.seconds, 3),
        proof=None if job.proof is None else job.proof.as_dict(),
        error=None if job.error is None else job.error.as_dict(),
    )


def circuit_body(parameters: CircuitParameters, node: Node) -> CircuitBody:
    """Blocking: looks at the files."""
    circuits = node.proving.circuits
    files, published = circuits.places.find(parameters), circuits.places.published(parameters)
    return CircuitBody(
        id=parameters.id,
        samples=parameters.samples,
        max_slot_depth=parameters.max_slot_depth,
        max_dataset_depth=parameters.max_dataset_depth,
        block_depth=parameters.block_depth,
        cell_elements=parameters.cell_elements,
        binds_host=parameters.binds_host,
        networks=parameters == circuits.places.default,
        has_proving_key=files.zkey is not None,
        is_open=circuits.is_open(parameters),
        key_hash=None if files.note is None else files.note.key_hash.hex(),
        published_key_hash=None if published is None else published.hex(),
        warning=UNSAFE if files.is_development else "",
    )


def verdict_body(verdict: Verdict) -> VerdictBody:
    claim = verdict.proof.claim
    return VerdictBody(
        good=verdict.is_good,
        problem=verdict.problem,
        says=in_words(verdict.proof),
        circuit=verdict.proof.circuit.id,
        slot=claim.slot_index,
        entropy=felt_text(claim.entropy),
        verify_root=felt_text(claim.dataset_root),
        host=None if claim.host is None else "0x" + claim.host.hex(),
    )


def felt_text(felt: bytes) -> str:
    """A felt as people read numbers."""
    return f"0x{int.from_bytes(felt, 'little'):x}"
