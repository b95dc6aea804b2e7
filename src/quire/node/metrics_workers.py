"""What a node tells Prometheus of its workers, and thereby who starts and ends machines."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from quire.flow.workers import Workers


def workers_metrics(workers: Workers) -> Iterator[Metric]:
    """One look at them."""
    load = workers.load()
    yield GaugeMetricFamily("quire_workers", "Tasks of heavy work that can run", load.workers)
    yield GaugeMetricFamily("quire_workers_busy", "Tasks that run", load.busy)
    yield GaugeMetricFamily("quire_workers_queued", "Tasks that wait for a worker", load.queued)
    yield GaugeMetricFamily(
        "quire_workers_wanted", "Workers with which no task would wait", load.wanted
    )
    yield CounterMetricFamily(
        "quire_workers_retries", "Tasks begun again because a worker died", load.retries
    )
    yield CounterMetricFamily("quire_workers_died", "Workers that died", load.died)
