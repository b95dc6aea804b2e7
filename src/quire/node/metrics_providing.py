"""What a provider of sealed replicas tells Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from quire.formats.replica_codes import LeaseState
from quire.services.providing.provider import Provider


def providing_metrics(provider: Provider) -> Iterator[Metric]:
    """From memory."""
    counts = Counter(lease.at for lease in provider.leases)
    leases = GaugeMetricFamily(
        "quire_leases", "Replicas kept for others, by state", labels=("state",)
    )
    for state in LeaseState:
        leases.add_metric((state.name,), counts[state])
    yield leases
    yield GaugeMetricFamily(
        "quire_lease_bytes", "Bytes of replicas, promised or here", provider.room.held_bytes
    )
    yield GaugeMetricFamily(
        "quire_lease_free_bytes", "Bytes that replicas can still have", provider.room.free_bytes()
    )
    yield CounterMetricFamily(
        "quire_lease_read_bytes", "Bytes of replicas read for others", provider.reading.read_bytes
    )
    answers = CounterMetricFamily(
        "quire_provider_answers", "Answers to clients, by code", labels=("code",)
    )
    for code, count in sorted(provider.answered.items()):
        answers.add_metric((code.name,), count)
    yield answers
