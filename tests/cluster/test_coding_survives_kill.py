"""An aggregator dies at random moments while a customer pushes one dataset after the other and has
them coded: what it said to be durable is, every receipt is the right one, nothing is billed twice,
and nothing of what is paid stays behind.

QUIRE_JOB_KILLS sets how often (default 6).
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.aggregator_kit import CLIENT
from support.job_child import BLOCK, PRICE, SIZE, Child, K, M, data_of
from support.protect_kit import expected
from support.store_kit import assert_sound

KILLS = int(os.environ.get("QUIRE_JOB_KILLS", "6"))


class Heard:
    """What the processes said, and whether it can be true."""

    def __init__(self) -> None:
        self.here: dict[int, int] = {}
        self.receipts: dict[int, str] = {}
        self.paid: dict[int, None] = {}
        self.resumed = 0
        self.is_first = True  # of one life

    def hear(self, line: str) -> None:
        what, number, *rest = line.split()
        at = int(number)
        assert at not in self.paid, line
        if what == "here":
            before, now = self.here.get(at, 0), int(rest[0])
            assert now >= before, f"{before} blocks of {at} were durable, and {now} are"
            self.resumed += self.is_first and now > 0
            self.here[at] = now
        elif what == "ready":
            assert self.receipts.setdefault(at, rest[0]) == rest[0]
        elif what == "paid":
            self.paid[at] = None
        self.is_first = False


def run_and_kill(directory: Path, rng: random.Random, heard: Heard) -> None:
    """Start the child, kill it a moment after it has begun, and hear what it said."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    child = subprocess.Popen(
        [sys.executable, "-m", "support.job_child", directory],
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"open\n"
    time.sleep(rng.uniform(0.0, 0.5))  # not to wait for anything: the moment of death is random
    child.send_signal(signal.SIGKILL)
    said = child.stdout.read().decode()
    assert child.wait() == -signal.SIGKILL, said
    child.stdout.close()
    heard.is_first = True
    for line in said.splitlines(keepends=True):
        if line.endswith("\n"):
            heard.hear(line)


async def finish(directory: Path, heard: Heard) -> None:
    """The last life ends the dataset that is under way; then everything is looked at."""
    child = Child()
    await child.open(directory)
    number = len(heard.paid)
    if not child.is_over(number):
        await child.serve(number)
    total = (number + 1) * PRICE
    account = child.income.account(CLIENT)
    assert (account.billed, account.received) == (total, total)
    await child.store.collect()
    await child.store.reclaimed()
    assert await child.store.datasets() == []
    assert await child.store.resumables.every() == []
    await assert_sound(child.store)
    await child.close()


@pytest.mark.slow
@pytest.mark.timeout(120 + 10 * KILLS)
def test_nothing_is_lost_or_billed_twice_whenever_an_aggregator_dies(tmp_path):
    rng, heard = random.Random(8), Heard()
    for _ in range(KILLS):
        run_and_kill(tmp_path, rng, heard)
    assert heard.resumed
    for number, root in heard.receipts.items():
        assert root == expected(data_of(number)[:SIZE], K, M, BLOCK)[0].hex()
    assert list(heard.paid) == list(range(len(heard.paid)))
    asyncio.run(finish(tmp_path, heard))
