"""Metrics of a node for Prometheus, read from its parts when they are asked for.

Names are those of the reference where it has them (content.md 7.5), so that its dashboards work.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from quire.node.node import Node


class NodeMetrics(Collector):
    """One scrape is one reading of the node; nothing is counted on the hot path for it."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        node = self._node
        space = node.store.space()
        announced = node.announcer.status()
        gauges = {
            "codex_repostore_blocks": space.total_blocks,
            "codex_repostore_bytes_used": space.quota_used_bytes,
            "codex_repostore_bytes_reserved": space.quota_reserved_bytes,
            "codex_inflight_advertise": announced.queued,
            "libp2p_peers": len({c.peer for c in node.transport.connections()}),
            "quire_uploads_active": len(node.uploads.active) + len(node.resumable.active),
            "quire_downloads_active": len(node.downloads.active),
            "quire_fetches_active": sum(not f.has_ended for f in node.fetches.all()),
            "quire_waits": len(node.waits.of()),
        }
        counters = {
            "codex_api_uploads": node.uploads.finished,
            "codex_api_downloads": node.downloads.finished,
            "quire_uploads_failed": node.uploads.failed,
            "quire_download_bytes": node.downloads.sent_bytes,
            "quire_announcements": announced.published,
            "quire_announcements_failed": announced.failed,
        }
        for name, value in gauges.items():
            yield GaugeMetricFamily(name, _HELP[name], value)
        for name, value in counters.items():
            yield CounterMetricFamily(name, _HELP[name], value)


_HELP = {
    "codex_repostore_blocks": "Blocks held, manifests included",
    "codex_repostore_bytes_used": "Bytes of the quota in use",
    "codex_repostore_bytes_reserved": "Bytes of the quota that are promised",
    "codex_inflight_advertise": "Announcements waiting to be made",
    "codex_api_uploads": "Uploads that ended well",
    "codex_api_downloads": "Downloads that ended well",
    "libp2p_peers": "Connected peers",
    "quire_uploads_active": "Uploads under way",
    "quire_downloads_active": "Downloads under way",
    "quire_fetches_active": "Background fetches under way",
    "quire_waits": "Things being waited for",
    "quire_uploads_failed": "Uploads that were dropped",
    "quire_download_bytes": "Bytes handed to readers",
    "quire_announcements": "Announcements that peers took",
    "quire_announcements_failed": "Announcements that nobody took",
}
