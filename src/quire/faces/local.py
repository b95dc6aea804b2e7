"""Nodes of your own on this machine, each a real process; for demos, benchmarks and tests.

    with LocalNode(directory) as node:
        print(node.api, node.peer_id, node.address)

The node listens on loopback, on ports that the system chooses. Leaving the block stops it.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from quire.base.clock import SystemClock
from quire.base.errors import DeadlineExceeded, NodeUnreachable

START_SECONDS = 60.0
STOP_SECONDS = 20.0


class LocalNode:
    """One `quire node` process. `api`, `peer_id` and `addresses` are set once it has started."""

    def __init__(
        self,
        data_dir: Path,
        *,
        bootstrap: Sequence[str] = (),
        arguments: Sequence[str] = (),
        under: Sequence[str] = (),
    ) -> None:
        """`under` is a command that runs another one in its own place, such as `ip netns exec`."""
        self.data_dir = data_dir
        self.api = ""
        self.peer_id = ""
        self.addresses: list[str] = []
        self._bootstrap = list(bootstrap)
        self._arguments = list(arguments)
        self._under = list(under)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise NodeUnreachable("the node has not been started")
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Stopped, killed, or not started yet."""
        return self._process is None or self._process.poll() is not None

    @property
    def address(self) -> str:
        """The first TCP address, with the peer id: what another node takes as `--bootstrap`."""
        first = next((a for a in self.addresses if "/tcp/" in a), self.addresses[0])
        return first if "/p2p/" in first else f"{first}/p2p/{self.peer_id}"

    @property
    def log_path(self) -> Path:
        return self.data_dir.with_name(self.data_dir.name + ".log")

    def start(self) -> Self:
        """Run the node; returns when its API answers. Raises with the end of its log if not."""
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        command = [*self._under, sys.executable, "-m", "quire.faces.cli.main", "node", "--json"]
        command += ["--data-dir", str(self.data_dir), "--api-port", "0"]
        if not any(argument.startswith("--listen") for argument in self._arguments):
            command += ["--listen", "/ip4/127.0.0.1/tcp/0"]
        for address in self._bootstrap:
            command += ["--bootstrap", address]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                command + self._arguments, stdout=subprocess.PIPE, stderr=log
            )
        ready = json.loads(self._first_line())
        self.api = str(ready["api"])
        self.peer_id = str(ready["peerId"])
        self.addresses = [str(address) for address in ready["addresses"]]
        return self

    def _first_line(self) -> bytes:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        line = b""
        clock = SystemClock()
        deadline = clock.monotonic() + START_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - clock.monotonic())):
                    self.kill()
                    raise DeadlineExceeded(f"the node did not start in {START_SECONDS:.0f} s")
                more = os.read(process.stdout.fileno(), 65_536)
                if not more:
                    process.wait(STOP_SECONDS)
                    code = self._end(signal.SIGKILL)
                    tail = self.log_path.read_text(errors="replace")[-2000:]
                    raise NodeUnreachable(f"the node ended with exit code {code}:\n{tail}")
                line += more
        return line

    def until_ended(self) -> None:
        """Wait for a process that ends by itself."""
        if self._process is not None:
            self._process.wait()

    def kill(self) -> None:
        """SIGKILL: the node gets no chance to do anything more."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, and SIGKILL if it takes too long; returns the exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)  # does nothing to one that has ended
        try:
            code = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if process.stdout is not None:
            process.stdout.close()
        return code

    def resources(self) -> dict[str, float]:
        """CPU seconds so far, resident and peak resident bytes (Linux)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        tick = os.sysconf("SC_CLK_TCK")
        status = Path(f"/proc/{self.pid}/status").read_text()
        sizes = {
            key: float(value.split()[0]) * 1024
            for key, _, value in (line.partition(":") for line in status.splitlines())
            if key in ("VmRSS", "VmHWM")
        }
        return {
            "cpu_seconds": (int(fields[11]) + int(fields[12])) / tick,
            "rss_bytes": sizes["VmRSS"],
            "peak_rss_bytes": sizes["VmHWM"],
        }

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
