"""Metrics of a node for Prometheus, read from its parts when they are asked for.

Names are those of the reference where it has them (content.md 7.5), so that its dashboards work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from quire.base.events import Event
from quire.node.metrics_aggregation import aggregation_metrics
from quire.node.metrics_caching import caching_metrics
from quire.node.metrics_choice import choice_metrics
from quire.node.metrics_keeping import keeping_metrics
from quire.node.metrics_market import market_metrics
from quire.node.metrics_providing import providing_metrics
from quire.node.metrics_retail import retail_metrics
from quire.node.metrics_workers import workers_metrics

if TYPE_CHECKING:
    from quire.node.node import Node

# name -> (what it counts, how it is read)
_Rows = dict[str, tuple[str, "Callable[[Node], float]"]]

_GAUGES: _Rows = {
    "codex_repostore_blocks": (
        "Blocks held, manifests included",
        lambda n: n.store.space().total_blocks,
    ),
    "codex_repostore_bytes_used": (
        "Bytes of the quota in use",
        lambda n: n.store.space().quota_used_bytes,
    ),
    "codex_repostore_bytes_reserved": (
        "Bytes of the quota that are promised",
        lambda n: n.store.space().quota_reserved_bytes,
    ),
    "codex_block_exchange_pending_block_requests": (
        "Blocks that fetches under way lack",
        lambda n: n.exchange.missing_blocks(),
    ),
    "codex_inflight_discovery": (
        "Searches of the network for providers under way",
        lambda n: n.finder.searching,
    ),
    "codex_inflight_advertise": (
        "Announcements waiting to be made",
        lambda n: n.announcer.status().queued,
    ),
    "libp2p_peers": (
        "Connected peers",
        lambda n: len({c.peer for c in n.transport.connections()}),
    ),
    "quire_quota_bytes": (
        "Bytes that the node may keep",
        lambda n: n.store.space().quota_max_bytes,
    ),
    "quire_peers_banned": ("Peers that lied and are refused", lambda n: len(n.exchange.banned())),
    "quire_exchange_bytes_in_flight": (
        "Bytes asked of peers and not stored yet",
        lambda n: n.exchange.bytes_in_flight,
    ),
    "quire_uploads_active": (
        "Uploads under way",
        lambda n: len(n.uploads.active) + len(n.resumable.active),
    ),
    "quire_downloads_active": ("Downloads under way", lambda n: len(n.downloads.active)),
    "quire_fetches_active": (
        "Background fetches under way",
        lambda n: sum(not f.has_ended for f in n.fetches.all()),
    ),
    "quire_proofs_waiting": (
        "Proofs that wait for their turn",
        lambda n: n.proving.proofs.waiting_count,
    ),
    "quire_proofs_running": (
        "Proofs that are being made",
        lambda n: n.proving.proofs.running_count,
    ),
    "quire_waits": ("Things being waited for", lambda n: len(n.waits.of())),
}

_COUNTERS: _Rows = {
    "codex_api_uploads": ("Uploads that ended well", lambda n: n.uploads.finished),
    "codex_api_downloads": ("Downloads that ended well", lambda n: n.downloads.finished),
    "codex_block_exchange_blocks_sent": (
        "Blocks given to peers",
        lambda n: sum(t.sent_blocks for t in n.exchange.ledger.traffic.values()),
    ),
    "codex_block_exchange_blocks_received": (
        "Blocks from peers that verified",
        lambda n: sum(t.received_blocks for t in n.exchange.ledger.traffic.values()),
    ),
    "codex_block_exchange_peer_timeouts": (
        "Requests that a peer did not answer in time",
        lambda n: sum(a.timeouts for a in n.exchange.ledger.all().values()),
    ),
    "quire_exchange_wasted_bytes": (
        "Bytes received twice, or after they were cancelled",
        lambda n: sum(a.wasted_bytes for a in n.exchange.ledger.all().values()),
    ),
    "quire_uploads_failed": ("Uploads that were dropped", lambda n: n.uploads.failed),
    "quire_download_bytes": ("Bytes handed to readers", lambda n: n.downloads.sent_bytes),
    "quire_proofs_complete": ("Proofs made", lambda n: n.proving.proofs.counts.complete),
    "quire_proofs_failed": (
        "Proofs that were not made, the late ones among them",
        lambda n: n.proving.proofs.counts.failed,
    ),
    "quire_proofs_late": (
        "Proofs whose deadline passed before they were made",
        lambda n: n.proving.proofs.counts.late,
    ),
    "quire_announcements": (
        "Announcements that peers took",
        lambda n: n.announcer.status().published,
    ),
    "quire_announcements_failed": (
        "Announcements that nobody took",
        lambda n: n.announcer.status().failed,
    ),
}


class NodeMetrics(Collector):
    """One scrape is one reading of the node; on the hot path only events are counted."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._events: Counter[str] = Counter()
        node.events.listen(self._count)

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        for name, (text, read) in _GAUGES.items():
            yield GaugeMetricFamily(name, text, read(self._node))
        for name, (text, read) in _COUNTERS.items():
            yield CounterMetricFamily(name, text, read(self._node))
        yield self._traffic()
        yield from workers_metrics(self._node.parts.workers)
        if self._node.trading is not None:
            yield from market_metrics(self._node.trading)
        if self._node.retail is not None:
            yield from retail_metrics(self._node.retail)
        if self._node.retail is not None and self._node.retail.choice is not None:
            yield from choice_metrics(self._node.retail.choice, self._node.clock.now())
        if self._node.retail is not None and self._node.retail.provider is not None:
            yield from providing_metrics(self._node.retail.provider)
        if self._node.retail is not None and self._node.retail.keeping is not None:
            yield from keeping_metrics(self._node.retail.keeping.uploads)
        if self._node.aggregation is not None:
            yield from aggregation_metrics(self._node.aggregation)
        if self._node.parts.caching is not None:
            yield from caching_metrics(self._node.parts.caching)
        events = CounterMetricFamily("quire_events", "Events of a kind", labels=("kind",))
        for kind, count in sorted(self._events.items()):
            events.add_metric((kind,), count)
        yield events

    def _traffic(self) -> Metric:
        moved = CounterMetricFamily(
            "quire_exchange_bytes",
            "Payload exchanged with peers; what was received counts once it is verified",
            labels=("protocol", "direction"),
        )
        for protocol, traffic in sorted(self._node.exchange.ledger.traffic.items()):
            moved.add_metric((protocol, "received"), traffic.received_bytes)
            moved.add_metric((protocol, "sent"), traffic.sent_bytes)
        return moved

    def _count(self, event: Event) -> None:
        self._events[event.kind] += 1


def register_metrics(registry: CollectorRegistry, node: Node) -> None:
    """The node's own, and what the system says of its process: CPU, memory, open files."""
    registry.register(NodeMetrics(node))
    ProcessCollector(registry=registry)
