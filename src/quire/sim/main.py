"""`quire sim`: run seeds, show the stages and the figures, and say how to repeat a failure.

`quire sim audits`, `cache`, `dispersal`, `lazy-repair` and `provider-choice` are studies of a
policy, with figures only.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import partial

from quire.sim import audits, cache_table, fairness_table, lazy_repair, provider_choice_table
from quire.sim.run import SCENARIOS, Outcome, run_seed
from quire.sim.tally import Tally

EXIT_BROKEN = 70  # as base.errors.Bug
ALL = "all"
STUDIES = {
    "audits": audits.report,
    "cache": cache_table.report,
    "dispersal": fairness_table.report,
    "lazy-repair": lazy_repair.report,
    "provider-choice": provider_choice_table.report,
}


def run(argv: Sequence[str]) -> int:
    """Run from the command line; returns the exit code: 0, or 70 when a seed failed."""
    if argv and argv[0] in STUDIES:
        print("\n".join(STUDIES[argv[0]](argv[1:])))
        return 0
    options = _parser().parse_args(list(argv))
    show = partial(_show, is_whole=options.trace)
    is_single = options.runs == 1 and options.scenario != ALL
    is_shown = (options.trace or is_single) and not options.json
    scenarios = list(SCENARIOS) if options.scenario == ALL else [options.scenario]
    outcomes: list[Outcome] = []
    tally = Tally()
    for seed in range(options.seed, options.seed + options.runs):
        for scenario in scenarios:
            outcome = run_seed(seed, scenario, on_line=show if is_shown else None)
            outcomes.append(outcome)
            tally.add(outcome.tally)
            is_quiet = options.quiet and outcome.error is None
            if not options.json and not is_quiet:
                _report(outcome)
    failed = sum(outcome.error is not None for outcome in outcomes)
    if options.json:
        runs = [_as_data(each) for each in outcomes]
        print(json.dumps({"failed": failed, "figures": tally.as_data(), "runs": runs}))
    else:
        if len(outcomes) > 1:
            print(f"{len(outcomes) - failed} of {len(outcomes)} runs kept every promise")
        print("\n".join(tally.lines()))
    return EXIT_BROKEN if failed else 0


def _as_data(outcome: Outcome) -> dict[str, object]:
    error = None if outcome.error is None else f"{type(outcome.error).__name__}: {outcome.error}"
    return {
        "scenario": outcome.scenario,
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
        f"{outcome.scenario} seed {outcome.seed} {verdict}: {outcome.virtual_seconds:.1f} virtual "
        f"seconds, {len(outcome.lines)} events, trace {outcome.digest[:16]}; {outcome.weather}",
        flush=True,
    )
    if outcome.error is not None:
        print(f"  {type(outcome.error).__name__}: {outcome.error}")
        print(f"  repeat with: {outcome.reproduce}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="quire sim",
        description="Run the production code in a simulated world.",
        epilog=f"Studies of a policy, each with its own options: {', '.join(STUDIES)}.",
    )
    parser.add_argument("--seed", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument("--runs", type=int, default=1, help="how many seeds, counting up")
    parser.add_argument("--scenario", choices=[*sorted(SCENARIOS), ALL], default="diagram-a")
    parser.add_argument("--trace", action="store_true", help="print every event")
    parser.add_argument("--quiet", action="store_true", help="print failures and figures only")
    parser.add_argument("--json", action="store_true", help="one JSON object at the end")
    return parser
