"""Another protocol that moves the same blocks, for peers that do not speak ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from quire.base.errors import PeerLied
from quire.net.exchange.ledger import Ledger
from quire.net.exchange.limits import ExchangeLimits
from quire.net.exchange.peer_session import OnEnd, OnUpdate, PeerSession
from quire.net.transport import PeerId

if TYPE_CHECKING:
    from concurrent.futures import Executor


@dataclass(frozen=True, slots=True)
class DialectPorts:
    """What the exchange lends to a dialect."""

    limits: ExchangeLimits
    ledger: Ledger
    on_update: OnUpdate
    on_end: OnEnd  # with `PeerLied`, the peer is banned
    blame: Callable[[PeerId, PeerLied], None]  # ban a peer that is not asked just now
    executor: Executor | None  # where blocks are hashed; None is the loop's own


class Dialect(Protocol):
    """Spoken in both directions from `start` to `stop`."""

    def start(self, ports: DialectPorts) -> None:
        """Serve it from now on."""

    async def open(self, peer: PeerId, deadline: float) -> PeerSession:
        """Begin to ask a connected peer. Raises what `Transport.open` raises."""

    async def stop(self) -> None:
        """Serve no more. Sessions are ended by whoever opened them."""

    def status(self) -> list[dict[str, object]]:
        """Who waits for what from us."""
