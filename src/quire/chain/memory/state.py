"""Everything that the contract and its token remember. Records are values: a changed one replaces
the old one, so that a copy of the state is a copy of a few tables."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from quire.chain.memory.bonds_state import BondsState
from quire.chain.memory.hub_state import HubState
from quire.chain.values import (
    Address,
    RequestId,
    RequestState,
    SlotId,
    SlotState,
    StorageRequest,
)


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """`state` as stored: time may have moved on since."""

    request: StorageRequest
    funds: int  # of the client, if every host keeps its slot to the end
    ends_at: int
    expires_at: int
    created_block: int
    state: RequestState = RequestState.NEW
    filled: int = 0
    is_withdrawn: bool = False
    seed: bytes = b""  # of the windows of its slots
    waiting: tuple[int, ...] = ()  # freed slots that have not opened yet, in the order of loss


@dataclass(frozen=True, slots=True)
class Reservation:
    host: Address
    reserved_at: int


@dataclass(frozen=True, slots=True)
class SlotRecord:
    """A slot that was reserved or filled once."""

    request_id: RequestId
    slot_index: int
    state: SlotState = SlotState.FREE  # as stored
    host: Address | None = None
    since: int = 0  # when it was filled, or freed, or opened for repair
    missed: int = 0
    received: frozenset[int] = frozenset()  # periods, of the present host; the last few
    missing: frozenset[int] = frozenset()  # periods, of the present host
    missing_before: frozenset[int] = frozenset()  # periods, of the hosts before
    reservations: tuple[Reservation, ...] = ()
    opened_block: int = 0  # of a freed slot; 0: it waits for others
    seed: bytes = b""  # of the window of a freed slot
    frees: int = 0


@dataclass(frozen=True, slots=True)
class ProofDelegation:
    """Of (host, delegate). `revoked_at`: when it was last, unix seconds; 0: never."""

    is_allowed: bool = False
    revoked_at: int = 0


@dataclass(slots=True)
class State:
    """`received`, `sent` and `burned` are totals of the contract's tokens; `burnable` is what it
    holds that belongs to nobody. `delegates` by (host, delegate)."""

    tokens: dict[Address, int] = field(default_factory=dict)
    requests: dict[RequestId, RequestRecord] = field(default_factory=dict)
    slots: dict[SlotId, SlotRecord] = field(default_factory=dict)
    requests_of: dict[Address, tuple[RequestId, ...]] = field(default_factory=dict)
    slots_of: dict[Address, tuple[SlotId, ...]] = field(default_factory=dict)
    delegates: dict[tuple[Address, Address], ProofDelegation] = field(default_factory=dict)
    registered: dict[Address, int] = field(default_factory=dict)  # block
    received: int = 0
    sent: int = 0
    burned: int = 0
    burnable: int = 0
    hub: HubState = field(default_factory=HubState)
    bonds: BondsState = field(default_factory=BondsState)

    def copy(self) -> State:
        return replace(
            self,
            tokens=dict(self.tokens),
            requests=dict(self.requests),
            slots=dict(self.slots),
            requests_of=dict(self.requests_of),
            slots_of=dict(self.slots_of),
            delegates=dict(self.delegates),
            registered=dict(self.registered),
            hub=self.hub.copy(),
            bonds=self.bonds.copy(),
        )
