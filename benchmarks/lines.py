"""The network fetch over lines with delay, loss and a rate, beside plain TCP over the same line.

Every cell has namespaces, lines and nodes of its own. One source: the limit is one plain TCP
connection. Several: the limit is the rate of a line times the number of sources.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.netns import Line, Star, congestion_control, star, why_not
from benchmarks.processes import measure, rate, server
from benchmarks.report import Row, skipped
from quire.base.units import MIB, format_size
from quire.faces.local import LocalNode

CELL_SECONDS = 12.0  # a cell that is not done by then counts what it has
RATE = 25e6  # bytes a second of a line: 200 Mbit/s, so that the processor is not the limit
MANY_RATE = 12.5e6  # of each of several lines
LOSSES = (0.0, 0.01)
RTTS_MS = (0, 20, 80)


def lines(directory: Path, size_bytes: int = 128 * MIB) -> list[Row]:
    """One row for each round trip and loss, and one for four sources at 20 ms."""
    reason, rows = why_not(), []
    try:
        for loss in LOSSES if not reason else ():
            for rtt_ms in RTTS_MS:
                place = directory / f"line-{rtt_ms}-{loss}"
                rows.append(_one_source(place, rtt_ms, loss, size_bytes))
        if not reason:
            rows.append(four_sources(directory / "four", 2 * size_bytes))
    except (subprocess.CalledProcessError, RuntimeError) as problem:
        reason = str(problem)  # root inside a container may not be allowed all of it
    if reason:
        rows.append(skipped("network fetch over lines with delay and loss", reason))
    return rows


def _one_source(directory: Path, rtt_ms: int, loss: float, size_bytes: int) -> Row:
    with star(1, Line(rtt_ms / 1e3, loss, RATE)) as net:
        limit = rate(_plain(net, size_bytes))
        done = _fetch(directory, net, size_bytes)
    return Row(
        f"fetch, {rtt_ms} ms round trip, {loss:.0%} loss",
        rate(done),
        "MB/s",
        limit,
        f"one plain TCP connection, {congestion_control()}",
        detail=_detail(done),
    )


def four_sources(directory: Path, size_bytes: int, rtt_ms: int = 20) -> Row:
    """The promise of several sources: their lines add up."""
    count = 4
    with star(count, Line(rtt_ms / 1e3, 0.0, MANY_RATE)) as net:
        done = _fetch(directory, net, size_bytes)
    return Row(
        f"fetch from {count} sources, {rtt_ms} ms round trip",
        rate(done),
        "MB/s",
        count * MANY_RATE / 1e6,
        f"the lines' {MANY_RATE * 8 / 1e6:.0f} Mbit/s times {count}",
        "ratio ≥ 0.8",
        _detail(done),
    )


def _plain(net: Star, size_bytes: int) -> dict[str, float]:
    prefix, address = net.sources[0]
    with server("tcp_limit", "serve", address, prefix=prefix) as port:
        return measure(
            "tcp_limit", "fetch", address, port, size_bytes, CELL_SECONDS, prefix=net.hub
        )


def _fetch(directory: Path, net: Star, size_bytes: int) -> dict[str, float]:
    """Sources hold the same dataset; the hub fetches it."""
    quota = ["--storage-quota", str(2 * size_bytes)]
    sources: list[LocalNode] = []
    hub = None
    try:
        cid = ""
        for number, (prefix, address) in enumerate(net.sources):
            arguments = [*quota, "--listen", f"/ip4/{address}/tcp/0"]
            node = LocalNode(directory / f"source-{number}", arguments=arguments, under=prefix)
            sources.append(node.start())
            url = f"{node.api}/api/codex/v1/data"
            cid = str(measure("http_load", "put", url, size_bytes, 0, prefix=prefix)["body"])
        bootstrap = [node.address for node in sources]
        hub = LocalNode(directory / "hub", bootstrap=bootstrap, arguments=quota, under=net.hub)
        hub.start()
        return measure("fetch_load", hub.api, cid, CELL_SECONDS, prefix=net.hub)
    finally:
        for node in [*sources, *([hub] if hub else [])]:
            node.kill()


def _detail(done: dict[str, float]) -> str:
    size = format_size(int(done["bytes"]))
    ended = "complete" if done["is_complete"] else f"stopped after {CELL_SECONDS:.0f} s"
    return f"{size} in {done['seconds']:.1f} s from {done['peers']:.0f} peers, {ended}"
