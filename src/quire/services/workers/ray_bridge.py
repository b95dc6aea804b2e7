"""The process between a node and Ray: `python -m quire.services.workers.ray_bridge SOCKET ...`.

Ray ends the process that is connected to it when it ends itself, takes signals and threads for its
own use, and lets a process have one connection. A node must outlive it; so Ray is spoken with here,
and here alone Ray is imported.

    request  (serial, method of Bridge, values)      answer  (serial, problem or "", outcome)
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import os
import pickle
import shutil
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from quire.services.workers.frames import LENGTH_BYTES, Shared, pack, unpack
from quire.services.workers.ray_worker import RayWorker

T = TypeVar("T")

DIED, GONE, MISTAKE = "died", "gone", "mistake"  # problems
CALLS_AT_ONCE = 4  # of one worker: a task, and questions meanwhile
NAMESPACE = "quire"


class Bridge:
    """What a node can ask for. Workers and what was shared have numbers."""

    def __init__(self, address: str) -> None:
        self._ray: Any = importlib.import_module("ray")
        self._strategies: Any = importlib.import_module("ray.util.scheduling_strategies")
        self._ray.init(
            address=address,
            namespace=NAMESPACE,
            log_to_driver=False,
            configure_logging=False,
            include_dashboard=False,
        )
        self.errors: Any = self._ray.exceptions
        self._numbers = itertools.count(1)
        self._actors: dict[int, Any] = {}
        self._shared: dict[int, Any] = {}

    async def machines(self) -> dict[str, int]:
        nodes = await _off_loop(self._ray.nodes)
        return {
            node["NodeID"]: cores
            for node in nodes
            if node["Alive"] and (cores := int(node["Resources"].get("CPU", 0)))
        }

    async def hire(self, machine: str, cores: int) -> int:
        placed = self._strategies.NodeAffinitySchedulingStrategy(node_id=machine, soft=False)
        actor = self._ray.remote(RayWorker).options(
            num_cpus=cores,
            max_concurrency=CALLS_AT_ONCE,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy=placed,
        )
        number = next(self._numbers)
        self._actors[number] = await _off_loop(actor.remote, cores)
        return number

    async def dismiss(self, worker: int) -> None:
        actor = self._actors.pop(worker, None)
        if actor is not None:
            await _off_loop(self._ray.kill, actor)

    async def share(self, values: Sequence[object]) -> Shared:
        number = next(self._numbers)
        self._shared[number] = await _off_loop(self._ray.put, [_beside(each) for each in values])
        return Shared(number)

    async def release(self, number: int) -> None:
        self._shared.pop(number, None)

    async def call(self, worker: int, method: str, values: Sequence[object]) -> object:
        """What was shared arrives as its values, read in place on the worker's machine."""
        if worker not in self._actors:
            raise self.errors.RayActorError
        given = [self._shared[v.number] if isinstance(v, Shared) else v for v in values]
        outcome = await getattr(self._actors[worker], method).remote(*given)
        return [_beside(each) for each in outcome] if isinstance(outcome, list) else outcome


async def serve(bridge: Bridge, pipe: socket.socket, directory: Path) -> None:
    """Answer until the node closes the pipe."""
    reader, writer = await asyncio.open_unix_connection(sock=pipe)
    answering: dict[asyncio.Task[None], int] = {}

    def ended(task: asyncio.Task[None]) -> None:
        serial = answering.pop(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            writer.write(pack((serial, MISTAKE, repr(problem)), directory))

    async def answer(serial: int, method: str, values: Sequence[object]) -> None:
        told = await _told(bridge, method, values)
        try:
            frame = await _off_loop(pack, (serial, *told), directory)
        except OSError as error:
            frame = pack((serial, GONE, f"no room for what came: {error}"), directory)
        writer.write(frame)
        await writer.drain()

    while True:
        try:
            length = int.from_bytes(await reader.readexactly(LENGTH_BYTES), "big")
            body = await reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        serial, method, values = cast("tuple[int, str, Sequence[object]]", unpack(body, directory))
        task = asyncio.get_running_loop().create_task(answer(serial, method, values))
        answering[task] = serial
        task.add_done_callback(ended)


async def _told(bridge: Bridge, method: str, values: Sequence[object]) -> tuple[str, object]:
    """Problem and outcome."""
    errors = bridge.errors
    try:
        return "", await getattr(bridge, method)(*values)
    except errors.RayTaskError as error:
        return MISTAKE, str(error)
    except errors.RayError as error:
        return DIED if method == "call" else GONE, _first_line(error)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        return GONE, _first_line(error)


async def _off_loop(work: Callable[..., T], *values: object) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, partial(work, *values))


def _beside(value: object) -> object:
    """A buffer goes beside the pickle, so that it is not copied into it."""
    try:
        view = memoryview(value)  # type: ignore[arg-type]
    except TypeError:
        return value
    return pickle.PickleBuffer(view)


def _first_line(error: Exception) -> str:
    return f"{error}".strip().partition("\n")[0] or type(error).__name__


def main() -> None:
    handle, directory, address = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    with socket.socket(fileno=handle) as pipe:
        try:
            bridge = Bridge(address)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            pipe.sendall(pack((0, GONE, _first_line(error)), directory))
            return
        pipe.sendall(pack((0, "", None), directory))
        asyncio.run(serve(bridge, pipe, directory))
    shutil.rmtree(directory, ignore_errors=True)  # of a node that was killed
    os._exit(0)  # actors end with their driver; a thread of Ray must not keep it


if __name__ == "__main__":
    main()
