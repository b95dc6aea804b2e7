"""Metrics of what a node does on a chain: proofs of periods, validating, opening repairs.

Rows as in `metrics.py`; read only where the node has a chain, and the service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from quire.node.trading import Trading
    from quire.services.period_prover import PeriodProver
    from quire.services.validating import Validator

# name -> (what it counts, how it is read)
_ProverRows = dict[str, tuple[str, "Callable[[PeriodProver], float]"]]
_ValidatorRows = dict[str, tuple[str, "Callable[[Validator], float]"]]

_PROVER_GAUGES: _ProverRows = {
    "quire_period_slots": ("Slots that are proved", lambda p: len(p.watched)),
    "quire_period_proof_margin_seconds": (
        "Seconds that the newest proof in the chain had left",
        lambda p: p.counts.margin_seconds,
    ),
}
_PROVER_COUNTERS: _ProverRows = {
    "quire_period_proofs_required": ("Proofs that were asked for", lambda p: p.counts.asked),
    "quire_period_proofs_made": ("Proofs that were made", lambda p: p.counts.made),
    "quire_period_proofs_submitted": ("Proofs in the chain", lambda p: p.counts.submitted),
    "quire_period_proofs_late": (
        "Proofs that were not made or sent in time",
        lambda p: p.counts.late,
    ),
    "quire_period_proofs_missed": ("Misses that were marked", lambda p: p.counts.missed),
    "quire_period_transactions": (
        "Transactions with proofs",
        lambda p: p.counts.transactions,
    ),
}
_VALIDATOR_GAUGES: _ValidatorRows = {
    "quire_validator_slots": ("Slots that are watched", lambda v: len(v.slots)),
    "quire_validator_slots_left_out": (
        "Slots that are not watched for want of room",
        lambda v: v.slots.left_out,
    ),
}
_VALIDATOR_COUNTERS: _ValidatorRows = {
    "quire_validator_windows": ("Periods that were looked at", lambda v: v.counts.windows),
    "quire_validator_windows_missed": (
        "Periods that went by unseen",
        lambda v: v.counts.windows_missed,
    ),
    "quire_validator_checked": ("Slots checked, in all periods", lambda v: v.counts.checked),
    "quire_validator_marked": ("Misses marked", lambda v: v.counts.marked),
    "quire_validator_beaten": ("Misses that others marked first", lambda v: v.counts.beaten),
    "quire_validator_failed": ("Attempts that came to nothing", lambda v: v.counts.failed),
}


def proving_metrics(trading: Trading) -> Iterator[Metric]:
    """Of the services that this node has."""
    if trading.prover is not None:
        for name, (text, of_prover) in _PROVER_GAUGES.items():
            yield GaugeMetricFamily(name, text, of_prover(trading.prover))
        for name, (text, of_prover) in _PROVER_COUNTERS.items():
            yield CounterMetricFamily(name, text, of_prover(trading.prover))
    if trading.validator is not None:
        for name, (text, of_validator) in _VALIDATOR_GAUGES.items():
            yield GaugeMetricFamily(name, text, of_validator(trading.validator))
        for name, (text, of_validator) in _VALIDATOR_COUNTERS.items():
            yield CounterMetricFamily(name, text, of_validator(trading.validator))
    if trading.opener is not None:
        yield CounterMetricFamily(
            "quire_repairs_opened",
            "Requests whose freed slots this node opened for repair",
            trading.opener.opened,
        )
