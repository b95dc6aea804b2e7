"""Small records that have to survive a crash: machines, availabilities, the place in the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

NOTES_MAX = 256  # the newest ones are kept of each record


@dataclass(frozen=True, slots=True)
class Record:
    """The newest value of one thing; None: it is forgotten, with its history. `note` says in words
    what happened; an empty one leaves no line."""

    kind: str
    key: str
    value: bytes | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the history of a record. `at` in unix seconds."""

    at: float
    note: str


class Journal(Protocol):
    """A durable table of records, with their histories."""

    async def write(self, records: Sequence[Record]) -> None:
        """All of them or none; durable on return. Raises DiskFull, StoreCorrupt."""

    async def read(self, kind: str) -> dict[str, bytes]:
        """Every record of a kind, oldest first."""

    async def history(self, kind: str, key: str) -> list[Note]:
        """What happened to a record, oldest first; at most the last NOTES_MAX notes."""

    async def close(self) -> None: ...
