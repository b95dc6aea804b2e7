"""`quire node` processes inside namespaces, and how to talk to them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from quire.faces.local import LocalNode
from support import cluster
from support.netns import Space

PORT = 8070
PATIENCE_SECONDS = 60.0


class SpaceNode:
    """A node inside a namespace; what is asked of it is asked from inside."""

    def __init__(
        self,
        space: Space,
        directory: Path,
        *,
        bootstrap: Sequence[SpaceNode] = (),
        nat: str = "none",
        listen: Sequence[str] = (f"/ip4/0.0.0.0/tcp/{PORT}",),
        arguments: Sequence[str] = (),
    ) -> None:
        self.space = space
        self._listen = listen[0]
        named = [f"--listen={address}" for address in listen]
        self.node = LocalNode(
            directory / space.name,
            bootstrap=[node.address for node in bootstrap],
            arguments=["--nat", nat, *named, *arguments],
            under=space.under,
        )

    @property
    def peer_id(self) -> str:
        return self.node.peer_id

    @property
    def address(self) -> str:
        return f"{self._listen.replace('0.0.0.0', self.space.address)}/p2p/{self.peer_id}"

    def ask(self, path: str) -> Any:
        return self.space.call(lambda: cluster.ask(self.node, path))

    def put(self, data: bytes) -> str:
        return str(self.space.call(lambda: cluster.put(self.node, data)))

    def get(self, cid: str) -> bytes:
        path = f"{cluster.CODEX}/data/{cid}/network/stream"
        status, body = self.space.call(lambda: cluster.call(self.node, "GET", path))
        assert status == 200, body[:500]
        return bytes(body)

    def reach(self) -> Any:
        return self.ask("/status")["reachability"]

    def doctor(self) -> Any:
        """What the doctor says about reachability."""
        findings = self.ask("/doctor")["findings"]
        return next(finding for finding in findings if finding["check"] == "reachability")

    def ways_to(self, other: SpaceNode) -> list[str]:
        """The addresses of the connections to another node."""
        return [p["address"] for p in self.ask("/peers")["peers"] if p["peerId"] == other.peer_id]

    def __enter__(self) -> SpaceNode:
        self.node.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.node.stop()


def until(fact: Callable[[], object], what: Callable[[], object]) -> None:
    """Wait for what nodes find out in their own time; `what` tells the state if they do not."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not fact():
        assert time.monotonic() < end, what()
        time.sleep(0.1)
