"""Are these surroundings fit for a node? A list of findings, each with what to do about it."""

from __future__ import annotations

import importlib
import os
import shutil
import socket
import sqlite3
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import quire
from quire.base.errors import QuireError
from quire.base.units import GIB, format_size
from quire.node.config import NodeConfig
from quire.node.doctor_reach import examine_reach
from quire.node.finding import Finding
from quire.node.node import Node
from quire.node.profile import load_profile

LEAST_FREE_BYTES = 1 * GIB
LEAST_PYTHON = (3, 11)
LEAST_OPEN_FILES = 1024


def examine(config: NodeConfig, *, is_running: bool) -> list[Finding]:
    """Check what a node with this configuration needs. Changes nothing on the disk.

    With `is_running` the node itself asks, and its port and lock are rightly taken.
    """
    checks: list[Callable[[], Finding]] = [
        _versions,
        lambda: _profile(config),
        lambda: _directory(config.data_dir),
        lambda: _key(config.data_dir / config.net_privkey),
        lambda: _store(config.data_dir / "store"),
        lambda: _disk(config),
        _open_files,
    ]
    if not is_running:
        checks.append(lambda: _port(config.api_bindaddr, config.api_port))
    return [check() for check in checks]


def examine_node(node: Node) -> list[Finding]:
    """What only a running node can tell, after what `examine` finds."""
    peers = len({c.peer for c in node.transport.connections()})
    announced = node.announcer.status()
    lag = node.lag.quantile(0.99)
    return [
        *examine(node.config, is_running=True),
        Finding("peers", "ok", f"connected to {peers} peers")
        if peers
        else Finding(
            "peers",
            "warning",
            "connected to nobody",
            "start it with --bootstrap",
        ),
        examine_reach(
            node.transport.reachability(),
            node.transport.listen_addresses(),
            str(node.config.nat),
        ),
        Finding("announcing", "ok", f"{announced.published} announced, {announced.queued} waiting"),
        Finding("event loop", "ok", f"lag p99 {lag * 1000:.1f} ms")
        if lag < 0.05
        else Finding(
            "event loop", "warning", f"lag p99 {lag * 1000:.0f} ms", "the machine is overloaded"
        ),
    ]


def _versions() -> Finding:
    python = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < LEAST_PYTHON:
        return Finding("versions", "problem", f"Python {python}", "use Python 3.11 or newer")
    try:
        importlib.import_module("quire.kernels.hashing")
    except ImportError as error:
        return Finding("versions", "problem", f"the core does not load: {error}", "run make setup")
    return Finding(
        "versions",
        "ok",
        f"Quire {quire.__version__}, Python {python}, SQLite {sqlite3.sqlite_version}",
    )


def _profile(config: NodeConfig) -> Finding:
    try:
        profile = load_profile(config.profile)
    except QuireError as error:
        return Finding("profile", "problem", error.message, "quire node --help lists the profiles")
    return Finding("profile", "ok", f"{profile.name}, blocks of {format_size(profile.block_size)}")


def _directory(path: Path) -> Finding:
    if not path.exists():
        return Finding("data directory", "ok", f"{path} will be made at the first start")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return Finding(
            "data directory", "problem", f"{path} is not writable", "choose another --data-dir"
        )
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Finding(
            "data directory", "warning", f"others may read {path} ({mode:o})", f"chmod 700 {path}"
        )
    return Finding("data directory", "ok", str(path))


def _key(path: Path) -> Finding:
    if not path.exists():
        return Finding("key", "ok", "will be made at the first start")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Finding(
            "key", "problem", f"the network private key file is not safe: mode {mode:o} of {path}",
            f"chmod 600 {path}",
        )  # fmt: skip
    return Finding("key", "ok", f"{path}, mode {mode:o}")


def _store(path: Path) -> Finding:
    """Whether the index answers. A running node may hold the lock, so nothing is written."""
    if not path.exists():
        return Finding("store", "ok", "will be made at the first start")
    for file in sorted(path.glob("*.sqlite")) + sorted(path.glob("*.db")):
        try:
            with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=2.0) as connection:
                connection.execute("select count(*) from sqlite_master").fetchone()
            connection.close()
        except sqlite3.Error as error:
            return Finding(
                "store", "problem", f"{file} does not open: {error}", "restore it from a copy"
            )
    return Finding("store", "ok", str(path))


def _disk(config: NodeConfig) -> Finding:
    place = config.data_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    text = f"{format_size(free)} free, quota {format_size(config.storage_quota)}"
    if free < LEAST_FREE_BYTES:
        return Finding("disk", "problem", text, "free space on the disk of the data directory")
    if free < config.storage_quota // 2:
        return Finding("disk", "warning", text, "the quota may not fit: lower --storage-quota")
    return Finding("disk", "ok", text)


def _open_files() -> Finding:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < LEAST_OPEN_FILES:
        return Finding("open files", "warning", f"limit {soft}", f"ulimit -n {LEAST_OPEN_FILES}")
    return Finding("open files", "ok", f"limit {soft}")


def _port(address: str, port: int) -> Finding:
    if port == 0:
        return Finding("API port", "ok", "any free one will be taken")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return Finding(
                "API port", "problem", f"{address}:{port} cannot be used: {error.strerror}",
                "choose another --api-port",
            )  # fmt: skip
    return Finding("API port", "ok", f"{address}:{port} is free")
