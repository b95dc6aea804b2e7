"""What a node that chooses providers tells Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from quire.services.retail.providers import Providers


def choice_metrics(choice: Providers, now: float) -> Iterator[Metric]:
    """`now`: unix seconds of this machine."""
    known = list(choice.book)
    states = {
        "offering": sum(each.offer is not None for each in known),
        "silent": sum(each.offer is None for each in known),
        "excluded": sum(now < each.reputation.excluded_until for each in known),
        "left_alone": sum(now < each.reputation.backoff_until for each in known),
    }
    family = GaugeMetricFamily(
        "quire_providers", "Providers known; they may be in several states", labels=("state",)
    )
    for state, count in states.items():
        family.add_metric((state,), count)
    yield family
    asked = CounterMetricFamily(
        "quire_provider_offers", "Offers asked for, by what came of it", labels=("outcome",)
    )
    for outcome, count in sorted(choice.search.asked.items()):
        asked.add_metric((outcome,), count)
    yield asked
    yield CounterMetricFamily(
        "quire_provider_searches", "Searches for providers", choice.search.looks
    )
    chosen = CounterMetricFamily(
        "quire_provider_choices", "Replicas for which a provider was wanted", labels=("found",)
    )
    for found, count in sorted(choice.chosen.items()):
        chosen.add_metric((found,), count)
    yield chosen
