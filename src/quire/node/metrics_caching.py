"""What a node whose cache is a business tells Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from quire.services.caching.caching import Caching


def caching_metrics(caching: Caching) -> Iterator[Metric]:
    """Tokens in their smallest unit."""
    total = caching.total()
    money = CounterMetricFamily(
        "quire_cache_tokens", "Tokens that the cache earned and cost", labels=("direction",)
    )
    money.add_metric(("earned",), total.earned)
    money.add_metric(("spent",), total.spent)
    yield money
    moved = CounterMetricFamily(
        "quire_cache_bytes", "Bytes of caches given and taken", labels=("direction", "paid")
    )
    moved.add_metric(("given", "no"), total.given_bytes)
    moved.add_metric(("given", "yes"), total.sold_bytes)
    moved.add_metric(("taken", "no"), total.taken_bytes)
    moved.add_metric(("taken", "yes"), total.bought_bytes)
    yield moved
    yield GaugeMetricFamily(
        "quire_cache_price", "Tokens asked for a MiB of the cache, now", caching.price
    )
    yield GaugeMetricFamily(
        "quire_cache_held_bytes", "Fetched data that nothing else keeps", caching.shelf.cached_bytes
    )
    yield CounterMetricFamily(
        "quire_cache_evicted_bytes", "Evicted from the cache", caching.shelf.evicted_bytes
    )
