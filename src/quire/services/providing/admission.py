"""Whom a provider takes replicas from, and how many at a time."""

from __future__ import annotations

from quire.chain.port import ChainClock
from quire.chain.values import Address
from quire.channels.port import Income
from quire.formats.replica import ReplicaAnswer
from quire.formats.replica_codes import Code, LeaseState
from quire.net.transport import PeerId
from quire.point.billing import bill_key
from quire.point.lease import SIGNED, Lease, LeaseOrder
from quire.services.paying.introductions import Introductions
from quire.services.providing.leases import Leases, first_bill
from quire.services.providing.room import Room
from quire.services.providing.settings import ProviderLimits

BUSY_MS = 10_000


class Admission:
    """One node's."""

    def __init__(
        self,
        leases: Leases,
        room: Room,
        income: Income,
        introductions: Introductions,
        chain: ChainClock,
        limits: ProviderLimits,
    ) -> None:
        self._leases = leases
        self._room = room
        self._income = income
        self._introductions = introductions
        self._chain = chain
        self._limits = limits

    async def refusal(
        self, peer: PeerId, order: LeaseOrder, introduction: bytes
    ) -> ReplicaAnswer | None:
        """Why a new replica of this client is not taken. Raises ChainUnreachable."""
        if not await self._introductions.holds(order.client, peer, introduction):
            text = "the introduction of this peer is not signed by the account that is to be billed"
            return ReplicaAnswer(Code.REFUSED, text)
        if self._is_crowded(order.client) and not await self.is_funded(Lease(order, order.offer)):
            text = "others keep much room here without paying; fund the payment channel first"
            return ReplicaAnswer(Code.BUSY, text, retry_after_ms=BUSY_MS)
        # Nothing waits from here on, so that what is counted stays true.
        # A link that was forgotten: its bills are in the account, and would not count again.
        if self._income.is_billed(order.client, bill_key(order.link_id, 0)):
            return ReplicaAnswer(Code.EXPIRED, "this link had its term; take another id")
        limits = self._limits
        opened = [
            lease
            for lease in self._leases
            if lease.at not in (*SIGNED, LeaseState.DELETED)
            and (lease.order.client == order.client or lease.order.peer == peer)
        ]
        if len(opened) >= limits.open_leases:
            text = f"{len(opened)} of your replicas are on their way, which is the limit"
            return ReplicaAnswer(Code.BUSY, text, retry_after_ms=BUSY_MS)
        under_way = sum(lease.order.sealed_bytes for lease in opened)
        if under_way + order.sealed_bytes > limits.open_bytes:
            text = f"replicas on their way may have {limits.open_bytes} bytes together"
            return ReplicaAnswer(Code.BUSY, text, retry_after_ms=BUSY_MS)
        return None

    def _is_crowded(self, client: Address) -> bool:
        """Whether others keep more room that nobody pays for yet than is left: accounts and peers
        cost nothing, so without this a few could keep all of it for ever."""
        kept = sum(
            lease.order.sealed_bytes
            for lease in self._leases
            if lease.at is LeaseState.RESERVED and lease.order.client != client
        )
        return kept > self._room.free_bytes()

    async def is_funded(self, lease: Lease) -> bool:
        """Whether the channel has room for its first bill, beside those of others under way.
        Raises ChainUnreachable."""
        client = lease.order.client
        amount = self._leases.promised(client) + first_bill(lease, self._chain.now())
        return amount == 0 or await self._income.is_funded(client, amount)
