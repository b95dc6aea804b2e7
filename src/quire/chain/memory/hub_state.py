"""What the hub of payment channels remembers."""

from __future__ import annotations

from dataclasses import dataclass, field

from quire.chain.hub import HubChannel
from quire.chain.values import Address


@dataclass(frozen=True, slots=True)
class Delegation:
    """`previous` signs too, before the time `until` (unix seconds)."""

    signer: Address | None = None
    previous: Address | None = None
    until: int = 0


@dataclass(slots=True)
class HubState:
    """What the hub remembers; as all of `State`, a copy of it is a copy of a few tables."""

    balances: dict[Address, int] = field(default_factory=dict)
    channels: dict[tuple[Address, Address], HubChannel] = field(default_factory=dict)
    delegations: dict[Address, Delegation] = field(default_factory=dict)

    def copy(self) -> HubState:
        return HubState(dict(self.balances), dict(self.channels), dict(self.delegations))

    @property
    def owed(self) -> int:
        """All that the hub has to have."""
        free = sum(channel.free for channel in self.channels.values())
        return sum(self.balances.values()) + free
