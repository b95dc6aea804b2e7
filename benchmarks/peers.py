"""Quire beside Tahoe-LAFS and beside plain file servers: same machine, same clients, one run.

Uploads: every request brings new data and is answered when it is durable. Downloads: all clients
get what the first upload of that size stored. A cell ends after CELL_SECONDS; what is not done by
then is said so, with the rate of what was acknowledged (uploads) or received (downloads).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from benchmarks.environment import peers_python
from benchmarks.processes import measure, server, settle
from benchmarks.report import Cell
from benchmarks.tahoe import grid
from quire.base.units import GIB, MIB, format_size
from quire.faces.local import LocalNode

CELL_SECONDS = 40.0
SIZES = (MIB, 64 * MIB, GIB)
CLIENTS = (1, 16)
# Requests of each client in a row, by size: small ones are over too soon to be measured alone.
REQUESTS = {MIB: 20, 64 * MIB: 2}
SYSTEMS = ("Quire", "Tahoe-LAFS", "aiohttp", "uvicorn")
QUOTA = str(40 * GIB)


@dataclass(frozen=True, slots=True)
class System:
    """How a system is spoken to. `{n}` in `upload` becomes a number of its own per request."""

    method: str
    upload: str
    download: Callable[[str], str]  # from the answer to an upload
    forget: Callable[[list[str]], None]  # what was uploaded, by its answers


def peers(directory: Path, sizes: tuple[int, ...] = SIZES) -> list[Cell]:
    """One cell for each direction, size and number of clients, with a figure of each system."""
    cells = {
        (way, size, clients): Cell(_name(way, size, clients), "MB/s")
        for way in ("upload", "download")
        for size in sizes
        for clients in CLIENTS
    }
    for name in SYSTEMS:
        print(f"  {name} ...", flush=True)
        place = directory / name
        place.mkdir()
        with _system(name, place) as system:
            for size in sizes:
                for (way, clients), done in _of_size(system, size).items():
                    cells[way, size, clients].add(name, *done)
        shutil.rmtree(place)
    return list(cells.values())


def _of_size(system: System, size: int) -> dict[tuple[str, int], tuple[float, str]]:
    """MB/s of all clients together, and a remark, by direction and number of clients."""
    found: dict[tuple[str, int], tuple[float, str]] = {}
    one = _run(system.method, system.upload, size, 1)
    found["upload", 1] = _rate(one)
    for clients in CLIENTS:
        if one["answers"]:
            done = _run("GET", system.download(one["answers"][0]), size, clients)
            found["download", clients] = _rate(done)
        else:
            found["download", clients] = float("nan"), "could not be stored in time"
    system.forget(one["answers"])
    for clients in CLIENTS[1:]:  # last: it may leave work behind
        many = _run(system.method, system.upload, size, clients)
        found["upload", clients] = _rate(many)
        system.forget(many["answers"])
    return found


_serial = iter(range(1, 1 << 40))


def _run(method: str, url: str, size: int, clients: int) -> dict[str, Any]:
    settle()
    batch = next(_serial)
    wanted = {
        "method": method,
        "urls": [url.replace("{n}", f"{batch}-{{n}}")],
        "size_bytes": size,
        "clients": clients,
        "requests": REQUESTS.get(size, 1),
        "seconds": CELL_SECONDS,
        "seed": batch << 12,
    }
    return measure("http_clients", json.dumps(wanted))


def _rate(done: dict[str, Any]) -> tuple[float, str]:
    if done["problems"]:
        return float("nan"), f"failed: {done['problems'][0].split('.')[0]}"
    rate = done["bytes"] / 1e6 / done["seconds"] if done["bytes"] else float("nan")
    if done["finished"] == done["wanted"]:
        return rate, ""
    return rate, f"{done['finished']} of {done['wanted']} finished in {CELL_SECONDS:.0f} s"


def _name(way: str, size: int, clients: int) -> str:
    return f"{way} {format_size(size)}, {clients} client{'s' if clients > 1 else ''}"


@contextmanager
def _system(name: str, place: Path) -> Iterator[System]:
    with ExitStack() as stack:
        if name == "Quire":
            arguments = ["--storage-quota", QUOTA]
            node = stack.enter_context(LocalNode(place / "node", arguments=arguments))
            data = f"{node.api}/api/codex/v1/data"
            yield System(
                "POST", data, lambda cid: f"{data}/{cid}", lambda cids: _delete(data, cids)
            )
        elif name == "Tahoe-LAFS":
            url = stack.enter_context(grid(peers_python(), place))
            yield System("PUT", f"{url}/uri", lambda cap: f"{url}/uri/{cap}", lambda caps: None)
        else:
            python = peers_python()
            port = stack.enter_context(server("static_app", name, place, python=python))
            base = f"http://127.0.0.1:{port}"

            def forget(names: list[str]) -> None:
                for each in names:
                    (place / each).unlink()

            yield System("PUT", f"{base}/{{n}}", lambda file: f"{base}/{file}", forget)


def _delete(data: str, cids: list[str]) -> None:
    for cid in cids:
        with urlopen(Request(f"{data}/{cid}", method="DELETE"), timeout=60):
            pass
