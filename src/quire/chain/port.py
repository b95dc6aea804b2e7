"""The market as the rest of Quire sees it. Two implementations: `evm` (a real chain) and `memory`.

Everything is asked *as of the next block* (the reference's tag `pending`), and told from blocks.
State is level-triggered: an event says that something changed, never what is true now; whoever
hears it reads again. After a re-organisation events may have been for nothing: the batch says so.

Source   market.md 2, 4.7, 8
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from quire.chain.events import MarketEvent
from quire.chain.terms import Terms
from quire.chain.values import Address, RequestId, RequestState, SlotId, SlotState, StorageRequest


@dataclass(frozen=True, slots=True)
class Head:
    """A block. `timestamp` in unix seconds of the chain."""

    number: int
    hash: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What happened up to and including `head`, in order. `is_rewound`: blocks that had been told
    of are not part of the chain any more; read again whatever was concluded from them."""

    head: Head
    events: tuple[MarketEvent, ...] = ()
    is_rewound: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """A transaction that is in a block and succeeded. `fee` in wei."""

    hash: bytes
    block: int
    gas_used: int
    fee: int = 0


@dataclass(frozen=True, slots=True)
class Submission:
    """A transaction that brought a proof into the chain. `timestamp` of its block, unix seconds;
    `sender`: the account that sent it."""

    hash: bytes
    block: int
    timestamp: int
    sender: Address


@dataclass(frozen=True, slots=True)
class ProofStatus:
    """Whether a slot has to prove itself in the current period, as of the next block.

    challenge  32 bytes; what the proof's entropy is made of
    pointer    0..255, one more with each block, then 0 again: from there on it is another challenge
    """

    period: int
    is_required: bool
    will_be_required: bool  # at a later block of this period, with this challenge
    challenge: bytes
    pointer: int


class ChainClock(Protocol):
    """The time of the chain, between blocks estimated from this machine's clock."""

    def now(self) -> float:
        """Unix seconds of the chain, fraction included."""

    async def until(self, timestamp: float, deadline: float | None = None) -> None:
        """Wait until a block could have this time. Follows jumps of the chain's time.

        deadline  monotonic seconds. Raises DeadlineExceeded."""


class Market(Protocol):
    """One account at one marketplace contract. Every call may raise ChainUnreachable."""

    @property
    def account(self) -> Address: ...

    @property
    def terms(self) -> Terms: ...

    @property
    def clock(self) -> ChainClock: ...

    # ---- what is ----

    async def head(self) -> Head: ...

    async def balance(self, account: Address | None = None) -> int:
        """Tokens of an account, in the smallest unit; of this one by default."""

    async def gas_balance(self) -> int:
        """What this account can pay for transactions, in wei."""

    async def request(self, request_id: RequestId) -> StorageRequest:
        """Raises UnknownRequest."""

    async def request_state(self, request_id: RequestId) -> RequestState:
        """Raises UnknownRequest."""

    async def request_end(self, request_id: RequestId) -> int:
        """Unix seconds; the state changes at the first block *after* it."""

    async def request_expiry(self, request_id: RequestId) -> int:
        """Unix seconds; as request_end."""

    async def slot_states(self, slot_ids: Sequence[SlotId]) -> list[SlotState]: ...

    async def host(self, slot_id: SlotId) -> Address | None:
        """Who holds the slot; None when nobody does."""

    async def filled_at(
        self, request_id: RequestId, slot_index: int, from_block: int
    ) -> int | None:
        """When it was filled last, unix seconds; None when that was not since `from_block`."""

    async def current_collateral(self, slot_id: SlotId) -> int: ...

    async def active_slot(self, slot_id: SlotId) -> tuple[StorageRequest, int]:
        """The request and the index of a slot that was filled once. Raises NotFound."""

    async def my_requests(self) -> list[RequestId]: ...

    async def my_slots(self) -> list[SlotId]: ...

    async def can_reserve(self, request_id: RequestId, slot_index: int) -> bool: ...

    async def eligible_from(self, request_id: RequestId, slot_index: int) -> int:
        """Unix seconds from which this account may reserve the slot, if it stays as it is; 0: now
        or whenever it opens (no dispersal)."""

    async def proof_statuses(self, slot_ids: Sequence[SlotId]) -> list[ProofStatus]:
        """Asked in one go, as of one block. A slot that is not filled needs no proof."""

    async def submissions(self, slot_id: SlotId, from_block: int) -> list[Submission]:
        """The transactions since a block that brought a proof of the slot, the newest first."""

    async def missing_proofs(self, slot_id: SlotId) -> int:
        """Proofs that its present host has missed and that were marked."""

    async def can_mark_missing(self, slots: Sequence[tuple[SlotId, int]]) -> list[bool]:
        """For (slot, period): whether a missing proof could be marked now."""

    async def is_proof_delegate(self, host: Address, delegate: Address) -> bool:
        """Whether it may submit proofs for the slots of that host. False where the contract has no
        delegates."""

    # ---- what is done; each returns when it is in a block ----
    # Raises   Reverted           the contract refuses, with the name of its error
    #          InsufficientFunds  tokens or gas are not enough (told before anything is sent)
    #          NotMined           it is in no block in time; it may still be

    async def request_storage(self, request: StorageRequest) -> Receipt:
        """Pays max_price into the contract; approves the token first where needed."""

    async def reserve_slot(self, request_id: RequestId, slot_index: int) -> Receipt: ...

    async def fill_slot(self, request_id: RequestId, slot_index: int, proof: bytes) -> Receipt:
        """Pays the collateral, less the repair reward. `proof`: 256 bytes, 8 words."""

    async def free_slot(
        self,
        slot_id: SlotId,
        reward_recipient: Address | None = None,
        collateral_recipient: Address | None = None,
    ) -> Receipt:
        """Take payout and collateral of a slot that ended; of one that has not: give it up."""

    async def submit_proofs(self, proofs: Sequence[tuple[SlotId, bytes]]) -> Receipt:
        """One or more proofs in one transaction, all or none. More than one, or one of a slot of
        another host who made this account his delegate, needs Extensions.BATCH_PROOFS."""

    async def set_proof_delegate(self, delegate: Address, is_allowed: bool) -> Receipt:
        """Let another account submit proofs for all slots of this one, or not any more. Needs
        Extensions.BATCH_PROOFS."""

    async def mark_missing(self, slots: Sequence[tuple[SlotId, int]]) -> list[Receipt]:
        """Mark (slot, period) as missing, all in the next block: in one transaction where the
        contract can, else in one for each. Those that cannot be marked are left out."""

    async def withdraw(self, request_id: RequestId) -> Receipt:
        """Take back what is left of a request that ended."""

    async def open_repair(self, request_id: RequestId) -> Receipt:
        """Let freed slots open whose time has come. Needs Extensions.LAZY_REPAIR."""

    async def register(self) -> Receipt:
        """Become a host that the window knows. Needs Extensions.REGISTRY."""

    # ---- what happens ----

    def follow(self, after: Head | None) -> AsyncIterator[Batch]:
        """Every block after `after` (None: from the newest on), for ever, through lost connections
        and re-organisations: blocks missed meanwhile come in one batch. One batch for each new head
        at the least, so that time can be followed by it."""

    async def past_events(self, from_block: int) -> list[MarketEvent]:
        """Events from a block to the newest one, in order."""
