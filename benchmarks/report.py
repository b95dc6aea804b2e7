"""One row for each figure: what was measured, its limit measured in the same run, and the ratio."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """A figure beside its limit. `aim` is the ratio or value that the project wants, in words."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    limit_name: str = ""
    aim: str = ""
    detail: str = ""

    @property
    def ratio(self) -> float | None:
        return self.value / self.limit if self.limit else None


def skipped(name: str, reason: str) -> Row:
    """A figure that could not be taken here, with the reason in words."""
    return Row(name, float("nan"), "", detail=f"skipped: {reason}")


def show(rows: list[Row]) -> None:
    table = Table(title="Quire benchmarks")
    for heading in ("figure", "measured", "limit", "ratio", "aim", "detail"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        ratio = f"{row.ratio:.2f}" if row.ratio is not None else ""
        limit = f"{row.limit:,.0f} {row.unit} ({row.limit_name})" if row.limit else ""
        table.add_row(row.name, f"{row.value:,.1f} {row.unit}", limit, ratio, row.aim, row.detail)
    Console().print(table)


def as_data(rows: list[Row]) -> list[dict[str, object]]:
    return [{**asdict(row), "ratio": row.ratio} for row in rows]


def save(rows: list[Row], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = {"machine": platform.machine(), "python": platform.python_version()}
    path.write_text(json.dumps({"on": machine, "rows": as_data(rows)}, indent=2) + "\n")
