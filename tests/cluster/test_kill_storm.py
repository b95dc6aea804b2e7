"""SIGKILL storms: real nodes under a workload by REST, killed at random moments and restarted.

QUIRE_STORM_KILLS sets how often a node is killed (default 12).
"""

from __future__ import annotations

import http.client
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.store.open import open_store
from support.cluster import CODEX, call
from support.storm import GONE, SURE, UNSURE, StormNode, User, kill_and_restart, payload

KILLS = int(os.environ.get("QUIRE_STORM_KILLS", "12"))
NODES, USERS_PER_NODE, FILES_PER_USER = 3, 2, 6


@pytest.mark.slow
@pytest.mark.timeout(120 + 10 * KILLS)
def test_nothing_acknowledged_is_lost_and_nothing_hangs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(4)
    places: list[StormNode] = []
    for number in range(NODES):
        place = StormNode(tmp_path / f"node{number}", [p.node.address for p in places])
        place.start()
        places.append(place)
    known: dict[int, str] = {}
    users = [
        User(place, random.Random(f"{index} {n}"), files_of(n), known)
        for index, place in enumerate(places)
        for n in range(USERS_PER_NODE)
    ]
    try:
        for user in users:
            user.start()
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.05, 0.6))  # not to wait for anything: the moment is random
            kill_and_restart(rng.choice(places))
        for user in users:
            user.ended.set()
        for user in users:
            user.join(60)
            assert not user.is_alive(), "a request never ended"
        assert [problem for user in users for problem in user.problems] == []
        datasets = sum(check_all(user, known) for user in users)
        assert [problem for user in users for problem in user.problems] == []
        assert [place.node.stop() for place in places] == [0] * NODES
    finally:
        for place in places:
            place.node.kill()
    counts = sum((user.counts for user in users), Counter())
    checked = sum(user.checked_bytes for user in users)
    with capsys.disabled():
        print(
            f"\nkill storm: {KILLS} kills of {NODES} nodes; {dict(sorted(counts.items()))}; "
            f"{datasets} acknowledged datasets checked, {checked / 1e6:.0f} MB compared"
        )
    assert datasets > 0


@pytest.fixture(autouse=True)
async def stores_are_sound(tmp_path: Path):
    """After the storm every store verifies, offline."""
    yield
    clock = SystemClock()
    for directory in sorted(tmp_path.glob("node?")):
        store = await open_store(
            directory / "store",
            quota_bytes=1 << 30,
            clock=clock,
            events=EventBus(clock),
            default_ttl=None,
        )
        report = await store.verify()
        await store.close()
        assert report.problems == []


def files_of(user: int) -> list[int]:
    """Users of the same number on different nodes have the same files, to fetch from each other."""
    return [user * FILES_PER_USER + n for n in range(FILES_PER_USER)]


def check_all(user: User, known: dict[int, str]) -> int:
    """Compare what a node holds with what it has said; how many datasets were sure."""
    sure = 0
    for number, state in user.states.items():
        if number not in known:
            continue
        path = f"{CODEX}/data/{known[number]}?timeout=1"
        try:
            status, body = call(user.place.node, "GET", path)
        except http.client.IncompleteRead:  # a fetch that was broken off left a part of it
            user.expect(state == UNSURE, f"payload {number} is {state} and was cut")
            continue
        if state == SURE:
            sure += 1
            user.expect(status == 200, f"payload {number} was acknowledged: {status}")
        if state == GONE:
            user.expect(status == 404, f"payload {number} was deleted: {status}")
        if status == 200:
            user.compare(number, body, payload(number))
    return sure
