"""A storm: users work on real nodes by REST while somebody kills these nodes again and again.

Each user has files of its own on each node, so that what it was told is true whatever others do.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
import urllib.error
from collections import Counter
from pathlib import Path

from quire.base.errors import NodeUnreachable
from quire.faces.local import LocalNode
from support.cluster import CODEX, call

BLOCK = 65_536
ANSWER_SECONDS = 45.0  # the most that any of these requests may take
SURE, GONE, UNSURE = "sure", "gone", "unsure"
BROKEN = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)


def payload(number: int) -> bytes:
    """Some blocks are shared between payloads, some are zeros; the last is cut."""
    rng = random.Random(number)
    blocks = [
        random.Random(f"shared {rng.randrange(5)}").randbytes(BLOCK)
        if rng.random() < 0.3
        else rng.randbytes(BLOCK)
        for _ in range(rng.randint(1, 12))
    ]
    return b"".join(blocks)[: -rng.randrange(1, BLOCK)] or b"x"


class StormNode:
    """A node that keeps its data and its address through all its lives."""

    def __init__(self, directory: Path, bootstrap: list[str]) -> None:
        self._directory = directory
        self._bootstrap = bootstrap
        self._listen: list[str] = []
        self.node = LocalNode(directory, bootstrap=bootstrap)
        self.lives = 0

    def start(self) -> None:
        options = ["--storage-quota", "1g", "--block-ttl", "0"]
        for address in self._listen:
            options += ["--listen", address]
        node = LocalNode(self._directory, bootstrap=self._bootstrap, arguments=options)
        self.node = node.start()
        self._listen = [node.address.partition("/p2p/")[0]]
        self.lives += 1


class User(threading.Thread):
    """Works on one node until told to stop; `states` is what it may rely on."""

    def __init__(
        self, place: StormNode, rng: random.Random, numbers: list[int], known: dict[int, str]
    ) -> None:
        super().__init__(daemon=True)
        self.place = place
        self.states = dict.fromkeys(numbers, GONE)
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []
        self.checked_bytes = 0
        self.ended = threading.Event()
        self._rng = rng
        self._known = known  # CIDs of all payloads that anybody has uploaded

    def run(self) -> None:
        while not self.ended.is_set():
            number = self._rng.choice(list(self.states))
            work = self._rng.choices(
                (self.upload, self.fetch, self.delete, self.read), (4, 3, 1, 3)
            )[0]
            life, began = self.place.lives, time.monotonic()
            try:
                work(number)
                self.counts[work.__name__] += 1
            except BROKEN as problem:
                took = time.monotonic() - began
                if life == self.place.lives and took >= ANSWER_SECONDS:
                    self.problems.append(f"{work.__name__} hung for {took:.0f} s: {problem!r}")
                self.counts["broken off"] += 1
                self.ended.wait(0.1)

    def upload(self, number: int) -> None:
        data = payload(number)
        if self.states[number] == GONE:
            self.states[number] = UNSURE
        status, body = call(self.place.node, "POST", CODEX + "/data", data)
        if self.expect(status == 200, f"an upload was answered {status}: {body[:200]!r}"):
            self._known[number] = body.decode()
            self.states[number] = SURE

    def fetch(self, number: int) -> None:
        """From the network, if another node has it."""
        cid = self._known.get(number)
        if cid is None:
            return
        if self.states[number] == GONE:
            self.states[number] = UNSURE
        path = f"{CODEX}/data/{cid}/network/stream?timeout=5"
        status, body = call(self.place.node, "GET", path)
        if status == 200:
            self.compare(number, body, payload(number))
            self.states[number] = SURE
        self.expect(status in (200, 404, 504), f"a fetch was answered {status}: {body[:200]!r}")

    def read(self, number: int) -> None:
        cid = self._known.get(number)
        if cid is None:
            return
        data = payload(number)
        start = self._rng.randrange(len(data))
        stop = self._rng.randint(start, len(data) - 1)
        path = f"{CODEX}/data/{cid}?timeout=5"
        status, body = call(self.place.node, "GET", path, Range=f"bytes={start}-{stop}")
        if status in (200, 206):
            self.compare(number, body, data if status == 200 else data[start : stop + 1])
        elif self.states[number] == SURE:
            self.expect(False, f"payload {number} was acknowledged and is answered {status}")

    def delete(self, number: int) -> None:
        cid = self._known.get(number)
        if cid is None:
            return
        self.states[number] = UNSURE
        status, body = call(self.place.node, "DELETE", f"{CODEX}/data/{cid}")
        if self.expect(status == 204, f"a deletion was answered {status}: {body[:200]!r}"):
            self.states[number] = GONE

    def compare(self, number: int, found: bytes, expected: bytes) -> None:
        self.checked_bytes += len(found)
        self.expect(found == expected, f"payload {number}: wrong bytes were delivered")

    def expect(self, fact: bool, problem: str) -> bool:
        if not fact:
            self.problems.append(problem)
        return fact


def kill_and_restart(place: StormNode) -> None:
    place.node.kill()
    try:
        place.start()
    except NodeUnreachable as problem:
        if "in use" not in problem.message:
            raise
        time.sleep(0.5)  # the system has given the port to somebody for a moment
        place.start()
