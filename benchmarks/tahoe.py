"""A Tahoe-LAFS grid on loopback: an introducer, five storage servers, a client; 3 of 5 shares.

Real processes, ended by their id. All files lie below one directory.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

SERVERS, NEEDED = 5, 3
START_SECONDS = 60.0


@contextmanager
def grid(python: Path, directory: Path) -> Iterator[str]:
    """Run a grid for the length of the block; yields the URL of the client's web API."""
    runs: list[subprocess.Popen[bytes]] = []
    try:
        runs.append(_node(python, directory / "introducer", "create-introducer"))
        furl = _when_there(directory / "introducer" / "private" / "introducer.furl")
        known = ("--introducer", furl)
        for number in range(SERVERS):
            place = directory / f"server-{number}"
            runs.append(_node(python, place, "create-node", *known, "--webport", "none"))
        shares = ("--shares-needed", str(NEEDED), "--shares-total", str(SERVERS))
        place = directory / "client"
        web = ("--webport", "tcp:0:interface=127.0.0.1", "--shares-happy", str(SERVERS))
        runs.append(_node(python, place, "create-client", *known, *shares, *web))
        url = _when_there(place / "node.url").rstrip("/")
        _until_connected(url)
        yield url
    finally:
        for run in runs:
            run.kill()
        for run in runs:
            run.wait()


def _node(python: Path, place: Path, how: str, *arguments: str) -> subprocess.Popen[bytes]:
    tahoe = [str(python.with_name("tahoe"))]
    listen: tuple[str, ...] = ()
    if how != "create-client":
        port = _free_port()
        address = f"tcp:{port}:interface=127.0.0.1", f"tcp:127.0.0.1:{port}"
        listen = ("--port", address[0], "--location", address[1])
    create = [*tahoe, how, *arguments, *listen, str(place)]
    subprocess.run(create, check=True, stdout=subprocess.DEVNULL)
    with (place / "output.log").open("wb") as log:
        return subprocess.Popen(
            [*tahoe, "run", "--allow-stdin-close", str(place)], stdout=log, stderr=log
        )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _when_there(path: Path) -> str:
    end = time.monotonic() + START_SECONDS
    while not path.exists() or not (text := path.read_text().strip()):
        if time.monotonic() > end:
            raise SystemExit(f"Tahoe-LAFS did not write {path.name} in {START_SECONDS:.0f} s")
        time.sleep(0.1)
    return text


def _until_connected(url: str) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urlopen(f"{url}/?t=json", timeout=30) as answer:
            states = [each["connection_status"] for each in json.load(answer)["servers"]]
            if sum(state == "connected" for state in states) == SERVERS:
                return
        time.sleep(0.1)
    raise SystemExit("the storage servers of Tahoe-LAFS did not connect")
