"""quire plan: which code keeps a dataset how safe, and what it costs. Needs no node."""

from __future__ import annotations

import os
import time
from math import floor
from typing import Any

import click

from quire.base.errors import InputError
from quire.base.units import MIB, format_duration, format_rate, format_size
from quire.dataset.plan import (
    REFERENCE_RATES,
    CannotPromise,
    Plan,
    Rates,
    Wish,
    evaluate,
    plan,
    proofs_until_noticed,
)
from quire.faces.cli.common import Duration, Size, json_option, show_json

YEAR = 31_557_600.0
DAY = 86_400.0
ALTERNATIVES = (1.25, 1.5, 2.0)
PARTIAL_LOSSES = (0.01, 0.1, 0.5)


@click.command()
@click.option("--size", type=Size(), required=True, help="Size of the dataset, such as 10GB.")
@click.option(
    "--nines",
    type=float,
    default=9.0,
    show_default=True,
    help="9: at most one chance in 10^9 to lose it.",
)
@click.option("--for", "period", type=Duration(), default=YEAR, help="How long.  [default: 1y]")
@click.option(
    "--host-mttf",
    type=Duration(),
    default=YEAR,
    help="Mean time until a host loses its slot.  [default: 1y]",
)
@click.option(
    "--proof-interval",
    type=Duration(),
    default=DAY / 2,
    help="Mean time between two proofs of a slot.  [default: 12h]",
)
@click.option(
    "--misses",
    type=int,
    default=1,
    show_default=True,
    help="Missed proofs that are forgiven before a slot is freed.",
)
@click.option(
    "--repair-time",
    type=Duration(),
    default=DAY,
    help="Mean time that a repair takes.  [default: 1d]",
)
@click.option(
    "--lazy", type=int, default=1, show_default=True, help="Repair when so many slots are lost."
)
@click.option(
    "--expansion",
    type=float,
    default=1.5,
    show_default=True,
    help="Stored bytes for each byte of the dataset, at most.",
)
@click.option("-k", "--data", "k", type=int, help="Judge this code instead: data rows ...")
@click.option("-m", "--parity", "m", type=int, help="... and parity rows.")
@json_option
def plan_command(
    size: int, nines: float, period: float, host_mttf: float, proof_interval: float, misses: int,
    repair_time: float, lazy: int, expansion: float, k: int | None, m: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Choose K, M, samples and the proof rate for a wish, and tell what they cost.

    The model is the one of the Codex white paper: hosts fail independently, a lost slot is
    noticed by missed proofs and rebuilt from K others. Exit code 2 when the wish cannot be kept.
    """
    if (k is None) != (m is None):
        raise InputError("-k and -m belong together; give both or neither")
    wish = Wish(size, nines, period, host_mttf, proof_interval, misses, repair_time, lazy=lazy)
    rates = measured_rates()
    if k is not None and m is not None:
        found, others = evaluate(wish, k, m, rates), []
    else:
        found = plan(wish, expansion, rates)
        others = _others(wish, expansion, rates)
    if as_json:
        show_json({"plan": _as_dict(found), "alternatives": [_as_dict(p) for p in others]})
    else:
        _show(wish, found, others, rates)
    if not found.keeps_wish:
        raise click.exceptions.Exit(InputError.exit)


def measured_rates() -> Rates:
    """What coding and hashing take on one core here; a few hundredths of a second of work."""
    from quire.kernels.erasure import encode
    from quire.kernels.poseidon2 import block_digests

    rows = [os.urandom(MIB // 4)] * 4

    def rate(work: Any, size: int) -> float:
        work()
        started = time.process_time()
        turns = 0
        while (spent := time.process_time() - started) < 0.02:
            work()
            turns += 1
        return size * turns / spent

    coding = rate(lambda: encode(rows, 2), MIB)
    hashing = rate(lambda: block_digests(rows[0], 65_536), len(rows[0]))
    return Rates(coding, hashing, REFERENCE_RATES.proof_seconds)


def _others(wish: Wish, expansion: float, rates: Rates) -> list[Plan]:
    """What other expansions give, and what 3 + 2, which many take for safe, does."""
    found = []
    for other in ALTERNATIVES:
        if other != expansion:
            try:
                found.append(plan(wish, other, rates))
            except CannotPromise:
                continue
    if wish.blocks >= 3 and wish.lazy <= 2:
        found.append(evaluate(wish, 3, 2, rates))
    return found


def _show(wish: Wish, found: Plan, others: list[Plan], rates: Rates) -> None:
    for name, text in [*_promise(wish, found), *_price(found, rates)]:
        click.echo(f"{name:<8} {text}")
    if others:
        click.echo("\nothers      nines  hosts       disk      padded    repairs      proofs' CPU")
    for other in others:
        click.echo(
            f"{other.k:>4} + {other.m:<3} {_places(other.nines):>7}  {other.slots:>5} "
            f"{format_size(other.cost.stored_bytes):>10}  {format_size(other.cost.paid_bytes):>10} "
            f"{format_size(other.cost.repair_bytes):>10}  "
            f"{format_duration(other.cost.proof_seconds):>15}"
            + ("" if other.keeps_wish else "  too few nines")
        )


def _promise(wish: Wish, found: Plan) -> list[tuple[str, str]]:
    verdict = "kept" if found.keeps_wish else "NOT KEPT"
    freed = f"a slot is freed at missed proof {wish.misses + 1}"
    interval = format_duration(wish.proof_interval)
    return [
        (
            "wish",
            (
                f"{format_size(wish.size)} for {format_duration(wish.period)} with "
                f"{wish.nines:g} nines: {verdict}"
            ),
        ),
        ("code", f"{found.k} + {found.m}: {found.slots} hosts, any {found.k} are enough"),
        (
            "promise",
            f"{_places(found.nines)} nines: a chance of {found.outlook.loss:.1e} to lose it",
        ),
        ("proofs", f"every {interval} a slot, {found.samples} samples; {freed}"),
        *(("", _noticed(lost, found.samples)) for lost in PARTIAL_LOSSES),
    ]


def _price(found: Plan, rates: Rates) -> list[tuple[str, str]]:
    cost, repairs = found.cost, found.outlook.repairs
    stored, padded = format_size(cost.stored_bytes), format_size(cost.paid_bytes)
    measured = f"{format_rate(rates.coding)} and {format_rate(rates.hashing)} a core"
    proving = f"{cost.proofs:,.0f} proofs, {format_duration(cost.proof_seconds)} on all hosts"
    return [
        (
            "disk",
            (
                f"{stored} on all hosts (x {found.expansion:.2f}); with the padding of slots "
                f"that a contract counts: {padded}"
            ),
        ),
        (
            "traffic",
            (
                f"{format_size(cost.upload_bytes)} to the hosts once; {repairs:.1f} repairs "
                f"move {format_size(cost.repair_bytes)} in all"
            ),
        ),
        (
            "CPU",
            (
                f"{format_duration(cost.prepare_seconds)} to code and hash here ({measured}); "
                f"{proving}"
            ),
        ),
    ]


def _places(nines: float) -> str:
    """One place, rounded down: 2.97 nines are not three."""
    return f"{floor(nines * 10) / 10:.1f}"


def _noticed(lost: float, samples: int) -> str:
    proofs = proofs_until_noticed(lost, samples)
    return f"a host that lost {lost:.0%} of its slot fails one of {proofs:.1f} proofs"


def _as_dict(found: Plan) -> dict[str, object]:
    cost = found.cost
    return {
        "k": found.k,
        "m": found.m,
        "samples": found.samples,
        "nines": round(found.nines, 3),
        "lossProbability": found.outlook.loss,
        "keepsWish": found.keeps_wish,
        "expansion": found.expansion,
        "storedBytes": cost.stored_bytes,
        "paidBytes": cost.paid_bytes,
        "uploadBytes": cost.upload_bytes,
        "repairs": found.outlook.repairs,
        "repairBytes": round(cost.repair_bytes),
        "proofs": round(cost.proofs),
        "proofCpuSeconds": round(cost.proof_seconds),
        "prepareCpuSeconds": round(cost.prepare_seconds, 3),
    }
