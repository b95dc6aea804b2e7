"""What a run did and what befell it, in numbers that can be added up over many runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts of one run or of many."""

    runs: int = 0
    virtual_seconds: float = 0.0
    done: Counter[str] = field(default_factory=Counter)  # operations that succeeded, by kind
    refused: Counter[str] = field(default_factory=Counter)  # that ended in an error of Quire
    faults: Counter[str] = field(default_factory=Counter)  # by kind
    ends: Counter[str] = field(default_factory=Counter)  # of lives: power, process, orderly
    checked_bytes: int = 0  # compared with what had been uploaded
    checked_datasets: int = 0

    def add(self, other: Tally) -> None:
        self.runs += other.runs
        self.virtual_seconds += other.virtual_seconds
        self.checked_bytes += other.checked_bytes
        self.checked_datasets += other.checked_datasets
        self.done.update(other.done)
        self.refused.update(other.refused)
        self.faults.update(other.faults)
        self.ends.update(other.ends)

    def as_data(self) -> dict[str, object]:
        return {
            "runs": self.runs,
            "hoursSimulated": round(self.virtual_seconds / 3600, 2),
            "operations": dict(sorted(self.done.items())),
            "operationsRefused": dict(sorted(self.refused.items())),
            "faults": dict(sorted(self.faults.items())),
            "lives": dict(sorted(self.ends.items())),
            "datasetsChecked": self.checked_datasets,
            "bytesChecked": self.checked_bytes,
        }

    def lines(self) -> list[str]:
        """For people: what was done, what went wrong on purpose, what was compared."""
        crashes = self.ends["power"] + self.ends["process"]
        return [
            f"{self.runs} runs, {self.virtual_seconds / 3600:.1f} hours simulated",
            (
                f"operations: {self.done.total()} done ({_listed(self.done)}), "
                f"{self.refused.total()} refused or failed in words ({_listed(self.refused)})"
            ),
            f"faults: {self.faults.total()} injected ({_listed(self.faults)})",
            f"crashes survived: {crashes} ({_listed(self.ends)})",
            (
                f"checked: {self.checked_datasets} datasets, {self.checked_bytes / 1e6:.1f} MB, "
                "byte for byte"
            ),
        ]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
