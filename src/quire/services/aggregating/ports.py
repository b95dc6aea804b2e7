"""What the aggregator stands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from quire.base.clock import Clock
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.hub import Hub
from quire.channels.port import Income
from quire.net.identity import Identity
from quire.store.journal import Journal


@dataclass(frozen=True, slots=True)
class AggregatorPorts:
    """`sign`: a digest, 32 bytes, with the key of the account that is paid, 65 bytes."""

    journal: Journal
    hub: Hub
    income: Income
    identity: Identity
    sign: Callable[[bytes], bytes]
    clock: Clock
    events: EventBus
    waits: Waits
