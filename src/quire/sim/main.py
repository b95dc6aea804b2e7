"""`quire sim`: run seeds, show the stages, and say how to repeat a run that failed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import partial

from quire.sim.run import SCENARIOS, Outcome, run_seed

EXIT_BROKEN = 70  # as base.errors.Bug


def run(argv: Sequence[str]) -> int:
    """Run from the command line; returns the exit code: 0, or 70 when a seed failed."""
    options = _parser().parse_args(list(argv))
    show = partial(_show, is_whole=options.trace)
    is_shown = (options.trace or options.runs == 1) and not options.json
    outcomes: list[Outcome] = []
    for seed in range(options.seed, options.seed + options.runs):
        outcomes.append(run_seed(seed, options.scenario, on_line=show if is_shown else None))
        if not options.json:
            _report(outcomes[-1])
    failed = sum(outcome.error is not None for outcome in outcomes)
    if options.json:
        print(json.dumps({"failed": failed, "runs": [_as_data(each) for each in outcomes]}))
    elif options.runs > 1:
        print(f"{options.runs - failed} of {options.runs} seeds kept every promise")
    return EXIT_BROKEN if failed else 0


def _as_data(outcome: Outcome) -> dict[str, object]:
    error = None if outcome.error is None else f"{type(outcome.error).__name__}: {outcome.error}"
    return {
        "seed": outcome.seed,
        "virtualSeconds": round(outcome.virtual_seconds, 3),
        "events": len(outcome.lines),
        "trace": outcome.digest,
        "error": error,
        "repeat": outcome.reproduce,
    }


def _show(line: str, *, is_whole: bool) -> None:
    if is_whole or " step " in line:
        print(line, flush=True)


def _report(outcome: Outcome) -> None:
    verdict = "ok" if outcome.error is None else "FAILED"
    print(
        f"seed {outcome.seed} {verdict}: {outcome.virtual_seconds:.1f} virtual seconds, "
        f"{len(outcome.lines)} events, trace {outcome.digest[:16]}",
        flush=True,
    )
    if outcome.error is not None:
        print(f"  {type(outcome.error).__name__}: {outcome.error}")
        print(f"  repeat with: {outcome.reproduce}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="quire sim", description="Run the production code in a simulated world."
    )
    parser.add_argument("--seed", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument("--runs", type=int, default=1, help="how many seeds, counting up")
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="diagram-a")
    parser.add_argument("--trace", action="store_true", help="print every event")
    parser.add_argument("--json", action="store_true", help="one JSON object at the end")
    return parser
