"""Workers on other machines, or in other processes: turns, retries, those that come and go.

    task -> line -> a worker that is free -> result
              ^          `- died: the task goes to another, a few times -'
    every few seconds: which machines are there? hire and lose workers; are all alive?

Which engine carries the bytes is the business of a `Cluster` (far.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import cast

from quire.base.errors import Bug, QuireError, WorkersLost
from quire.base.events import EventBus
from quire.base.invariant import invariant
from quire.base.waits import Waits
from quire.dataset.geometry import CELL_BYTES, Geometry
from quire.dataset.proof_input import ProofInput
from quire.dataset.slot_tree import NODE_BYTES
from quire.flow.prove import Prover
from quire.flow.workers import WorkersLoad
from quire.kernels.groth16 import verify
from quire.services.circuits import LoadedCircuit
from quire.services.workers.circuit_parcel import CircuitAbsent
from quire.services.workers.circuit_post import CircuitPost
from quire.services.workers.crew import Crew, Hand
from quire.services.workers.far import Cluster, ClusterGone, WorkerDied
from quire.services.workers.places import BATCH, PROOF, SUBJECT, TREE
from quire.store.columns import Columns
from quire.store.disk import Buffer

RETRIES_MAX = 3  # of a task whose workers died
TASK_SECONDS_MAX = 900.0  # a worker that takes longer counts as dead
CANCEL_SECONDS = 10.0  # for a proof to end after it was cancelled

Shared = Callable[[], Awaitable[object]]


class RemoteWorkers:
    """`cores` of each worker; a machine with fewer has one worker with what it has."""

    def __init__(self, cluster: Cluster, events: EventBus, waits: Waits, *, cores: int) -> None:
        self._cluster = cluster
        self._events = events
        self._crew = Crew(cluster, events, waits, cores=cores)
        self._post = CircuitPost(cluster)
        self._working: dict[asyncio.Task[object], None] = {}
        self._serial = 0
        self._retries = 0

    @property
    def batches_at_once(self) -> int:
        return self._crew.count + 1  # one more is read meanwhile

    @property
    def proofs_at_once(self) -> int:
        return max(1, self._crew.count)

    async def start(self) -> None:
        await self._crew.start()

    async def stop(self) -> None:
        self._crew.close()
        self._post.stop()
        for task in self._working:
            task.cancel()
        if self._working:
            await asyncio.wait(self._working)
        await self._crew.stop()

    def load(self) -> WorkersLoad:
        workers, queued = self._crew.count, self._crew.places.queued_count
        busy = workers - self._crew.places.free_count
        return WorkersLoad(workers, busy, queued, busy + queued, self._retries, self._crew.died)

    async def code(self, rows: Sequence[Buffer], geometry: Geometry, columns: range) -> Columns:
        what = f"coding of columns from {columns.start} on"
        shared = self._sharing(rows)
        made = await self._run(BATCH, what, "code", shared, geometry, columns)
        parity, digests, slots = (memoryview(part) for part in cast("list[Buffer]", made))
        count = len(columns)
        invariant(
            parity.nbytes == geometry.m * count * geometry.block_size
            and digests.nbytes == geometry.m * count * NODE_BYTES
            and slots.nbytes == geometry.slots * count * NODE_BYTES,
            "columns came from a worker with other lengths",
        )
        return Columns(columns.start, count, parity, bytes(digests), bytes(slots))

    async def slot_layers(
        self, digests: bytes, block_size: int, cell_size: int = CELL_BYTES
    ) -> Buffer:
        shared = self._sharing([digests])
        made = await self._run(
            TREE, "the tree over a slot", "slot_layers", shared, block_size, cell_size
        )
        return memoryview(cast("list[Buffer]", made)[0])

    async def prove(
        self, prover: Prover, made: ProofInput, host: bytes | None
    ) -> tuple[bytes, tuple[bytes, ...]]:
        if not isinstance(prover, LoadedCircuit):
            raise Bug("only a circuit that was opened from files can be proved elsewhere")
        parcel = await self._post.parcel(prover)
        what = f"a proof of slot {made.slot_index}"
        try:
            found = await self._run(PROOF, what, "prove", _nothing, parcel, made, host)
        except CircuitAbsent:
            found = await self._run(
                PROOF,
                what,
                "prove",
                lambda: self._post.contents(parcel, self._crew.era),
                parcel,
                made,
                host,
            )
        proof, public = cast("tuple[bytes, tuple[bytes, ...]]", found)
        loop = asyncio.get_running_loop()
        is_right = await loop.run_in_executor(
            None, verify, prover.verifying_key, b"".join(public), proof
        )
        invariant(is_right, "a proof that came from a worker does not hold")
        return proof, public

    # ---- inside ----

    async def _run(
        self, urgency: int, what: str, method: str, shared: Shared, *values: object
    ) -> object:
        """A task, on one worker after the other until one does not die of it."""
        for _ in range(RETRIES_MAX + 1):
            hand = await self._crew.take(urgency, what)
            self._serial += 1
            task = self._serial
            working = asyncio.get_running_loop().create_task(
                self._work(hand, what, method, task, shared, *values), name=what
            )
            self._working[working] = None
            working.add_done_callback(self._worked)
            try:
                made = await asyncio.shield(working)
            except WorkerDied as death:
                self._retries += 1
                message = f"{what} is begun again elsewhere: {death}"
                self._events.publish("workers.retried", SUBJECT, message)
                continue
            except asyncio.CancelledError:
                if method == "prove" and not working.done():
                    await _cancel(hand, task, working)
                raise
            if isinstance(made, QuireError):
                raise made
            return made
        self._retries -= 1
        raise WorkersLost(
            f"{what}: {RETRIES_MAX + 1} workers died over it, one after the other; see how much "
            f"memory the workers of {self._cluster.name} have"
        )

    async def _work(
        self, hand: Hand, what: str, method: str, task: int, shared: Shared, *values: object
    ) -> object:
        """The task at this worker, who is free again afterwards. Raises WorkerDied."""
        try:
            given = await shared()
            return await hand.ask(TASK_SECONDS_MAX, method, task, given, *values)
        except WorkerDied as death:
            self._crew.lose(hand, f"it was busy with {what}: {death}")
            raise
        except ClusterGone as error:
            self._crew.lose_all(error.message)
            raise WorkerDied(error.message) from None
        finally:
            self._crew.give(hand)

    def _sharing(self, values: Sequence[object]) -> Shared:
        """Share them when a worker is there for them; once, unless the connection was lost."""
        shared: dict[int, object] = {}

        async def share() -> object:
            era = self._crew.era
            if era not in shared:
                shared[era] = await self._cluster.share(values)
            return shared[era]

        return share

    def _worked(self, working: asyncio.Task[object]) -> None:
        del self._working[working]
        if not working.cancelled():
            working.exception()  # seen, though nobody may wait for it any more


async def _nothing() -> None:
    """The worker is thought to have all that it needs."""


async def _cancel(hand: Hand, task: int, working: asyncio.Task[object]) -> None:
    """End a proof at its worker; wait until it has, not for ever."""
    with suppress(WorkerDied):
        await hand.ask(CANCEL_SECONDS, "cancel", task)
    await asyncio.wait([working], timeout=CANCEL_SECONDS)
