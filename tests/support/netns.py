"""An internet of namespaces on this machine: hosts, routers with NAT, slow and lossy links.

    with Internet() as net:
        relay = net.host("relay", "5.6.7.1")              # directly on the internet
        home = net.router("home", "5.6.7.20", "192.168.1")  # translates for what is behind it
        alice = home.host("alice", 10)                    # 192.168.1.10

Nothing of the machine itself is touched: every interface lives in a namespace of its own, and
leaving the block removes all of them. Names carry the number of the process, so that what a killed
test left behind neither clashes nor stays: the next `Internet` sweeps it away.

A router drops what arrives from outside uncalled, as home routers do. With `symmetric` it takes
another port for every connection, so that nobody can be told in advance where to knock.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PREFIX = "quire"
_CLONE_NEWNET = 0x4000_0000
_libc = ctypes.CDLL(None, use_errno=True)


def why_not() -> str:
    """Why namespaces cannot be made here; empty when they can."""
    if os.geteuid() != 0:
        return "namespaces need root"
    for tool in ("ip", "nft", "tc"):
        if shutil.which(tool) is None:
            return f"there is no {tool}"
    name = f"{PREFIX}-{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode:
        return f"namespaces cannot be made: {made.stderr.strip()}"
    rules = "add table ip t; add chain ip t c { type nat hook postrouting priority srcnat; }"
    tried = subprocess.run(
        ["ip", "netns", "exec", name, "nft", rules], capture_output=True, text=True
    )
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    return f"nft does not work: {tried.stderr.strip()}" if tried.returncode else ""


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


@dataclass
class Space:
    """One namespace."""

    name: str
    address: str = ""

    @property
    def under(self) -> list[str]:
        """The command that runs another one inside."""
        return ["ip", "netns", "exec", self.name]

    def run(self, *command: str) -> str:
        return _run(*self.under, *command)

    def ip(self, *arguments: str) -> None:
        _run("ip", "-n", self.name, *arguments)

    def nft(self, rules: str) -> None:
        self.run("nft", rules)

    def call(self, work: Callable[[], Any]) -> Any:
        """Do something inside: sockets that it makes belong to this namespace."""
        outcome: list[Any] = []

        def inside() -> None:
            try:
                with Path(f"/run/netns/{self.name}").open() as file:
                    if _libc.setns(file.fileno(), _CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), f"cannot enter {self.name}")
                outcome.extend((work(), None))
            except BaseException as error:  # carried to the caller's thread
                outcome.extend((None, error))

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if outcome[1] is not None:
            raise outcome[1]
        return outcome[0]

    def slow_down(self, link: str, rate: str) -> None:
        """What leaves through a link leaves at most so fast: "8mbit"."""
        self.run("tc", "qdisc", "replace", "dev", link, "root", "tbf", "rate", rate,
                 "burst", "32k", "latency", "100ms")  # fmt: skip

    def lose(self, percent: int) -> None:
        """So many of a hundred packets that arrive are lost."""
        self.nft(
            "add table ip loss; add chain ip loss in { type filter hook prerouting priority -300; }"
            f"; add rule ip loss in numgen random mod 100 < {percent} drop"
        )


@dataclass
class Router(Space):
    """Translates between its local network, `lan` ("192.168.1"), and the internet."""

    lan: str = ""
    internet: Internet | None = None
    hosts: int = 0

    def host(self, name: str, number: int) -> Space:
        """A machine behind this router."""
        assert self.internet is not None
        space = self.internet.space(name, f"{self.lan}.{number}")
        self.hosts += 1
        port = f"port{self.hosts}"
        _run("ip", "link", "add", port, "netns", self.name, "type", "veth",
             "peer", "name", "net0", "netns", space.name)  # fmt: skip
        self.ip("link", "set", port, "master", "lan0", "up")
        space.ip("address", "add", f"{space.address}/24", "dev", "net0")
        space.ip("link", "set", "net0", "up")
        space.ip("route", "add", "default", "via", f"{self.lan}.1")
        return space


@dataclass
class Internet:
    """All namespaces of one test. The internet itself is one Ethernet, 5.6.7.0/24."""

    spaces: list[Space] = field(default_factory=list)
    _links: int = 0

    def __enter__(self) -> Self:
        _sweep()
        try:
            self._core = self.space("core", "")
            self._core.ip("link", "add", "net0", "type", "bridge")
            self._core.ip("link", "set", "net0", "up")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        while self.spaces:
            subprocess.run(["ip", "netns", "del", self.spaces.pop().name], capture_output=True)

    def space(self, name: str, address: str, kind: type[Any] = Space) -> Any:
        space = kind(f"{PREFIX}-{os.getpid()}-{name}", address)
        _run("ip", "netns", "add", space.name)
        self.spaces.append(space)
        space.ip("link", "set", "lo", "up")
        return space

    def host(self, name: str, address: str) -> Space:
        """A machine with an address of the internet."""
        space: Space = self.space(name, address)
        self._plug(space)
        return space

    def router(self, name: str, address: str, lan: str, *, symmetric: bool = False) -> Router:
        """A router at an address of the internet, with a local network behind it."""
        router: Router = self.space(name, address, Router)
        router.lan, router.internet = lan, self
        self._plug(router)
        router.ip("link", "add", "lan0", "type", "bridge")
        router.ip("address", "add", f"{lan}.1/24", "dev", "lan0")
        router.ip("link", "set", "lan0", "up")
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        ports = " random,fully-random" if symmetric else ""
        router.nft(
            "add table ip nat; "
            "add chain ip nat out { type nat hook postrouting priority srcnat; }; "
            "add chain ip nat in { type nat hook prerouting priority dstnat; }; "
            f"add rule ip nat out oifname net0 masquerade{ports}; "
            "add table ip wall; "
            "add chain ip wall in { type filter hook input priority 0; policy accept; }; "
            "add chain ip wall through { type filter hook forward priority 0; policy accept; }; "
            "add rule ip wall in iifname net0 ct state != { established, related } drop; "
            "add rule ip wall through iifname net0 ct state new ct status & dnat == 0 drop"
        )
        return router

    def _plug(self, space: Space) -> None:
        self._links += 1
        port = f"port{self._links}"
        _run("ip", "link", "add", port, "netns", self._core.name, "type", "veth",
             "peer", "name", "net0", "netns", space.name)  # fmt: skip
        self._core.ip("link", "set", port, "master", "net0", "up")
        space.ip("address", "add", f"{space.address}/24", "dev", "net0")
        space.ip("link", "set", "net0", "up")


def _sweep() -> None:
    """Remove what tests that were killed left behind."""
    for line in _run("ip", "netns", "list").splitlines():
        name = line.split()[0]
        prefix, _, rest = name.partition("-")
        owner = rest.partition("-")[0]
        if prefix == PREFIX and owner.isdigit() and not Path(f"/proc/{owner}").exists():
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
