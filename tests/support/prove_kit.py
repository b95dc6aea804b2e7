"""What tests of proofs need: a protected dataset in a store, and provers that prove nothing."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from quire.base.errors import Cancelled
from quire.base.events import EventBus
from quire.dataset.circuit import CircuitParameters
from quire.dataset.proof_input import ProofInput
from quire.dataset.storage_proof import PROOF_BYTES, Claim
from quire.flow.prove import ProofAsk, ProvePorts
from quire.services.circuit_setup import set_up_circuit
from quire.sim.disk import SimDisk
from quire.sim.rng import Streams
from quire.store.dataset import Dataset
from quire.store.slot_files import SlotFiles
from quire.store.store import Store
from support.protect_kit import protections
from support.store_kit import BLOCK, Inline, TurnedClock, put, store_in

K, M = 3, 2
BLOCKS = 14  # of 15: the last data row ends with a pad
SMALL = CircuitParameters(samples=5, block_depth=1)  # blocks of 4096 bytes
ENTROPY = (1234567).to_bytes(32, "little")
HOST = bytes(range(20))


@dataclass
class Protected:
    """A dataset of this node with its slots."""

    store: Store
    disk: SimDisk
    slots: SlotFiles
    dataset: Dataset

    @property
    def ports(self) -> ProvePorts:
        return ProvePorts(self.store, self.slots)

    def ask(self, slot: int = 0, entropy: bytes = ENTROPY, host: bytes | None = HOST) -> ProofAsk:
        return ProofAsk.of(self.dataset, slot, entropy, host, SMALL)


@asynccontextmanager
async def protected_in(directory: Path, blocks: int = BLOCKS) -> AsyncIterator[Protected]:
    """`blocks` different blocks, protected with K + M."""
    disk = SimDisk(Streams(1).stream("disk"))
    slots = SlotFiles(disk, EventBus(TurnedClock()), Inline())
    async with store_in(directory) as store:
        source = await put(store, random.Random(1).randbytes(blocks * BLOCK - 100))
        jobs = protections(store, slots=slots)
        job = await jobs.start(source.manifest_cid, K, M)
        assert job.task is not None
        await job.task
        assert job.result is not None, job.error
        yield Protected(store, disk, slots, job.result)


@dataclass
class FakeProver:
    """Takes its time until it is let go; then gives bytes that name the input."""

    parameters: CircuitParameters = SMALL
    key_hash: bytes = bytes(32)
    gate: threading.Event = field(default_factory=threading.Event)
    began: list[ProofInput] = field(default_factory=list)
    ended: list[ProofInput] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)
    problem: Exception | None = None

    def begin(self, made: ProofInput, host: bytes | None) -> FakeWork:
        return FakeWork(self, made, host)


class FakeWork:
    def __init__(self, prover: FakeProver, made: ProofInput, host: bytes | None) -> None:
        self.prover, self.made, self.host = prover, made, host
        self.is_cancelled = threading.Event()

    def run(self) -> tuple[bytes, tuple[bytes, ...]]:
        prover = self.prover
        prover.began.append(self.made)
        prover.threads.append(threading.current_thread().name)
        while not prover.gate.wait(0.005):
            if self.is_cancelled.is_set():
                prover.ended.append(self.made)
                raise Cancelled("the work was cancelled")
        prover.ended.append(self.made)
        if prover.problem is not None:
            raise prover.problem
        claim = Claim(
            self.made.entropy, self.made.dataset_root, self.made.slot_index, self.host
        ).public()
        return hashlib.sha256(b"".join(claim)).digest() * (PROOF_BYTES // 32), claim

    def cancel(self) -> None:
        self.is_cancelled.set()


# The smallest circuit for blocks of 4096 bytes: its key is made in a second.
TINY = CircuitParameters(samples=1, max_slot_depth=6, max_dataset_depth=3, block_depth=1)
TINY_SETTINGS = {
    "proof_samples": 1,
    "max_slot_depth": 6,
    "max_dataset_depth": 3,
    "max_block_depth": 1,
}


@cache
def _tiny_keys() -> TemporaryDirectory[str]:
    directory = TemporaryDirectory(prefix="quire-keys-")
    set_up_circuit(Path(directory.name), TINY, "tests", lambda *_: None)
    return directory


def tiny_keys() -> Path:
    """A circuit directory with the tiny circuit; made once, not to be changed."""
    return Path(_tiny_keys().name)
