"""Circuits that are sent to workers: each is hashed once, and its files are shared at most once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from quire.services.circuits import LoadedCircuit
from quire.services.workers.circuit_parcel import CircuitParcel
from quire.services.workers.far import Cluster

K = TypeVar("K")
V = TypeVar("V")


class Once(Generic[K, V]):
    """What is made by the first who asks, for all; what failed is made anew."""

    def __init__(self, make: Callable[[K], Coroutine[Any, Any, V]]) -> None:
        self._make = make
        self._made: dict[K, asyncio.Task[V]] = {}

    async def of(self, key: K) -> V:
        known = self._made.get(key)
        if known is None or (known.done() and (known.cancelled() or known.exception())):
            known = self._made[key] = asyncio.get_running_loop().create_task(self._make(key))
        return await asyncio.shield(known)

    def stop(self) -> None:
        for task in self._made.values():
            task.cancel()


class CircuitPost:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._parcels: Once[LoadedCircuit, CircuitParcel] = Once(_parcel)
        self._contents: Once[tuple[CircuitParcel, int], object] = Once(self._share)

    async def parcel(self, circuit: LoadedCircuit) -> CircuitParcel:
        return await self._parcels.of(circuit)

    async def contents(self, parcel: CircuitParcel, era: int) -> object:
        """The files of a circuit, shared once an era. Raises NotFound, ClusterGone."""
        return await self._contents.of((parcel, era))

    def stop(self) -> None:
        """Nothing more is sent."""
        self._parcels.stop()
        self._contents.stop()

    async def _share(self, key: tuple[CircuitParcel, int]) -> object:
        loop = asyncio.get_running_loop()
        return await self._cluster.share(await loop.run_in_executor(None, key[0].contents))


async def _parcel(circuit: LoadedCircuit) -> CircuitParcel:
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, CircuitParcel.of, circuit.files)
