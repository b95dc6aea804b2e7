"""What the effects of sales stand on, and how this host wants to sell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from quire.chain.values import Address, SlotId, StorageRequest
from quire.formats.cid import Cid
from quire.market.sale import Sale


@dataclass(frozen=True, slots=True)
class SaleSettings:
    """How this host sells.

    reward_recipient  who gets payouts; None: the account itself, as its collateral always
    slots_of_request  that this host takes at most of one request; 0: as many as it gets
    rebuild_after_seconds  without a byte of a slot that lost its host, until it is computed
    """

    reward_recipient: Address | None = None
    slots_of_request: int = 0
    rebuild_after_seconds: float = 20.0


class Keeping(Protocol):
    """The data of slots: services.slot_keeping."""

    async def get(
        self, sale: Sale, request: StorageRequest, on_bytes: Callable[[int], None]
    ) -> None: ...

    async def extend(self, sale: Sale) -> None: ...

    async def drop(self, sale: Sale, others: Sequence[Sale]) -> None: ...


class ProofSource(Protocol):
    """First proofs: services.first_proof."""

    @property
    def seconds(self) -> float | None: ...

    async def make(
        self, slot_id: SlotId, cid: Cid, slot_index: int, *, is_again: bool
    ) -> tuple[bytes, int]: ...


class Watcher(Protocol):
    """Proves slots period after period: services.period_prover."""

    def watch(self, slot_id: SlotId, cid: Cid, slot_index: int, request_end: int) -> None: ...

    def unwatch(self, slot_id: SlotId) -> None: ...

    def state(self, slot_id: SlotId) -> dict[str, object]:
        """As data for the API. Raises NotFound."""
