"""What a node that trades tells Prometheus; the reference's names where it has them.

Source   content.md 7.5
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from quire.market.purchase import At as PurchaseAt
from quire.market.sale import At as SaleAt
from quire.node.metrics_proving import proving_metrics
from quire.node.trading import Trading

# The reference calls this one otherwise than its state.
_PURCHASES = {PurchaseAt.ERRORED: "error"}


def market_metrics(trading: Trading) -> Iterator[Metric]:
    """From memory; the chain is not asked."""
    purchases = Counter(purchase.at for purchase in trading.purchases.all())
    for at in PurchaseAt:
        name = f"codex_purchases_{_PURCHASES.get(at, at.value)}"
        yield GaugeMetricFamily(name, f"Purchases that are {at.value}", purchases[at])
    if trading.sales is not None:
        sales = Counter(sale.at for sale in trading.sales.all())
        family = GaugeMetricFamily("quire_sales", "Sales by their state", labels=("state",))
        for state in SaleAt:
            family.add_metric((state.value,), sales[state])
        yield family
        yield GaugeMetricFamily(
            "quire_slot_queue", "Slots that wait to be looked at", len(trading.sales.queue)
        )
    if trading.feed is not None and trading.feed.newest is not None:
        head = trading.feed.newest
        yield GaugeMetricFamily("quire_chain_block", "Newest block dealt with", head.number)
        yield GaugeMetricFamily("quire_chain_time", "Its time, unix seconds", head.timestamp)
        yield CounterMetricFamily(
            "quire_chain_rewinds", "Times that blocks were taken back", trading.feed.rewinds
        )
    yield from proving_metrics(trading)
