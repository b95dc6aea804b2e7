"""Codings that somebody asked this node to order, as they can be followed until their end.

A run may come to several orders, one after the other: who cheats, is late or says no is followed by
the next aggregator. Runs are remembered while the node runs; their orders are the journal's.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncIterable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from quire.aggregation.order import ENDS, Order
from quire.aggregation.values import JOB_ID_BYTES, EncodeWork
from quire.base.errors import Cancelled, InputError, NotFound, QuireError
from quire.dataset.geometry import Geometry
from quire.flow.remembered import forget_old
from quire.formats.cid import Cid
from quire.formats.replica_parts import BLOCK_BYTES
from quire.formats.varint import Buffer
from quire.services.ordering.encoding import EncodeTerms, Encoding
from quire.services.ordering.orders import Orders
from quire.services.ordering.pushing import Streamed
from quire.store.dataset import Dataset

KEPT_RUNS = 256
LOOKING = "looking for an aggregator that codes it"


@dataclass(slots=True)
class EncodingRun:
    """`cid`: of the original, None until it has streamed by; `result`: the verifiable dataset, once
    it was checked. `earlier`: orders that were there before, and are not of this run."""

    run_id: str
    cid: Cid | None
    size: int
    geometry: Geometry
    terms: EncodeTerms
    earlier: dict[str, None]
    task: asyncio.Task[Cid] | None = None
    result: Cid | None = None
    error: QuireError | None = None

    @property
    def has_ended(self) -> bool:
        return self.task is None or self.task.done()

    @property
    def state(self) -> str:
        """running complete failed cancelled."""
        if not self.has_ended:
            return "running"
        if self.error is None:
            return "complete"
        return "cancelled" if isinstance(self.error, Cancelled) else "failed"


class EncodingRuns:
    """Of one node."""

    def __init__(self, encoding: Encoding, orders: Orders, rng: random.Random) -> None:
        self._encoding = encoding
        self._orders = orders
        self._rng = rng
        self._runs: OrderedDict[str, EncodingRun] = OrderedDict()

    def start(self, dataset: Dataset, terms: EncodeTerms) -> EncodingRun:
        """Have a dataset of this node coded, in the background; see `Encoding.encode`."""
        cid, manifest = dataset.manifest_cid, dataset.manifest
        run = self._new("", cid, manifest.dataset_size, manifest.block_size, terms)
        self._go(run, self._encoding.encode(cid, terms))
        return run

    def stream(
        self, run_id: str, wanted: Streamed, pieces: AsyncIterable[Buffer], terms: EncodeTerms
    ) -> EncodingRun:
        """Have a dataset coded that streams by; see `Encoding.stream`. `run_id`: chosen by whoever
        streams, so that he can follow it meanwhile; empty: any. Raises InputError."""
        run = self._new(run_id, None, wanted.size, BLOCK_BYTES, terms)
        wanted = replace(wanted, subject=run.run_id)
        self._go(run, self._encoding.stream(wanted, pieces, terms))
        return run

    async def until_result(self, run: EncodingRun) -> Cid:
        """The verifiable dataset. Whoever is cancelled while he waits does not want it any more.
        Raises what it failed with."""
        assert run.task is not None
        try:
            await asyncio.wait([run.task])
        except asyncio.CancelledError:
            run.task.cancel()
            await asyncio.wait([run.task])
            raise
        if run.result is None:
            raise run.error or Cancelled("it was stopped")
        return run.result

    async def stop(self) -> None:
        """Nobody is told any more; orders go on with the next start."""
        for run in self._runs.values():
            if run.task is not None and not run.task.done():
                run.task.cancel()
                await asyncio.wait([run.task])

    def every(self) -> list[EncodingRun]:
        """The oldest first."""
        return list(self._runs.values())

    def get(self, run_id: str) -> EncodingRun:
        """Raises NotFound."""
        run = self._runs.get(run_id)
        if run is None:
            raise NotFound(f"there is no encoding {run_id[:80]} since the node started; quire jobs")
        return run

    def orders_of(self, run: EncodingRun) -> list[Order]:
        """At one aggregator after the other, the oldest first."""
        return [
            order
            for order in self._orders.all()
            if order.subject == run.run_id or self._is_for(order, run)
        ]

    def words(self, run: EncodingRun) -> str:
        """What is going on, for people."""
        if run.error is not None:
            return run.error.message
        if run.result is not None:
            return f"coded and checked: {run.result}"
        orders = self.orders_of(run)
        return self._orders.words(orders[-1]) if orders else LOOKING

    async def cancel(self, run: EncodingRun) -> None:
        """Its order under way is cancelled, if its result was not accepted yet; before there is
        one, the search for an aggregator ends."""
        under_way = [order for order in self.orders_of(run) if order.at not in ENDS]
        for order in under_way:
            await self._orders.cancel(order.key)
        if under_way or run.task is None or run.task.done():
            return
        if run.cid is not None:
            self._encoding.give_up(run.cid, run.terms)
        run.task.cancel()

    # ---- inside ----

    def _new(
        self, run_id: str, cid: Cid | None, size: int, block_size: int, terms: EncodeTerms
    ) -> EncodingRun:
        """Raises InputError when the id is another run's."""
        run_id = run_id or self._rng.randbytes(JOB_ID_BYTES).hex()
        if run_id in self._runs:
            raise InputError(f"the encoding {run_id} is there already; take another id")
        earlier = {order.key: None for order in self._orders.all() if order.at in ENDS}
        geometry = Geometry(-(-size // block_size), terms.k, terms.m, block_size)
        run = self._runs[run_id] = EncodingRun(run_id, cid, size, geometry, terms, earlier)
        return run

    def _go(self, run: EncodingRun, work: Coroutine[Any, Any, Cid]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=f"encoding {run.run_id}")
        run.task = task
        task.add_done_callback(lambda done: _note(run, done))
        forget_old(self._runs, KEPT_RUNS)

    def _is_for(self, order: Order, run: EncodingRun) -> bool:
        work = order.work
        return (
            isinstance(work, EncodeWork)
            and run.cid is not None
            and (work.original, work.k, work.m) == (run.cid, run.terms.k, run.terms.m)
            and order.key not in run.earlier
        )


def _note(run: EncodingRun, task: asyncio.Task[Cid]) -> None:
    if task.cancelled():
        run.error = Cancelled("it was stopped")
    elif (error := task.exception()) is None:
        run.result = task.result()
    elif isinstance(error, QuireError):
        run.error = error
    else:
        run.error = QuireError(f"it ended with {error!r}")
