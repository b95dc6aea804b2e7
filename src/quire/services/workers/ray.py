"""Workers on a cluster of Ray, which somebody else has started (`ray start`).

Each worker is an actor: a process of its own that keeps circuits open between proofs. What is
shared lies in Ray's object store, so that workers of one machine read it in place, and so do we
what they return. Restarts and retries are ours, so that they are counted and told.

Ray must be on this machine too: a node joins the cluster through its own `ray start --address`.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from quire.base.errors import BadConfig, Bug, EnvironmentProblem
from quire.services.workers.far import ClusterGone, FarWorker, WorkerDied
from quire.services.workers.worker import Worker

T = TypeVar("T")

CALL_SECONDS = 30.0  # for Ray to answer a question about itself
CONNECT_SECONDS = 60.0
THREADS = 4
CALLS_AT_ONCE = 4  # of one worker: a task, and questions meanwhile
NAMESPACE = "quire"
# Ray ends a process that does not reach the head of its cluster for a minute. A node must not end
# with Ray: it notices by itself, and connects again.
_PATIENCE = ("RAY_gcs_rpc_server_reconnect_timeout_s", str(10**8))


def need_ray() -> None:
    """Raise BadConfig unless Ray is installed. Does not import it."""
    if importlib.util.find_spec("ray") is None:
        raise BadConfig(
            "workers = ray:... needs Ray, which is not installed: pip install 'quire[ray]', or set "
            "workers = local"
        )


class RayWorker(Worker):
    """A worker in a process of its own. Runs in Ray's processes, which import it from here."""

    def __init__(self, cores: int) -> None:
        # The kernels make their pool of threads with their first use.
        os.environ["RAYON_NUM_THREADS"] = str(cores)
        super().__init__()


class RayCluster:
    """The cluster at an address; `auto` is the one that was started on this machine.

    A process has one connection to Ray at most."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._ray: Any = None  # the package, imported with the first connection
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="quire-ray")

    @property
    def name(self) -> str:
        return f"Ray at {self._address}"

    async def connect(self) -> None:
        try:
            self._ray = await self._call(CONNECT_SECONDS, _connect, self._address)
        except ClusterGone as error:
            raise EnvironmentProblem(f"{error.message}; see `ray status`") from None

    async def disconnect(self) -> None:
        ray, self._ray = self._ray, None
        if ray is not None:
            await self._call(CALL_SECONDS, ray.shutdown)

    async def machines(self) -> dict[str, int]:
        nodes = await self._call(CALL_SECONDS, self._connected().nodes)
        return {
            node["NodeID"]: cores
            for node in nodes
            if node["Alive"] and (cores := int(node["Resources"].get("CPU", 0)))
        }

    async def hire(self, machine: str, cores: int) -> FarWorker:
        actor = await self._call(CALL_SECONDS, _hire, self._connected(), machine, cores)
        return _Actor(self._ray, actor, self._threads)

    async def share(self, values: Sequence[object]) -> object:
        return await self._call(CALL_SECONDS, _put, self._connected(), values)

    def _connected(self) -> Any:
        if self._ray is None:
            raise ClusterGone(f"{self.name} is not connected")
        return self._ray

    async def _call(self, seconds: float, work: Callable[..., T], *values: object) -> T:
        """A call of Ray that blocks, off the loop. Raises ClusterGone."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                return await loop.run_in_executor(self._threads, partial(work, *values))
        except TimeoutError:
            raise ClusterGone(f"{self.name} did not answer in {seconds:.0f} s") from None
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise ClusterGone(f"{self.name}: {_first_line(error)}") from None


class _Actor:
    def __init__(self, ray: Any, actor: Any, threads: ThreadPoolExecutor) -> None:
        self._ray = ray
        self._actor = actor
        self._threads = threads

    async def call(self, method: str, *values: object) -> object:
        errors = self._ray.exceptions
        try:
            return await getattr(self._actor, method).remote(*values)
        except errors.RayTaskError as error:
            raise Bug(f"a worker failed at {method}: {error}") from None
        except errors.RayError as error:
            raise WorkerDied(_first_line(error)) from None

    def dismiss(self) -> None:
        self._threads.submit(self._ray.kill, self._actor)


def _connect(address: str) -> Any:
    os.environ.setdefault(*_PATIENCE)
    ray: Any = importlib.import_module("ray")
    if ray.is_initialized():
        raise RuntimeError("this process is connected to a cluster of Ray already")
    ray.init(
        address=address,
        namespace=NAMESPACE,
        log_to_driver=False,
        configure_logging=False,
        include_dashboard=False,
    )
    return ray


def _hire(ray: Any, machine: str, cores: int) -> Any:
    strategies = importlib.import_module("ray.util.scheduling_strategies")
    placed = strategies.NodeAffinitySchedulingStrategy(node_id=machine, soft=False)
    actor = ray.remote(RayWorker).options(
        num_cpus=cores,
        max_concurrency=CALLS_AT_ONCE,
        max_restarts=0,
        max_task_retries=0,
        scheduling_strategy=placed,
    )
    return actor.remote(cores)


def _put(ray: Any, values: Sequence[object]) -> Any:
    """Buffers go beside the pickle, so that they are copied once, into the store."""
    is_buffer = (bytes, bytearray, memoryview)
    return ray.put([pickle.PickleBuffer(v) if isinstance(v, is_buffer) else v for v in values])


def _first_line(error: Exception) -> str:
    return f"{error}".strip().partition("\n")[0] or type(error).__name__
