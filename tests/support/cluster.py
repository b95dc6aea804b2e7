"""What tests with real `quire node` processes share: state before and after, REST in one call."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from quire.faces.local import LocalNode

CODEX, QUIRE = "/api/codex/v1", "/api/quire/v1"
PATIENCE_SECONDS = 8.0
BLOCK_BYTES = 65_536
# Grow and shrink for reasons of their own: the index, room kept in reserve, remembered peers.
UNSTEADY = ("meta.sqlite", "meta.sqlite-wal", "meta.sqlite-shm", "ballast", "peers.json")
UNSTEADY += ("pointers.db", "pointers.db-wal", "pointers.db-shm")


def call(
    node: LocalNode, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, bytes]:
    """One request; status and body, whatever they are. Underscores in names become dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        named.setdefault("Content-Type", "application/octet-stream")
    request = Request(node.api + path, data=body, headers=named, method=method)
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def ask(node: LocalNode, path: str) -> Any:
    """A GET at Quire's own base, decoded."""
    status, body = call(node, "GET", QUIRE + path)
    assert status == 200, body
    return json.loads(body)


def put(node: LocalNode, data: bytes) -> str:
    status, body = call(node, "POST", CODEX + "/data", data)
    assert status == 200, body
    return body.decode()


def held(node: LocalNode) -> dict[str, Any]:
    """What a node keeps: datasets, space, uploads under way, files of the data directory."""
    status = ask(node, "/status")
    files = {
        str(path.relative_to(node.data_dir)): _held_bytes(path)
        for path in sorted(node.data_dir.rglob("*"))
        if path.is_file() and path.name not in UNSTEADY
    }
    return {
        "data": ask(node, "/data"),
        "space": status["space"],
        "uploads": len(status["uploads"]),
        "fetches": status["fetches"],
        "waits": status["waits"],
        "files": {name: size for name, size in files.items() if size},
    }


def _held_bytes(path: Path) -> int:
    """Allocated bytes, without the page or two in which a file system lists a file's holes."""
    try:
        allocated = os.stat(path).st_blocks * 512
        return allocated if allocated < BLOCK_BYTES else allocated // BLOCK_BYTES * BLOCK_BYTES
    except FileNotFoundError:
        return 0


def until(fact: Callable[[], object], what: str = "") -> None:
    """Wait for what a node process makes true in its own time."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not fact():
        assert time.monotonic() < end, what or "it did not happen in time"
        time.sleep(0.02)


def until_held(node: LocalNode, before: dict[str, Any]) -> None:
    """Wait until a node keeps exactly what it kept before; freed room is given back at leisure."""
    end = time.monotonic() + PATIENCE_SECONDS
    while (changes := _changes(before, held(node))) and time.monotonic() < end:
        time.sleep(0.02)
    assert not changes, changes


def _changes(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    return {key: (old, now[key]) for key, old in before.items() if old != now[key]}
