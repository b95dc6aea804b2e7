"""One row for each figure: what was measured, its limit measured in the same run, and the ratio."""

from __future__ import annotations

import json
import math
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

OURS = "Quire"


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

    def columns(self) -> list[str]:
        value = "" if math.isnan(self.value) else f"{self.value:,.1f} {self.unit}"
        limit = f"{self.limit:,.0f} {self.unit} ({self.limit_name})" if self.limit else ""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return [self.name, value, limit, ratio, self.aim, self.detail]


@dataclass(slots=True)
class Cell:
    """The same work done by several systems."""

    name: str
    unit: str
    values: dict[str, float] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)

    def add(self, system: str, value: float, remark: str = "") -> None:
        self.values[system] = value
        if remark:
            self.remarks[system] = remark

    def ratios(self) -> dict[str, float]:
        """How many times faster Quire is than each other system."""
        ours = self.values.get(OURS, math.nan)
        return {name: ours / value for name, value in self.values.items() if name != OURS}

    def columns(self) -> list[str]:
        shown = [
            "" if math.isnan(value) else f"{value:,.1f}{'*' if name in self.remarks else ''}"
            for name, value in self.values.items()
        ]
        ratios = ["" if math.isnan(ratio) else f"{ratio:.2f}" for ratio in self.ratios().values()]
        remarks = "; ".join(f"{name}: {remark}" for name, remark in self.remarks.items())
        return [self.name, *shown, *ratios, remarks]


@dataclass(slots=True)
class Report:
    """All that one run has found."""

    rows: list[Row] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)

    def add(self, found: list[Row] | list[Cell]) -> None:
        for each in found:
            if isinstance(each, Row):
                self.rows.append(each)
            else:
                self.cells.append(each)

    def tables(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """Title, headings and lines of each table."""
        tables = []
        if self.rows:
            headings = ["figure", "measured", "limit", "ratio", "aim", "detail"]
            tables.append(("Figures and their limits", headings, [r.columns() for r in self.rows]))
        if self.cells:
            systems = list(self.cells[0].values)
            ratios = [f"{OURS} / {name}" for name in systems if name != OURS]
            headings = [f"{self.cells[0].unit}", *systems, *ratios, "remarks"]
            tables.append(
                ("Beside other systems", headings, [c.columns() for c in self.cells]),
            )
        return tables

    def show(self) -> None:
        for title, headings, lines in self.tables():
            table = Table(title=title)
            for heading in headings:
                table.add_column(heading, overflow="fold")
            for line in lines:
                table.add_row(*line)
            Console().print(table)

    def markdown(self) -> str:
        """The tables for documents, with what they were measured on."""
        parts = [f"Measured on {_machine()['in_words']}."]
        for title, headings, lines in self.tables():
            rows = [headings, ["--"] * len(headings), *lines]
            parts.append(f"**{title}**")
            parts.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
        return "\n\n".join(parts) + "\n"

    def data(self) -> dict[str, object]:
        """What can be written as JSON; a figure that could not be taken is null."""
        return {
            "on": _machine(),
            "rows": [_plain({**asdict(row), "ratio": row.ratio}) for row in self.rows],
            "cells": [_plain({**asdict(cell), "ratios": cell.ratios()}) for cell in self.cells],
        }

    def save(self, path: Path) -> None:
        """JSON to `path`, Markdown beside it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.data(), indent=2) + "\n")
        path.with_suffix(".md").write_text(self.markdown())


def skipped(name: str, reason: str) -> Row:
    """A figure that could not be taken here, with the reason in words."""
    return Row(name, float("nan"), "", detail=f"skipped: {reason}")


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _machine() -> dict[str, object]:
    cores, load = os.cpu_count() or 0, os.getloadavg()[0]
    python, machine = platform.python_version(), platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "machine": machine,
        "python": python,
        "cores": cores,
        "memory_gib": round(memory, 1),
        "load": load,
        "in_words": f"{cores} cores, {memory:.0f} GiB, {machine}, Python {python}",
    }
