"""A node that writes down what it asks providers: `python -m support.watched_client FILE COMMAND…`.

Each answer is a line of FILE: link id, kind of the request, blocks in it, code of the answer, and
the signature of a receipt.

With `FILE,loses` the journal of trading is copied into the directory FILE.before when a link is
sealed and nothing of it was sent yet; the first receipt that comes is lost, and the node with it,
as by SIGKILL.

SIGUSR1 lets the clock of the process run HURRY times as fast, and as before with the next one:
what it waits for, and for how long, is the same in its own time.
"""

from __future__ import annotations

import os
import selectors
import signal
import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quire.faces.cli.main import main
from quire.formats.replica_answers import ReceiptAnswer
from quire.formats.replica_asking import SegmentData, SignRequest
from quire.node.trading import JOURNAL_FILE
from quire.point.link_effects import TakeSlot
from quire.services.retail.link_work import LinkWork
from quire.services.retail.replica_client import ReplicaClient
from support.doomed import BEFORE_ARGUMENTS, under_program

HURRY = 12.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that was answered. `blocks`: that it carried; `signature`: "-" without one."""

    link: str
    kind: str
    blocks: int
    code: str
    signature: str


def under_watch(notes: Path, *, loses: bool = False) -> list[str]:
    """What a node's command is put under."""
    return under_program("support.watched_client", f"{notes},loses" if loses else str(notes))


def asked_in(notes: Path) -> list[Asked]:
    """All that was answered so far, oldest first."""
    rows = [line.split() for line in notes.read_text().splitlines()]
    return [Asked(link, kind, int(blocks), *rest) for link, kind, blocks, *rest in rows]


def copy_of(notes: Path) -> Path:
    """The directory in which the copy of the journal is."""
    return notes.with_name(f"{notes.name}.before")


def _watch(notes: Path, *, loses: bool) -> None:
    honest = ReplicaClient.ask

    async def ask(self: ReplicaClient, *what: Any) -> Any:
        link_id, body = what[2], what[3]
        answer = await honest(self, *what)
        blocks = body.count if isinstance(body, SegmentData) else 0
        receipt = answer.body.signature.hex() if isinstance(answer.body, ReceiptAnswer) else "-"
        words = (link_id.hex(), type(body).__name__, blocks, answer.code.name, receipt)
        with notes.open("a") as file:
            print(*words, file=file)
        if loses and isinstance(body, SignRequest):
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    ReplicaClient.ask = ask  # type: ignore[method-assign]


def _copy_journal(data_dir: Path, directory: Path) -> None:
    """When the first link is sealed."""
    honest, copy = LinkWork.perform, directory / JOURNAL_FILE

    async def perform(self: LinkWork, state: Any, effect: Any) -> Any:
        if isinstance(effect, TakeSlot) and not copy.exists():
            directory.mkdir()
            with (
                closing(sqlite3.connect(data_dir / JOURNAL_FILE)) as journal,
                closing(sqlite3.connect(copy)) as kept,
            ):
                journal.backup(kept)
        return await honest(self, state, effect)

    LinkWork.perform = perform  # type: ignore[method-assign]


def _may_hurry() -> None:
    real, calendar, select = time.monotonic, time.time, selectors.EpollSelector.select
    pace, since, ahead = 1.0, real(), 0.0

    def gained() -> float:
        return ahead + (real() - since) * (pace - 1.0)

    def select_sooner(self: Any, timeout: float | None = None) -> Any:
        return select(self, timeout if timeout is None else timeout / pace)

    def change(*_: object) -> None:
        nonlocal pace, since, ahead
        ahead, since = gained(), real()
        pace = HURRY if pace == 1.0 else 1.0

    time.monotonic = lambda: real() + gained()
    time.time = lambda: calendar() + gained()
    selectors.EpollSelector.select = select_sooner  # type: ignore[method-assign]
    signal.signal(signal.SIGUSR1, change)


if __name__ == "__main__":
    path, _, how = sys.argv[1].partition(",")
    _watch(Path(path), loses=bool(how))
    if how:
        place = Path(sys.argv[sys.argv.index("--data-dir") + 1])
        _copy_journal(place, copy_of(Path(path)))
    _may_hurry()
    sys.exit(main(sys.argv[2 + BEFORE_ARGUMENTS :]))
