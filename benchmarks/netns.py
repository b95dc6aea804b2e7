"""Network namespaces with lines between them: rate by tbf, loss by nftables, delay by our own wire.

Needs root, `ip`, `tc`, `nft` and /dev/net/tun; `why_not()` says in words what is missing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support import netns
from support.delay_wire import Wire, running_wires

HUB = "hub"
_BURST_BYTES = 65_536  # of tbf: one run of packets
_QUEUE_MS = 100  # how long packets may wait before a slow line; more are dropped
_LOSS = """
table ip quire {
  chain lose { type filter hook prerouting priority -300; numgen random mod 1000 < %d drop; }
}
"""


def why_not() -> str:
    """Empty when namespaces and lines can be made here, else the reason."""
    if reason := netns.why_not():
        return reason
    return "" if os.path.exists("/dev/net/tun") else "/dev/net/tun is not there"


def congestion_control() -> str:
    """How TCP reacts to loss on this machine: bbr, cubic, ..."""
    return Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()


@dataclass(frozen=True, slots=True)
class Line:
    """What all lines of a star have in common. The rate holds for each, in each direction."""

    rtt_seconds: float
    loss: float  # share of packets, each way
    bytes_per_second: float


@dataclass(frozen=True, slots=True)
class Star:
    """A hub and its sources: prefixes to run commands there, addresses of the sources."""

    hub: tuple[str, ...]
    sources: list[tuple[tuple[str, ...], str]]


@contextmanager
def star(sources: int, line: Line) -> Iterator[Star]:
    """A namespace for the hub, one for each source, a line of its own between each and the hub."""
    run = f"q{os.getpid()}"
    names = [f"{run}{HUB}", *(f"{run}s{i}" for i in range(sources))]
    wires = [
        Wire(
            names[0],
            name,
            f"10.91.{i}.1",
            f"10.91.{i}.2",
            line.rtt_seconds / 2,
            is_exact=line.loss > 0,
        )
        for i, name in enumerate(names[1:])
    ]
    made: list[str] = []
    try:
        for name in names:
            _run("ip", "netns", "add", name)
            made.append(name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        with running_wires(wires):
            for name in names:
                _limit(name, line)
            yield Star(_inside(names[0]), [(_inside(w.b), w.b_address) for w in wires])
    finally:
        for name in made:
            _run("ip", "netns", "del", name)


def _limit(name: str, line: Line) -> None:
    """Rate on every line of a namespace, loss on what comes in (not on loopback)."""
    shown = subprocess.run(
        ["ip", "-n", name, "-o", "link", "show"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    rate = f"{line.bytes_per_second * 8:.0f}bit"
    for device in (row.split(": ")[1] for row in shown.splitlines()):
        if device.startswith("w"):
            _run(
                *("tc", "-n", name, "qdisc", "add", "dev", device, "root", "tbf"),
                *("rate", rate, "burst", str(_BURST_BYTES), "latency", f"{_QUEUE_MS}ms"),
            )
    if line.loss:
        rules = _LOSS.replace("numgen", 'iifname != "lo" numgen') % round(line.loss * 1000)
        subprocess.run([*_inside(name), "nft", "-f", "-"], input=rules, text=True, check=True)


def _inside(name: str) -> tuple[str, ...]:
    return ("ip", "netns", "exec", name)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
