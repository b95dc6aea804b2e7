"""What a node with payment channels tells Prometheus. Tokens in their smallest unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from quire.channels.channel import At
from quire.node.retail import Retail


def retail_metrics(retail: Retail) -> Iterator[Metric]:
    """From memory; the chain is not asked."""
    channels, accounts = retail.payments.channels(), retail.income.accounts()
    states = Counter(channel.at for channel in channels)
    family = GaugeMetricFamily("quire_channels", "Channels to payees", labels=("state",))
    for at in At:
        family.add_metric((at.value,), states[at])
    yield family
    yield GaugeMetricFamily("quire_channel_payers", "Payers with an account here", len(accounts))
    sums = (
        ("promised", "Promised to payees", sum(each.promised for each in channels)),
        ("billed", "Billed to payers", sum(each.billed for each in accounts)),
        ("received", "Promised by payers", sum(each.received for each in accounts)),
        ("claimed", "Claimed from payers", sum(each.seen.claimed for each in accounts)),
    )
    for name, words, amount in sums:
        yield CounterMetricFamily(f"quire_channel_{name}_tokens", f"{words}, since ever", amount)
    room = sum(max(0, each.room) for each in channels)
    yield GaugeMetricFamily("quire_channel_room_tokens", "Room in channels to payees", room)
    due = sum(max(0, each.due) for each in accounts)
    yield GaugeMetricFamily("quire_channel_due_tokens", "Billed and not received", due)
    unclaimed = sum(each.unclaimed for each in accounts)
    yield GaugeMetricFamily("quire_channel_unclaimed_tokens", "What claims would bring", unclaimed)
