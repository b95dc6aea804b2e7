"""Makes the proofs that are asked for, the most urgent first, on the workers of the node.

    start -> [ waiting, by deadline ] -> at most `at_once`: gathering, proving -> complete
                    `-- past its deadline, cancelled, refused: with a reason --'

The event loop only hands work over. A proof that is not needed any more, or is late, is stopped;
its place is given to the next as soon as its worker has let go.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from quire.base.clock import Clock
from quire.base.errors import Bug, Busy, DeadlineExceeded, NotFound, QuireError
from quire.base.events import EventBus
from quire.base.spans import span
from quire.base.waits import Wait, Waits
from quire.flow.prove import (
    AnyProver,
    OutsideProver,
    ProofAsk,
    ProvePorts,
    gather,
    proof_of,
)
from quire.flow.remembered import forget_old
from quire.flow.workers import Workers
from quire.formats.cid import Cid
from quire.services.proof_job import ProofJob

WAITING_MAX = 1024
KEPT_JOBS = 1024  # ended ones that can still be asked about


@dataclass(slots=True)
class ProofCounts:
    """Since the node started."""

    complete: int = 0
    failed: int = 0  # those that were late among them
    late: int = 0
    cancelled: int = 0


class Proofs:
    """All proof jobs of one node. `outside_at_once`: proofs that others make for it side by side;
    those that its own workers make wait for their turn there too."""

    def __init__(
        self,
        ports: ProvePorts,
        events: EventBus,
        waits: Waits,
        clock: Clock,
        rng: random.Random,
        workers: Workers,
        *,
        outside_at_once: int = 0,
    ) -> None:
        self.ports = ports
        self._events = events
        self._waits = waits
        self._clock = clock
        self._rng = rng
        self._workers = workers
        self._outside_at_once = outside_at_once
        self._serial = 0
        self._queue: list[ProofJob] = []  # a heap of those that wait
        self._jobs: OrderedDict[str, ProofJob] = OrderedDict()
        self._open: dict[str, tuple[ExitStack, Wait]] = {}
        self._running: dict[str, ProofJob] = {}
        self._is_closing = False
        self.counts = ProofCounts()

    @property
    def at_once(self) -> int:
        """Proofs that can be made side by side."""
        return max(self._workers.proofs_at_once, self._outside_at_once)

    @property
    def waiting_count(self) -> int:
        return len(self._queue)

    @property
    def running_count(self) -> int:
        return len(self._running)

    def start(self, ask: ProofAsk, prover: AnyProver, deadline: float) -> ProofJob:
        """Ask for a proof, or join a job for the same that is ready, or will be by then.

        deadline  monotonic seconds
        Raises    DeadlineExceeded  it has passed
                  Busy              the queue is full, or the node is stopping
        """
        if self._is_closing:
            raise Busy("the node is stopping and makes no more proofs")
        now = self._clock.monotonic()
        if deadline <= now:
            raise DeadlineExceeded(f"the deadline passed {now - deadline:.1f} s ago")
        self._serial += 1
        identity = self._rng.randbytes(8).hex()
        job = ProofJob(identity, ask, prover, deadline, self._serial, self._clock.now())
        known = self._same(job)
        if known is not None:
            return known
        if self.waiting_count >= WAITING_MAX:
            raise Busy(f"{WAITING_MAX} proofs are waiting already; ask again later")
        self._jobs[job.id] = job
        heapq.heappush(self._queue, job)
        stack = ExitStack()
        wait = stack.enter_context(self._waits.waiting(job.subject, job.reason, deadline))
        self._open[job.id] = (stack, wait)
        timer = asyncio.get_running_loop().call_at(deadline, self._expire, job)
        stack.callback(timer.cancel)
        self._tell(job, "asked", "is asked for")
        forget_old(self._jobs, KEPT_JOBS)
        self._pump()
        return job

    def find(self, job_id: str) -> ProofJob:
        """A job, ended or not. Raises NotFound."""
        job = self._jobs.get(job_id)
        if job is None:
            raise NotFound(f"there is no proof {job_id[:64]!r}, or it was forgotten; ask anew")
        return job

    def of(self, cid: Cid, slot: int) -> list[ProofJob]:
        """The jobs for one slot, newest first."""
        found = [
            job
            for job in self._jobs.values()
            if job.ask.slot == slot and job.ask.dataset.manifest_cid == cid
        ]
        return found[::-1]

    def all(self) -> list[ProofJob]:
        """Jobs that are remembered, oldest first."""
        return list(self._jobs.values())

    async def wait(self, job: ProofJob) -> None:
        """Until the job has ended, however it does."""
        await job.ended.wait()

    async def cancel(self, job_id: str) -> bool:
        """Stop a job; whether it had not ended. Its worker has let go when this returns."""
        job = self.find(job_id)
        if job.has_ended:
            return False
        if job.task is None:
            self._drop(job)
            self._end(job, "cancelled", "was stopped on request")
            return True
        job.task.cancel()
        await asyncio.wait([job.task])
        return job.state == "cancelled"

    def secret(self) -> bytes:
        """32 bytes that nobody could foresee, for checks of several proofs together."""
        return self._rng.randbytes(32)

    async def stop(self) -> None:
        """Cancel every job and take no more."""
        self._is_closing = True
        for job in self.all():
            await self.cancel(job.id)

    # ---- inside ----

    def _same(self, job: ProofJob) -> ProofJob | None:
        """A job for the same question whose proof is here, or comes in time."""
        for known in reversed(self._jobs.values()):
            if known.question == job.question:
                is_coming = not known.has_ended and known.deadline <= job.deadline
                if is_coming or known.state == "complete":
                    return known
        return None

    def _pump(self) -> None:
        """Give free places to the most urgent."""
        while self._queue and len(self._running) < self.at_once:
            job = heapq.heappop(self._queue)
            self._running[job.id] = job
            job.task = asyncio.get_running_loop().create_task(self._run(job), name="prove")
            job.task.add_done_callback(partial(self._let_go, job))
        self._say_turns()

    def _say_turns(self) -> None:
        for ahead, job in enumerate(sorted(self._queue), len(self._running)):
            self._set_reason(job, f"waits for its turn, number {ahead + 1} by deadline")

    async def _run(self, job: ProofJob) -> None:
        began = self._clock.monotonic()
        job.state = "gathering"
        self._set_reason(job, "the cells that were drawn are read and their paths checked")
        self._tell(job, "started", "is being made")
        try:
            async with asyncio.timeout_at(job.deadline):
                with span("prove", cid=job.subject, slot=job.ask.slot):
                    await self._make(job)
            job.seconds = self._clock.monotonic() - began
            self._end(job, "complete", f"is made, in {job.seconds:.2f} s")
        except TimeoutError:
            self._expire(job)
        except QuireError as error:
            job.error = error
            self._end(job, "failed", error.message)
        except asyncio.CancelledError:
            self._end(job, "cancelled", "was stopped on request")
            raise

    async def _make(self, job: ProofJob) -> None:
        made = await gather(self.ports, job.ask, job.prover.parameters)
        job.state, prover = "proving", job.prover
        how = "ordered of aggregators" if isinstance(prover, OutsideProver) else "computed"
        self._set_reason(job, f"the proof is {how}")
        self._tell(job, "proving", f"shows {len(made.samples)} cells; the proof is {how}")
        if isinstance(prover, OutsideProver):
            found = await prover.order(job.ask, made, job.deadline)
        else:
            found = await self._workers.prove(prover, made, job.ask.host)
        job.proof = proof_of(job.ask, job.prover, found)

    def _expire(self, job: ProofJob) -> None:
        """The deadline has come: a waiting job ends here, a running one comes here by itself."""
        if job.task is None:
            self._drop(job)
        elif job.has_ended or asyncio.current_task() is not job.task:
            return
        job.error = DeadlineExceeded(f"the deadline passed; at that time: {job.reason}")
        self.counts.late += 1
        self._end(job, "failed", job.error.message)

    def _end(self, job: ProofJob, state: str, message: str) -> None:
        job.state = job.reason = state
        if state == "complete":
            self.counts.complete += 1
        elif state == "failed":
            self.counts.failed += 1
        else:
            self.counts.cancelled += 1
        stack, _ = self._open.pop(job.id)
        stack.close()
        job.ended.set()
        self._tell(job, state, message)

    def _let_go(self, job: ProofJob, task: asyncio.Task[None]) -> None:
        """The job's task is over, perhaps without having begun."""
        if not job.has_ended:
            if task.cancelled():
                self._end(job, "cancelled", "was stopped on request")
            else:
                job.error = Bug(f"a proof ended with {task.exception()!r}")
                self._end(job, "failed", job.error.message)
        del self._running[job.id]
        self._pump()

    def _drop(self, job: ProofJob) -> None:
        """Take a job that waits out of the queue."""
        self._queue.remove(job)
        heapq.heapify(self._queue)
        self._say_turns()

    def _set_reason(self, job: ProofJob, reason: str) -> None:
        job.reason = reason
        _, wait = self._open[job.id]
        wait.reason = f"proof of slot {job.ask.slot}: {reason}"

    def _tell(self, job: ProofJob, what: str, message: str) -> None:
        self._events.publish(
            f"prove.{what}",
            job.subject,
            f"the proof of slot {job.ask.slot} {message}" if what != "failed" else message,
            proof=job.id,
            slot=job.ask.slot,
        )
