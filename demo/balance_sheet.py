"""Where every token of the demo is at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from quire.base.errors import IntegrityError


@dataclass(frozen=True, slots=True)
class Line:
    """One account: what it had before and has now, in the smallest unit of the token."""

    name: str
    before: int
    after: int


def check_sheet(lines: Sequence[Line], minted: int) -> None:
    """Raises IntegrityError unless every token that was ever made is somewhere in the sheet."""
    for when, total in (
        ("before", sum(line.before for line in lines)),
        ("after", sum(line.after for line in lines)),
    ):
        if total != minted:
            raise IntegrityError(
                f"the balances {when} add up to {total:,} tokens, but {minted:,} were made:"
                f" {minted - total:,} are missing"
            )


def print_sheet(console: Console, lines: Sequence[Line], minted: int) -> None:
    table = Table("account", title="balance sheet", title_justify="left", box=None)
    for name in ("before", "after", "difference"):
        table.add_column(name, justify="right")
    for line in lines:
        table.add_row(
            line.name, f"{line.before:,}", f"{line.after:,}", f"{line.after - line.before:+,}"
        )
    total = sum(line.after for line in lines)
    table.add_section()
    table.add_row("together", f"{sum(line.before for line in lines):,}", f"{total:,}", "0")
    table.add_row("made", "", f"{minted:,}", "")
    console.print(table)
