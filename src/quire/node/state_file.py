"""`<data-dir>/node.json`: what a running node got, for scripts; removed when it stops."""

from __future__ import annotations

import json
import os
from pathlib import Path

from quire.node.node import Node

STATE_FILE = "node.json"


def node_state(node: Node) -> dict[str, object]:
    """What a script needs to know to reach this node."""
    return {
        "pid": os.getpid(),
        "api": node.api_urls[0] if node.api_urls else None,
        "peerId": node.transport.peer_id,
        "addresses": [
            f"{address}/p2p/{node.transport.peer_id}"
            for address in node.transport.listen_addresses()
        ],
        "dataDir": str(node.config.data_dir),
        "profile": node.profile.name,
    }


def write_state(node: Node) -> None:
    """Write the file so that a reader never sees half of it."""
    path = _path(node)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(node_state(node), indent=2) + "\n", "utf-8")
    draft.replace(path)


def remove_state(node: Node) -> None:
    _path(node).unlink(missing_ok=True)


def _path(node: Node) -> Path:
    return node.config.data_dir / STATE_FILE
