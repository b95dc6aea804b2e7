"""A progress bar on standard error when a person watches: verified bytes, rate, time to go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from quire.faces.cli.common import is_terminal

Report = Callable[[int, str], None]


def _ignore(_done: int, _note: str) -> None:
    """Nobody watches."""


@contextmanager
def progress(title: str, total: int | None, *, is_quiet: bool) -> Iterator[Report]:
    """Gives `report(done_bytes, note)`; does nothing without a terminal or when quiet."""
    if is_quiet or not is_terminal():
        yield _ignore
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, note="")

        def report(done: int, note: str) -> None:
            bar.update(task, completed=done, note=note)

        yield report
