"""Whom a provider takes replicas from, and how many at a time."""

from __future__ import annotations

from quire.chain.port import ChainClock
from quire.channels.port import Income
from quire.formats.replica import ReplicaAnswer
from quire.formats.replica_asking import StoreRequest
from quire.formats.replica_codes import Code, LeaseState
from quire.net.transport import PeerId
from quire.point.billing import bill_key
from quire.point.lease import SIGNED, Lease
from quire.point.values import LinkId
from quire.services.providing.introductions import Introductions
from quire.services.providing.leases import Leases, first_bill
from quire.services.providing.settings import ProviderLimits

BUSY_MS = 10_000


class Admission:
    """One node's."""

    def __init__(
        self,
        leases: Leases,
        income: Income,
        introductions: Introductions,
        chain: ChainClock,
        limits: ProviderLimits,
    ) -> None:
        self._leases = leases
        self._income = income
        self._introductions = introductions
        self._chain = chain
        self._limits = limits

    async def refusal(
        self, peer: PeerId, link_id: LinkId, asked: StoreRequest
    ) -> ReplicaAnswer | None:
        """Why a new replica of this client is not taken. Raises ChainUnreachable."""
        if not await self._introductions.holds(asked.client, peer, asked.introduction):
            text = "the introduction of this peer is not signed by the account that is to be billed"
            return ReplicaAnswer(Code.REFUSED, text)
        # A link that was forgotten: its bills are in the account, and would not count again.
        if self._income.is_billed(asked.client, bill_key(link_id, 0)):
            return ReplicaAnswer(Code.EXPIRED, "this link had its term; take another id")
        limits = self._limits
        opened = [
            lease
            for lease in self._leases
            if lease.at not in (*SIGNED, LeaseState.DELETED)
            and (lease.order.client == asked.client or lease.order.peer == peer)
        ]
        if len(opened) >= limits.open_leases:
            text = f"{len(opened)} of your replicas are on their way, which is the limit"
            return ReplicaAnswer(Code.BUSY, text, retry_after_ms=BUSY_MS)
        under_way = sum(lease.order.sealed_bytes for lease in opened)
        if under_way + asked.sealed_bytes > limits.open_bytes:
            text = f"replicas on their way may have {limits.open_bytes} bytes together"
            return ReplicaAnswer(Code.BUSY, text, retry_after_ms=BUSY_MS)
        return None

    async def is_funded(self, lease: Lease) -> bool:
        """Whether the channel has room for its first bill, beside those of others under way.
        Raises ChainUnreachable."""
        client = lease.order.client
        amount = self._leases.promised(client) + first_bill(lease, self._chain.now())
        return amount == 0 or await self._income.is_funded(client, amount)
