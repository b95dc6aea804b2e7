"""What a node that keeps files at providers tells Prometheus. Tokens in their smallest unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from quire.point.file import FileState
from quire.point.link import At
from quire.services.retail.upload_status import PAUSED, RELEASED
from quire.services.retail.uploads import Uploads


def keeping_metrics(uploads: Uploads) -> Iterator[Metric]:
    """From memory."""
    files = uploads.every()
    states = Counter(each.state for each in files)
    family = GaugeMetricFamily(
        "quire_kept_files", "Files kept at providers, by state", labels=("state",)
    )
    for state in (*FileState, PAUSED, RELEASED):
        family.add_metric((state,), states[state])
    yield family
    counts = Counter(link.state for each in files for link in each.links)
    links = GaugeMetricFamily("quire_links", "Replicas at providers, by state", labels=("state",))
    for at in At:
        links.add_metric((at.value,), counts[at.value])
    yield links
    kept = sum(each.size_bytes for each in files if each.state != RELEASED)
    yield GaugeMetricFamily("quire_kept_file_bytes", "Bytes of files kept at providers", kept)
    held = sum(each.held_bytes for each in files)
    yield GaugeMetricFamily("quire_kept_replica_bytes", "Bytes of replicas signed for", held)
    paid = sum(each.paid for each in files)
    yield CounterMetricFamily("quire_kept_paid_tokens", "Paid for files kept at providers", paid)
