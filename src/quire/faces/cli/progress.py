"""A progress bar on standard error when a person watches: verified bytes, rate, time to go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from quire.faces.cli.common import is_terminal

BAR_CHARACTERS = 20


class Report(Protocol):
    """Takes how much is done so far, a short note, and the total once it is known."""

    def __call__(self, done: int, note: str, /, total: int | None = None) -> None: ...


def _ignore(_done: int, _note: str, /, total: int | None = None) -> None:
    """Nobody watches."""


@contextmanager
def progress(
    title: str, total: int | None, *, is_quiet: bool, counts: str = ""
) -> Iterator[Report]:
    """Gives a `Report`; does nothing without a terminal or when quiet.

    counts   what is counted, if not bytes
    """
    if is_quiet or not is_terminal():
        yield _ignore
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.table import Column

    amount = (
        (MofNCompleteColumn(), TextColumn(counts))
        if counts
        else (DownloadColumn(binary_units=True), TransferSpeedColumn())
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(BAR_CHARACTERS),
        *amount,
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, note="")

        def report(done: int, note: str, /, total: int | None = None) -> None:
            bar.update(task, completed=done, note=note, total=total)  # None leaves it as it is

        yield report
