"""What a node that orders of aggregators, or is one, tells Prometheus. Tokens in their smallest
unit, from memory; the chain is not asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)

from quire.aggregation.order import At
from quire.aggregation.values import Service, service_of
from quire.formats.aggregator_codes import Reason, Stage
from quire.node.aggregation import Aggregation
from quire.node.aggregation_tally import Tally
from quire.services.ordering.remote_prover import RemoteProver

BATCHES = (1, 2, 4, 8, 16, 32, 64)
_BY_SERVICE = ("service",)
_BY_REASON = ("service", "reason")


def aggregation_metrics(aggregation: Aggregation) -> Iterator[Metric]:
    yield from _ordering(aggregation)
    if aggregation.prover is not None:
        yield from _proving(aggregation.prover)
    if aggregation.jobs is not None:
        yield from _working(aggregation)


def _ordering(aggregation: Aggregation) -> Iterator[Metric]:
    orders, tally = aggregation.orders.all(), aggregation.tally
    states = Counter((each.offer.offer.service, each.at.value) for each in orders)
    names = [at.value for at in At]
    yield _states("quire_orders", "Orders at aggregators that are remembered", states, names)
    paid = CounterMetricFamily(
        "quire_order_paid_tokens", "Promised to aggregators", labels=_BY_SERVICE
    )
    yield _sums(paid, tally.paid)
    wrong = CounterMetricFamily(
        "quire_orders_wrong", "Orders whose result was not good, or withheld", labels=_BY_REASON
    )
    yield _reasons(wrong, tally.wrong)
    yield _checks(tally)
    yield GaugeMetricFamily(
        "quire_aggregators", "Aggregators known", len(aggregation.aggregators.book)
    )


def _proving(prover: RemoteProver) -> Iterator[Metric]:
    counts = prover.counts
    made = CounterMetricFamily(
        "quire_remote_proofs", "Proofs of slots here, by who made them", labels=("by",)
    )
    made.add_metric(("aggregator",), counts.ordered)
    made.add_metric(("own",), counts.own)
    yield made


def _working(aggregation: Aggregation) -> Iterator[Metric]:
    assert aggregation.aggregator is not None
    assert aggregation.jobs is not None
    answers = CounterMetricFamily(
        "quire_aggregator_answers", "Answers to customers, by code", labels=("code",)
    )
    for code, count in sorted(aggregation.aggregator.answered.items()):
        answers.add_metric((code.name,), count)
    yield answers
    tally = aggregation.tally
    states = Counter((service_of(job.work), job.at.name.lower()) for job in aggregation.jobs)
    names = [stage.name.lower() for stage in Stage]
    yield _states("quire_jobs", "Jobs for others that are remembered", states, names)
    earned = CounterMetricFamily(
        "quire_job_earned_tokens", "Promised by customers", labels=_BY_SERVICE
    )
    yield _sums(earned, tally.earned)
    disputed = CounterMetricFamily(
        "quire_jobs_disputed", "Jobs of which customers say that they are wrong", labels=_BY_REASON
    )
    yield _reasons(disputed, tally.disputed)
    yield _batches(tally)
    yield CounterMetricFamily(
        "quire_submit_gas", "Of transactions with proofs of others", tally.gas
    )
    yield GaugeMetricFamily(
        "quire_job_promised_tokens",
        "Owed from the bond if no more proofs got into the chain",
        aggregation.promised(),
    )


def _states(
    name: str, words: str, counts: Mapping[tuple[Service, str], int], names: list[str]
) -> Metric:
    family = GaugeMetricFamily(name, words, labels=("service", "state"))
    for service in Service:
        for state in names:
            family.add_metric((_name(service), state), counts.get((service, state), 0))
    return family


def _sums(family: CounterMetricFamily, counts: Mapping[Service, int]) -> Metric:
    for service in Service:
        family.add_metric((_name(service),), counts.get(service, 0))
    return family


def _reasons(family: CounterMetricFamily, counts: Mapping[tuple[Service, Reason], int]) -> Metric:
    for (service, reason), count in sorted(counts.items()):
        family.add_metric((_name(service), reason.name.lower()), count)
    return family


def _checks(tally: Tally) -> Metric:
    family = SummaryMetricFamily(
        "quire_order_check_seconds", "Time of looking at results", labels=_BY_SERVICE
    )
    for service in Service:
        seconds = tally.check_seconds[service]
        family.add_metric((_name(service),), tally.checks[service], seconds)
    return family


def _batches(tally: Tally) -> Metric:
    """How many transactions had at most so many proofs."""
    counts = [
        (str(most), sum(count for size, count in tally.batches.items() if size <= most))
        for most in BATCHES
    ]
    counts.append(("+Inf", tally.batches.total()))
    family = HistogramMetricFamily(
        "quire_submit_batch_proofs", "Proofs of others in one transaction", labels=()
    )
    family.add_metric((), counts, sum(size * n for size, n in tally.batches.items()))
    return family


def _name(service: Service) -> str:
    return service.name.lower()
