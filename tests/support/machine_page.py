"""Pages of docs/machines: a machine's diagram and its whole table of states and events.

python -m support.machine_page          writes the pages anew
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from support.source import ROOT

DIRECTORY = ROOT / "docs" / "machines"


@dataclass(frozen=True)
class Page:
    """A machine with one example of each state and of each event. `label` names the states."""

    title: str
    machine: Any
    intro: str
    label: Callable[[Any], str]
    examples: Sequence[Any]
    events: Mapping[str, Any]

    @property
    def states(self) -> dict[str, Any]:
        return {self.label(state): state for state in self.examples}

    @property
    def path(self):
        return DIRECTORY / f"{self.machine.kind}.md"

    def text(self) -> str:
        """The page. A pair that leads nowhere and asks for nothing has no row."""
        rows = [self._row(state, event) for state in self.states for event in self.events]
        arrows: dict[tuple[str, str], list[str]] = {}
        for before, event, after, _ in filter(None, rows):
            if before != after:
                arrows.setdefault((before, after), []).append(event)
        lines = [
            f"# {self.title}",
            "",
            self.intro,
            "",
            "Generated from the code by `python -m support.machine_page` (a test compares). What",
            "is not listed changes nothing. After a restart: the effects of the last column of the",
            "first table, if the state is not an end.",
            "",
            "```mermaid",
            "stateDiagram-v2",
            *(f'    state "{name}" as {_slug(name)}' for name in self.states),
            *(
                f"    {_slug(a)} --> {_slug(b)}: {', '.join(events)}"
                for (a, b), events in arrows.items()
            ),
            "```",
            "",
            "| state | waits for | is an end | after a restart |",
            "|---|---|---|---|",
            *(self._state_row(name) for name in self.states),
            "",
            "| state | event | next state | effects |",
            "|---|---|---|---|",
            *(f"| {' | '.join(row)} |" for row in rows if row),
        ]
        return "\n".join(lines) + "\n"

    def _state_row(self, name: str) -> str:
        state = self.states[name]
        deadline = self.machine.deadline(state)
        resumed = "" if self.machine.has_ended(state) else _named(self.machine.resume(state))
        cells = (
            name,
            "" if deadline is None else deadline.reason,
            "yes" if self.machine.has_ended(state) else "",
            resumed,
        )
        return f"| {' | '.join(cells)} |"

    def _row(self, before: str, event: str) -> tuple[str, str, str, str] | None:
        old = self.states[before]
        new, effects = self.machine.step(old, self.events[event])
        if new == old and not effects:
            return None
        return before, event, self.label(new), _named(effects)


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _named(effects: Any) -> str:
    return ", ".join(type(effect).__name__ for effect in effects)


def pages() -> list[Page]:
    """`PAGE` of every module here that is named after a machine: purchase_page, ..."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("*_page.py"))
    found = [import_module(f"support.{name}") for name in names if name != "machine_page"]
    return [module.PAGE for module in found]


if __name__ == "__main__":
    for page in pages():
        page.path.write_text(page.text())
