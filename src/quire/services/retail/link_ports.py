"""What the work of links stands on."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from quire.base.clock import Clock
from quire.base.events import EventBus
from quire.chain.port import ChainClock
from quire.channels.port import Payments
from quire.dataset.envelope.seal import Sealer, seal_key
from quire.formats.peer_id import decode_peer_id
from quire.point.choice_port import Choice
from quire.point.link import LinkOrder
from quire.services.retail.ciphertext import Ciphertext
from quire.services.retail.replica_client import ReplicaClient


@dataclass(frozen=True, slots=True)
class FileAtHand:
    """What links of one upload need of its file."""

    ciphertext: Ciphertext
    seal_root: bytes

    def sealer(self, order: LinkOrder) -> Sealer:
        """Of the replica of one link."""
        key = seal_key(self.seal_root, decode_peer_id(order.peer), order.replica, order.epoch)
        return Sealer(key, self.ciphertext.size)


@dataclass(frozen=True, slots=True)
class LinkPorts:
    """`file`: of an upload id; raises NotFound."""

    client: ReplicaClient
    choice: Choice
    payments: Payments
    chain: ChainClock
    clock: Clock
    rng: random.Random
    events: EventBus
    file: Callable[[bytes], FileAtHand]
