"""One job that makes one proof, as it is asked for, waited for and told.

waiting -> gathering -> proving -> complete
   `----------`------------`-----> failed | cancelled
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from quire.base.errors import QuireError
from quire.dataset.storage_proof import StorageProof
from quire.flow.prove import AnyProver, ProofAsk

ENDED = ("complete", "failed", "cancelled")


@dataclass(slots=True, eq=False)
class ProofJob:
    """`deadline` in monotonic seconds. Ordered by deadline, then by when it was asked for."""

    id: str
    ask: ProofAsk
    prover: AnyProver
    deadline: float
    serial: int
    asked_at: float  # unix seconds
    state: str = "waiting"
    reason: str = "waits for its turn"
    error: QuireError | None = None
    proof: StorageProof | None = None
    seconds: float | None = None  # that gathering and proving took
    task: asyncio.Task[None] | None = field(default=None, repr=False)  # once its turn has come
    ended: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def __lt__(self, other: ProofJob) -> bool:
        return (self.deadline, self.serial) < (other.deadline, other.serial)

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    @property
    def question(self) -> tuple[object, ...]:
        """What is asked; two jobs with the same question give equally good proofs."""
        ask = self.ask
        return (self.subject, ask.slot, ask.entropy, ask.host, self.prover.key_hash)

    @property
    def subject(self) -> str:
        return str(self.ask.dataset.manifest_cid)
