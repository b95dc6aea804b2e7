"""A line to a node that breaks or stalls, and commands that go on beside it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from quire.faces.local import LocalNode


class Link:
    """A TCP line to the node that carries so many bytes each way, and then breaks, or stalls."""

    def __init__(
        self,
        node: LocalNode,
        *,
        up: int | None = None,
        down: int | None = None,
        stalls: bool = False,
    ) -> None:
        self._target = ("127.0.0.1", int(node.api.rpartition(":")[2]))
        self.left = {"up": up, "down": down}
        self._stalls = stalls
        self._is_over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.api = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target)
            except OSError:
                near.close()
                continue
            for source, sink, way in ((near, far, "up"), (far, near, "down")):
                threading.Thread(target=self._carry, args=(source, sink, way), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                left = self.left[way]
                if left is not None and len(data) > left:
                    self.left[way] = None  # the next connection holds
                    sink.sendall(data[:left])
                    if self._stalls:
                        self._is_over.wait(60)
                    break
                if left is not None:
                    self.left[way] = left - len(data)
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._listener.close()


def command(*arguments: str, api: str, state: Path) -> subprocess.Popen[bytes]:
    """`quire` as a process that goes on by itself."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("QUIRE_")}
    environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    environment["XDG_STATE_HOME"] = str(state)
    return subprocess.Popen(
        [sys.executable, "-m", "quire.faces.cli.main", "--api", api, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
    )  # fmt: skip


def ended(process: subprocess.Popen[bytes]) -> tuple[int, dict, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, json.loads(out) if out else {}, err.decode()
