"""Checks proofs of others, as many together as are waiting: a batch costs little more than one, and
halving finds the bad ones, so that they cost the good ones nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TypeAlias

from quire.base.errors import QuireError

SEED_BYTES = 32

# (public inputs joined, proof) of each, and a seed that no prover could foresee: the indices of the
# bad ones. Blocking. As kernels.groth16.verify_batch, with its key.
VerifyProofs: TypeAlias = Callable[[Sequence[tuple[bytes, bytes]], bytes], list[int]]


class ProofChecks:
    """Under one verifying key."""

    def __init__(
        self, verify: VerifyProofs, rng: random.Random, executor: Executor | None = None
    ) -> None:
        self._verify = verify
        self._rng = rng
        self._executor = executor
        self._waiting: list[tuple[tuple[bytes, bytes], asyncio.Future[bool]]] = []
        self._task: asyncio.Task[None] | None = None

    async def is_good(self, public: bytes, proof: bytes) -> bool:
        """Whether the proof holds for these public inputs. Raises QuireError."""
        loop = asyncio.get_running_loop()
        verdict: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(((public, proof), verdict))
        if self._task is None:
            self._task = loop.create_task(self._run(), name="check-proofs")
        return await verdict

    async def stop(self) -> None:
        """Whoever waits waits no longer."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        for _, verdict in self._waiting:
            verdict.cancel()
        self._waiting = []

    async def _run(self) -> None:
        """What comes while a batch is checked is the next one."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._check(batch)
            except asyncio.CancelledError:
                for _, verdict in batch:
                    verdict.cancel()
                raise
        self._task = None

    async def _check(self, batch: list[tuple[tuple[bytes, bytes], asyncio.Future[bool]]]) -> None:
        items, seed = [item for item, _ in batch], self._rng.randbytes(SEED_BYTES)
        loop = asyncio.get_running_loop()
        try:
            bad = await loop.run_in_executor(self._executor, self._verify, items, seed)
        except QuireError as error:
            for _, verdict in batch:
                if not verdict.done():
                    verdict.set_exception(error)
            return
        for at, (_, verdict) in enumerate(batch):
            if not verdict.done():
                verdict.set_result(at not in bad)
