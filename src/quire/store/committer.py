"""Group commit: one sync and one transaction for every change that is waiting.

Whoever changes the index hands in a `Change` and waits. While one group is being made durable the
next one gathers. A change that fails is undone alone; when the transaction as a whole fails (disk
full), its changes are tried one by one, those that free space with the ballast thrown off.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from quire.base.errors import DiskFull, EnvironmentProblem, QuireError
from quire.store.ballast import Ballast
from quire.store.catalog import Counts
from quire.store.meta import Meta, Tables
from quire.store.packs import Packs
from quire.store.quota import Quota

T = TypeVar("T")

GROUP_WEIGHT_MAX = 8192  # leaves in one transaction, roughly; keeps the wait of others short
GROUP_CHANGES_MAX = 512


@dataclass(slots=True)
class Change(Generic[T]):
    """One step of the index that becomes durable as a whole.

    `apply` runs in a worker thread inside the transaction. `done` and `failed` run on the loop's
    thread when the outcome is known, before the waiting task goes on, even if it was cancelled.
    """

    apply: Callable[[Tables], T]
    packs: frozenset[int] = frozenset()  # synced before
    weight: int = 1  # leaves touched
    frees_space: bool = False
    done: Callable[[T], None] | None = None
    failed: Callable[[BaseException], None] | None = None


@dataclass(slots=True)
class _Waiting:
    change: Change[Any]
    future: asyncio.Future[Any]
    outcome: Any = None
    error: BaseException | None = None
    is_decided: bool = False  # committed, or failed alone while its group was committed


class Committer:
    """The only writer of the index."""

    def __init__(
        self, meta: Meta, packs: Packs, ballast: Ballast, quota: Quota, executor: Executor | None
    ) -> None:
        self._meta = meta
        self._packs = packs
        self._ballast = ballast
        self._quota = quota
        self._executor = executor
        self._queue: deque[_Waiting] = deque()
        self._task: asyncio.Task[None] | None = None
        self.on_garbage: Callable[[], None] = _nothing

    async def run(self, change: Change[T]) -> T:
        """Have the change made durable; its result. Raises what `apply` raised."""
        return await self.hand_in(change)

    def hand_in(self, change: Change[T]) -> asyncio.Future[T]:
        """Queue the change; a future of its result."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.append(_Waiting(change, future))
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._drain(), name="store committer")
        return future

    async def idle(self) -> None:
        """Everything handed in so far is decided."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue:
            group = self._take_group()
            try:
                counts = await loop.run_in_executor(self._executor, self._commit, group)
            except QuireError as error:
                self._fail(group, error)
            except (Exception, asyncio.CancelledError) as error:
                self._fail([*group, *self._queue], error)
                self._queue.clear()
                raise
            else:
                self._quota.update(counts)
                self._report(group)
            if self._meta.take_garbage():
                self.on_garbage()

    def _fail(self, group: list[_Waiting], error: BaseException) -> None:
        """Tell everybody but those whose change is durable all the same."""
        for each in group:
            if not each.is_decided:
                each.error = error
        self._report(group)

    def _take_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        weight = 0
        while self._queue and len(group) < GROUP_CHANGES_MAX:
            weight += self._queue[0].change.weight
            if group and weight > GROUP_WEIGHT_MAX:
                break
            group.append(self._queue.popleft())
        return group

    def _report(self, group: list[_Waiting]) -> None:
        for each in group:
            if each.error is None and each.change.done is not None:
                each.change.done(each.outcome)
            elif each.error is not None and each.change.failed is not None:
                each.change.failed(each.error)
            if each.future.cancelled():
                continue
            if each.error is None:
                each.future.set_result(each.outcome)
            else:
                each.future.set_exception(each.error)

    def _commit(self, group: list[_Waiting]) -> Counts:
        """In a worker thread: make the group durable, filling in the outcomes."""
        try:
            return self._attempt(group)
        except (DiskFull, EnvironmentProblem) as error:
            if len(group) == 1 and not group[0].change.frees_space:
                group[0].error = error
                return self._meta.reading.catalog.counts()
        for each in group:
            each.error = None
            self._commit_alone(each)
        return self._meta.reading.catalog.counts()

    def _commit_alone(self, each: _Waiting) -> None:
        try:
            self._attempt([each])
        except DiskFull as error:
            each.error = error
            if each.change.frees_space and self._ballast.drop():
                each.error = None
                self._commit_again(each)
        except QuireError as error:
            each.error = error

    def _commit_again(self, each: _Waiting) -> None:
        try:
            self._attempt([each])
        except QuireError as error:
            each.error = error

    def _attempt(self, group: list[_Waiting]) -> Counts:
        sealable = self._packs.sealable()
        self._packs.sync(set(sealable).union(*(each.change.packs for each in group)))
        with self._meta.transaction() as tables:
            for each in group:
                self._apply(tables, each, alone=len(group) == 1)
            for pack in sealable:
                tables.extents.seal(pack)
            counts = tables.catalog.counts()
        for each in group:
            each.is_decided = True
        self._packs.sealed(sealable)
        return counts

    def _apply(self, tables: Tables, each: _Waiting, *, alone: bool) -> None:
        if alone:
            each.outcome = each.change.apply(tables)
            return
        try:
            with self._meta.savepoint():
                each.outcome = each.change.apply(tables)
        except QuireError as error:
            if isinstance(error, DiskFull) or not self._meta.is_in_transaction:
                raise
            each.error = error


def _nothing() -> None:
    """Until a reclaimer listens."""
