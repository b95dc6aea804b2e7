"""A client of replicas that kills itself at one moment of a link, and says what it has sent.

    python -m support.doomed_client STATE[:COUNT[:MILLISECONDS]] LEDGER python -m ... node …

It dies the COUNT-th time that a link comes into a state, so many milliseconds later: the state is
in the journal, and of the work that belongs to it something is done or nothing. A state that no
link has: it lives. LEDGER, a file, gets a line for each run of blocks before it is sent: link,
first block, blocks. Nothing of it is lost when the process dies.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from quire.base.events import Event, EventBus
from quire.faces.cli.main import main
from quire.formats.replica import ReplicaAnswer
from quire.formats.replica_asking import Asking, SegmentData
from quire.services.retail.replica_client import ANSWER_SECONDS, ReplicaClient
from support.doomed import under_program

BEFORE_ARGUMENTS = 3  # python -m quire.faces.cli.main
NEVER = "never"


def under_doomed_client(moment: str, ledger: Path) -> list[str]:
    """What a node's command is put under."""
    return [*under_program("support.doomed_client", moment), str(ledger)]


def sent_blocks(ledger: Path) -> Counter[str]:
    """Blocks that were sent, those sent again too, by link."""
    sent: Counter[str] = Counter()
    for line in ledger.read_text().splitlines():
        link, _, count = line.split()
        sent[link] += int(count)
    return sent


def _end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _doom(state: str, count: int, seconds: float) -> None:
    publish, left = EventBus.publish, count

    def publish_or_die(
        self: EventBus, kind: str, subject: str, message: str, **facts: object
    ) -> Event:
        nonlocal left
        if kind == f"link.{state}":
            left -= 1
            if left == 0 and seconds:
                threading.Timer(seconds, _end).start()
            elif left == 0:
                _end()
        return publish(self, kind, subject, message, **facts)

    EventBus.publish = publish_or_die  # type: ignore[method-assign]


def _write_down(ledger: Path) -> None:
    ask = ReplicaClient.ask
    file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def ask_and_tell(
        self: ReplicaClient,
        peer: str,
        addresses: Sequence[str],
        link_id: bytes,
        body: Asking,
        seconds: float = ANSWER_SECONDS,
    ) -> ReplicaAnswer:
        if isinstance(body, SegmentData):
            os.write(file, f"{link_id.hex()} {body.index} {body.count}\n".encode())
        return await ask(self, peer, addresses, link_id, body, seconds)

    ReplicaClient.ask = ask_and_tell  # type: ignore[method-assign]


if __name__ == "__main__":
    name, _, rest = sys.argv[1].partition(":")
    number, _, milliseconds = rest.partition(":")
    _doom(name, int(number or 1), float(milliseconds or 0) / 1000)
    _write_down(Path(sys.argv[2]))
    sys.exit(main(sys.argv[3 + BEFORE_ARGUMENTS :]))
