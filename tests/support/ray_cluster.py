"""A cluster of Ray of one's own: on loopback, in a directory of its own, gone at the end.

It is for tests of the adapter and for scenes that want real workers in processes of their own; it
takes some 15 seconds to start, so one test file should need one cluster.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STORE_BYTES = 400_000_000
START_SECONDS, STOP_SECONDS = 180.0, 20.0


@contextmanager
def ray_cluster(cpus: int = 3, port: int = 0) -> Iterator[str]:
    """The address of a cluster of one machine that is said to have so many cores.

    Also sets what a process must have in its environment to stay on loopback with it."""
    # Not where tests have their files: names of Unix sockets are at most 107 bytes long.
    with tempfile.TemporaryDirectory(prefix="quire-ray-", dir="/tmp") as place:
        directory = Path(place)
        os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
        process = _start(directory, cpus, port)
        try:
            yield _address(process, directory)
        finally:
            process.terminate()  # it ends the processes that it started
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            shutil.rmtree(directory, ignore_errors=True)


def _start(directory: Path, cpus: int, port: int) -> subprocess.Popen[bytes]:
    sources = [str(Path(__file__).parents[2] / "src"), *sys.path]
    environment = {
        **os.environ,
        "HOME": str(directory),
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
        "PYTHONPATH": os.pathsep.join(path for path in sources if path),
    }
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    options = {
        "port": str(port),
        "node-ip-address": "127.0.0.1",
        "num-cpus": str(cpus),
        "num-gpus": "0",
        "object-store-memory": str(STORE_BYTES),
        "temp-dir": str(directory),
        "include-dashboard": "false",
    }
    with (directory / "start.log").open("wb") as log:
        return subprocess.Popen(
            [*command, *(f"--{name}={value}" for name, value in options.items())],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
        )


def _address(process: subprocess.Popen[bytes], directory: Path) -> str:
    """As soon as the cluster is ready."""
    told = directory / "ray_current_cluster"
    log = directory / "start.log"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if (
            told.exists()
            and (address := told.read_text().strip())
            and b"Ray runtime" in (log.read_bytes())
        ):
            return address
        time.sleep(0.1)
    raise RuntimeError(f"Ray did not start: {log.read_text()[-2000:]}")
