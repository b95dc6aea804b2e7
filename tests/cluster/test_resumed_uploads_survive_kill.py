"""A real node is killed in the middle of a resumable upload, again and again, and the upload ends
with the CID of an uninterrupted one. Nothing that the node had acknowledged is asked for again.

QUIRE_UPLOAD_KILLS sets how often (default 12).
"""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from quire.faces.local import LocalNode
from support.cluster import CODEX, QUIRE, ask, call, put, until
from support.tus import BYTES, TUS, UPLOADS, metadata

KILLS = int(os.environ.get("QUIRE_UPLOAD_KILLS", "12"))
SIZE = 97 * 1024 * 1024 + 12_345  # more than one page of the tree, a short last block
PIECE = 64 * 1024
OCTETS = metadata(filetype="application/octet-stream")


class Sender:
    """Sends the data, notes what was acknowledged, and is not surprised by anything."""

    def __init__(self, data: bytes, rng: random.Random) -> None:
        self.data = data
        self.rng = rng
        self.path = ""
        self.acknowledged = 0
        self.cid: str | None = None

    def ask(self, node: LocalNode) -> int:
        """How much the node has; never less than it has said before."""
        status, headers = _request(node, "HEAD", self.path, TUS)
        assert status == 200
        offset = int(headers["Upload-Offset"])
        assert self.acknowledged <= offset <= len(self.data)
        self.acknowledged = offset
        self.cid = headers["Quire-Cid"]
        return offset

    def send_until(self, node: LocalNode, end: float) -> bool:
        """Requests of any size, one after the other; whether the node was killed at `end`."""
        while self.ask(node) < len(self.data):
            size = self.rng.choice((1, 50_000, 1 << 20, 7 << 20, len(self.data)))
            part = self.data[self.acknowledged : self.acknowledged + size]
            if not self.send_part(node, self.acknowledged, part, end):
                return True
        return False

    def send_part(self, node: LocalNode, offset: int, part: bytes, end: float) -> bool:
        """One request; False when the node was killed in its course."""
        parts = urlsplit(node.api)
        head = [f"PATCH {self.path} HTTP/1.1", "Host: x", f"Upload-Offset: {offset}"]
        head += [f"Content-Type: {BYTES}", f"Content-Length: {len(part)}", "Tus-Resumable: 1.0.0"]
        with socket.create_connection((parts.hostname, parts.port), timeout=30) as line:
            line.sendall("\r\n".join(head).encode() + b"\r\n\r\n")
            for at in range(0, len(part), PIECE):
                if time.monotonic() > end:
                    node.kill()
                    return False
                line.sendall(part[at : at + PIECE])
                time.sleep(0.0005)  # a link of about 100 MB/s
            if time.monotonic() > end:
                node.kill()
                return False
            answer = http.client.HTTPResponse(line)
            answer.begin()
            assert answer.status == 204
            self.acknowledged = int(answer.headers["Upload-Offset"])
            assert self.acknowledged == offset + len(part)
            self.cid = answer.headers["Quire-Cid"]
        return True


def _request(node: LocalNode, method: str, path: str, headers: dict[str, str]):
    parts = urlsplit(node.api)
    line = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    with contextlib.closing(line):
        line.request(method, path, headers=headers)
        answer = line.getresponse()
        answer.read()
        return answer.status, answer.headers


def begin(node: LocalNode, sender: Sender) -> None:
    """An upload from the first byte; of an earlier one nothing is left."""
    if sender.cid is not None:
        assert call(node, "GET", f"{QUIRE}/data/{sender.cid}") == (200, sender.data)
        assert call(node, "DELETE", f"{QUIRE}/data/{sender.cid}")[0] == 204
    headers = TUS | {"Upload-Length": str(SIZE), "Upload-Metadata": OCTETS}
    status, answered = _request(node, "POST", UPLOADS, headers)
    assert status == 201
    sender.path, sender.acknowledged, sender.cid = answered["Location"], 0, None


@pytest.mark.slow
@pytest.mark.timeout(240 + 10 * KILLS)
def test_an_upload_survives_any_number_of_kills_and_ends_with_the_right_cid(tmp_path) -> None:
    rng = random.Random(4)
    sender = Sender(rng.randbytes(SIZE), rng)
    kills = 0
    while kills < KILLS:
        with LocalNode(tmp_path / "node") as node:
            end = time.monotonic() + rng.uniform(0.0, 0.5)
            while not sender.path or not sender.send_until(node, end):
                begin(node, sender)
            kills += 1
    with LocalNode(tmp_path / "node") as node:
        sender.send_until(node, time.monotonic() + 600)
        cid = sender.cid
        assert call(node, "GET", f"{CODEX}/data/{cid}") == (200, sender.data)
        assert put(node, sender.data) == cid
        assert _request(node, "DELETE", sender.path, TUS)[0] == 204
        assert call(node, "DELETE", f"{CODEX}/data/{cid}")[0] == 204
        until(lambda: ask(node, "/space")["quotaUsedBytes"] == 0, "blocks are left behind")
        assert ask(node, "/space")["quotaReservedBytes"] == 0
        packs = tmp_path / "node" / "store" / "packs"
        until(lambda: _allocated(packs) < 1 << 17, "files are left behind")


def _allocated(packs: Path) -> int:
    return sum(p.stat().st_blocks * 512 for p in packs.iterdir() if p.name.startswith("pack-"))
