"""Workers on a cluster of Ray, which somebody else has started (`ray start`).

    node  -- pipe, files in memory --  bridge (ray_bridge.py)  -- Ray --  workers (ray_worker.py)

What is shared lies in Ray's object store, so that workers of one machine read it in place. Restarts
and retries are ours, so that they are counted and told. Ray must be on this machine too: a node
joins the cluster through its own `ray start --address`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import os
import pickle
import socket
import sys
import weakref
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import quire
from quire.base.errors import BadConfig, Bug, EnvironmentProblem
from quire.services.workers.far import ClusterGone, FarWorker, WorkerDied
from quire.services.workers.frames import LENGTH_BYTES, Shared, frame_directory, pack, unpack
from quire.services.workers.ray_bridge import DIED, GONE

BRIDGE = "quire.services.workers.ray_bridge"
CALL_SECONDS = 60.0  # for Ray to answer a question about itself, or to take something
END_SECONDS = 5.0  # for the bridge to end by itself
# Ray's own end of a process whose cluster is gone comes too early: a cluster may come back.
_PATIENCE = {"RAY_gcs_rpc_server_reconnect_timeout_s": "600"}


def need_ray() -> None:
    """Raise BadConfig unless Ray is installed. Does not import it."""
    if importlib.util.find_spec("ray") is None:
        raise BadConfig(
            "workers = ray:... needs Ray, which is not installed: pip install 'quire[ray]', or set "
            "workers = local"
        )


class RayCluster:
    """The cluster at an address; `auto` is the one that was started on this machine."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._bridge: _Bridge | None = None

    @property
    def name(self) -> str:
        return f"Ray at {self._address}"

    async def connect(self) -> None:
        self._bridge = bridge = _Bridge(self.name)
        try:
            await bridge.start(self._address)
        except ClusterGone as error:
            await self.disconnect()
            raise EnvironmentProblem(f"{error.message}; see `ray status`") from None

    async def disconnect(self) -> None:
        bridge, self._bridge = self._bridge, None
        if bridge is not None:
            await bridge.stop()

    async def machines(self) -> dict[str, int]:
        return cast("dict[str, int]", await self._connected().ask(CALL_SECONDS, "machines"))

    async def hire(self, machine: str, cores: int) -> FarWorker:
        bridge = self._connected()
        return _Actor(bridge, cast(int, await bridge.ask(CALL_SECONDS, "hire", machine, cores)))

    async def share(self, values: Sequence[object]) -> object:
        """Shared for as long as what is returned lives."""
        bridge = self._connected()
        is_buffer = (bytes, bytearray, memoryview)
        given = [pickle.PickleBuffer(v) if isinstance(v, is_buffer) else v for v in values]
        shared = cast(Shared, await bridge.ask(CALL_SECONDS, "share", given))
        weakref.finalize(shared, bridge.tell, "release", shared.number)
        return shared

    def _connected(self) -> _Bridge:
        if self._bridge is None:
            raise ClusterGone(f"{self.name} is not connected")
        return self._bridge


class _Actor:
    def __init__(self, bridge: _Bridge, number: int) -> None:
        self._bridge = bridge
        self._number = number

    async def call(self, method: str, *values: object) -> object:
        try:
            return await self._bridge.ask(None, "call", self._number, method, values)
        except ClusterGone as error:
            raise WorkerDied(error.message) from None

    def dismiss(self) -> None:
        self._bridge.tell("dismiss", self._number)


class _Bridge:
    """The process that speaks with Ray, and what it has been asked."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._directory = frame_directory()
        self._path = Path(self._directory.name)
        self._serials = itertools.count(1)
        self._asked: dict[int, asyncio.Future[object]] = {}
        self._process: Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._telling: dict[asyncio.Task[object], None] = {}

    async def start(self, address: str) -> None:
        """Raises ClusterGone."""
        ours, theirs = socket.socketpair()
        handle = str(theirs.fileno())
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", BRIDGE, handle, str(self._path), address),
                env=_environment(),
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # what is typed at the node is not for it
            )
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[object] = loop.create_future()
        self._asked[0] = ready
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        self._reading = loop.create_task(self._read(reader), name="answers of the bridge to Ray")
        await self._answer(CALL_SECONDS, 0, ready)

    async def ask(self, seconds: float | None, method: str, *values: object) -> object:
        """Its answer. Raises ClusterGone, WorkerDied, Bug."""
        loop = asyncio.get_running_loop()
        serial = next(self._serials)
        if self._writer is None or self._reading is None or self._reading.done():
            raise ClusterGone(f"{self._name} is not connected any more")
        asked = self._asked[serial] = loop.create_future()
        try:
            frame = await loop.run_in_executor(None, pack, (serial, method, values), self._path)
            self._writer.write(frame)
        except OSError as error:
            del self._asked[serial]
            raise ClusterGone(f"{self._name} cannot be given anything: {error}") from None
        return await self._answer(seconds, serial, asked)

    def tell(self, method: str, *values: object) -> None:
        """Ask without an answer, from any thread. Harmless when it is gone, or the loop is."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._begin_telling, method, *values)

    async def stop(self) -> None:
        """The process ends, and with it every worker."""
        if self._writer is not None:
            self._writer.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        self._fail()
        if self._process is not None and self._process.returncode is None:
            try:
                async with asyncio.timeout(END_SECONDS):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        self._directory.cleanup()

    # ---- inside ----

    async def _answer(
        self, seconds: float | None, serial: int, asked: asyncio.Future[object]
    ) -> object:
        try:
            async with asyncio.timeout(seconds):
                problem, outcome = cast("tuple[str, object]", await asked)
        except TimeoutError:
            raise ClusterGone(f"{self._name} did not answer in {seconds:.0f} s") from None
        finally:
            self._asked.pop(serial, None)
        if not problem:
            return outcome
        if problem == DIED:
            raise WorkerDied(str(outcome))
        if problem == GONE:
            raise ClusterGone(f"{self._name}: {outcome}")
        raise Bug(f"a worker made a mistake: {outcome}")

    def _begin_telling(self, method: str, *values: object) -> None:
        task = self._loop.create_task(self._tell(method, *values))
        self._telling[task] = None
        task.add_done_callback(self._telling.pop)

    async def _tell(self, method: str, *values: object) -> object:
        with suppress(ClusterGone, WorkerDied):
            return await self.ask(CALL_SECONDS, method, *values)
        return None

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(LENGTH_BYTES), "big")
                body = await reader.readexactly(length)
                serial, *told = cast("tuple[int, str, object]", unpack(body, self._path))
                asked = self._asked.get(serial)
                if asked is not None and not asked.done():
                    asked.set_result(tuple(told))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._fail()

    def _fail(self) -> None:
        """Nobody answers any more."""
        for asked in self._asked.values():
            if not asked.done():
                asked.set_result((GONE, "the connection has ended"))


def _environment() -> dict[str, str]:
    """The bridge finds the same Quire as this process."""
    here = str(Path(quire.__file__).parents[1])
    paths = [here, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return _PATIENCE | os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
