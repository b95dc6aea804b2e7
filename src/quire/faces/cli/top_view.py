"""What `quire top` shows, made from the answers of the API. Pure: answers in, a renderable out."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from quire.base.units import format_duration, format_rate, format_size

MOST_ROWS = 12  # of each table
_BAR_CELLS = 20


class Rates:
    """Bytes per second of what only grows, from two looks at it."""

    def __init__(self) -> None:
        self._before: dict[str, int] = {}
        self._rates: dict[str, float] = {}
        self._at = 0.0

    def update(self, found: dict[str, Any], now: float) -> None:
        seen: dict[str, int] = {}
        for peer in found["peers"]["peers"]:
            seen[f"{peer['peerId']} in"] = peer["receivedBytes"]
            seen[f"{peer['peerId']} out"] = peer["sentBytes"]
        for kind in ("uploads", "downloads"):
            for transfer in found["status"][kind]:
                seen[f"{kind} {transfer['id']}"] = transfer["doneBytes"]
        seconds = now - self._at
        if self._at and seconds > 0:
            self._rates = {
                name: max(0, value - self._before[name]) / seconds
                for name, value in seen.items()
                if name in self._before
            }
        self._before, self._at = seen, now

    def of(self, name: str) -> float:
        return self._rates.get(name, 0.0)

    def as_dict(self) -> dict[str, float]:
        return {name: round(rate, 1) for name, rate in self._rates.items()}


def view(found: dict[str, Any], rates: Rates) -> RenderableType:
    """The whole screen."""
    status, peers = found["status"], found["peers"]
    return Group(
        _head(status),
        _transfers(status, rates),
        _peers(status, peers, rates),
        _waits(status),
    )


def _head(status: dict[str, Any]) -> Text:
    space = status["space"]
    used, most = space["quotaUsedBytes"], space["quotaMaxBytes"]
    lag = status["loopLag"]["p99Ms"]
    head = Text()
    head.append("quire ", "bold")
    head.append(f"{status['version']}  {status['profile']}  {status['peerId']}  ")
    head.append(f"up {format_duration(status['uptimeSeconds'])}\n")
    head.append(f"space {_bar(used, most)} {format_size(used)} of {format_size(most)}")
    head.append(f"  peers {status['peers']}")
    announced = status["announce"]
    head.append(f"  announced {announced['published']}, to do {announced['queued']}")
    head.append(f"  loop lag {lag:.0f} ms\n", "red" if lag > 50 else "")
    return head


def _transfers(status: dict[str, Any], rates: Rates) -> RenderableType:
    rows: list[tuple[str, ...]] = []
    for fetch in status["fetches"]:
        total, done = fetch["totalBytes"], fetch["verifiedBytes"]
        eta = fetch["etaSeconds"]
        rows.append(
            (
                "fetch",
                short(fetch["cid"]),
                _bar(done, total),
                _of(done, total),
                format_rate(fetch["rateBytesPerSecond"]),
                "" if eta is None else format_duration(eta),
                f"{len(fetch['peers'])} peers; {fetch['reason']}",
            )
        )
    for job in status["protections"]:
        total, done = job["totalBytes"], job["verifiedBytes"]
        sizes = (_bar(done, total), _of(done, total), "", "", job["reason"])
        rows.append((f"protect {job['k']}+{job['m']}", short(job["cid"]), *sizes))
    for kind, word in (("uploads", "upload"), ("downloads", "download")):
        for transfer in status[kind]:
            total, done = transfer["totalBytes"], transfer["doneBytes"]
            rate = rates.of(f"{kind} {transfer['id']}")
            left = format_duration((total - done) / rate) if total and rate >= 1 else ""
            rows.append(
                (
                    word,
                    short(transfer["subject"]),
                    _bar(done, total),
                    _of(done, total),
                    format_rate(rate),
                    left,
                    f"for {format_duration(transfer['seconds'])}",
                )
            )
    columns = ("what", "name", "progress", "", "rate", "left", "why")
    return _table("transfers", columns, rows, "none is under way")


def _peers(status: dict[str, Any], peers: dict[str, Any], rates: Rates) -> RenderableType:
    asked = {peer["peer"]: peer for peer in status["exchange"]["peers"]}
    rows: list[tuple[str, ...]] = []
    busiest = sorted(
        peers["peers"],
        key=lambda p: -rates.of(f"{p['peerId']} in") - rates.of(f"{p['peerId']} out"),
    )
    for peer in busiest:
        name = peer["peerId"]
        session = asked.get(name, {})
        rtt = session.get("rttSeconds")
        rows.append(
            (
                short(name),
                peer["agent"],
                ("to " if peer["outgoing"] else "from ") + peer["address"],
                f"{format_rate(rates.of(f'{name} in'))} ({format_size(peer['receivedBytes'])})",
                f"{format_rate(rates.of(f'{name} out'))} ({format_size(peer['sentBytes'])})",
                "" if not rtt else f"{rtt * 1000:.1f} ms",
                str(session.get("openRequests", "")),
                str(session.get("timeouts", "")),
            )
        )
    for banned in peers["banned"]:
        left = format_duration(banned["remainingSeconds"])
        rows.append((short(banned["peerId"]), f"banned for {left}", banned["reason"]))
    columns = ("peer", "agent", "address", "in", "out", "rtt", "open", "timeouts")
    return _table("peers", columns, rows, "connected to nobody")


def _waits(status: dict[str, Any]) -> RenderableType:
    rows: list[tuple[str, ...]] = [
        (
            short(wait["subject"]),
            wait["reason"],
            format_duration(wait["waitedSeconds"]),
            format_duration(wait["remainingSeconds"]),
        )
        for wait in status["waits"]
    ]
    columns = ("for", "reason", "since", "ends at the latest in")
    return _table("waits", columns, rows, "nothing is waited for")


def short(name: str) -> str:
    """A CID or peer id as the logs of the family write it: 3 characters, a star, the last 6."""
    return f"{name[:3]}*{name[-6:]}" if len(name) > 40 else name


def _table(
    title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]], when_empty: str
) -> RenderableType:
    """A table of the first rows, and how many more there are."""
    if not rows:
        return Text(f"{title}: {when_empty}", "dim")
    table = Table(title=title, title_justify="left", title_style="bold", expand=True, box=None)
    for column in columns:
        table.add_column(column, overflow="ellipsis", no_wrap=True)
    for row in rows[:MOST_ROWS]:
        table.add_row(*(Text(_printable(cell)) for cell in row))
    more = len(rows) - MOST_ROWS
    return Group(table, Text(f"and {more} more", "dim")) if more > 0 else table


def _printable(text: str) -> str:
    """Peers choose their names: nothing that would move the cursor gets through."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _bar(done: int, total: int | None) -> str:
    if not total:
        return " " * _BAR_CELLS
    full = min(_BAR_CELLS, done * _BAR_CELLS // total)
    return "█" * full + "░" * (_BAR_CELLS - full)


def _of(done: int, total: int | None) -> str:
    return format_size(done) + ("" if total is None else f" of {format_size(total)}")
