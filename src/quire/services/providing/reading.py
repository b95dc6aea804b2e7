"""Serves blocks of sealed replicas to readers, and shows to clients that they are here.

A read is served as long as the reader's *ahead*, what he was served and has not paid, stays within
his credit and what he has paid in advance. His credit is that of the offer, and grows with all that
he has paid. Vouchers come after the blocks; what they
pay ahead of all bills settles the ahead, as bills "get/<session>/<number>". What a reader never
got, because an answer was lost or another was quicker, he does not pay: his ahead fades with time,
so that it does not count against him for ever. None of it counts among what clients owe for
storage.

Source   point.md 4.2 (credit), 6.4
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from quire.base.errors import BlockMissing
from quire.chain.values import Address
from quire.channels.credit import credit_tokens, may_serve
from quire.formats.replica import ReplicaAnswer
from quire.formats.replica_answers import AuditAnswer, Blocks, audit_digest
from quire.formats.replica_asking import AuditRequest, GetRequest
from quire.formats.replica_codes import Code
from quire.net.transport import PeerId
from quire.point.lease import Lease, Lost
from quire.point.lease_answers import answer_audit, unless_ours
from quire.point.values import BLOCK_BYTES, LinkId
from quire.services.background import Background
from quire.services.paying.introductions import Introductions
from quire.services.providing.leases import Leases
from quire.services.providing.offering import Offering
from quire.services.providing.ports import ProviderPorts
from quire.services.providing.replica_blocks import ReplicaBlocks
from quire.services.providing.settings import ProviderLimits

FADE_SECONDS = 600.0  # in which the credit of the offer fades
SETTLE_SECONDS = 2.0
READERS_MAX = 4096
HOUR = 3600.0


@dataclass(slots=True)
class _Reader:
    """`ahead` in tokens; `at` and `billed_at` in seconds: monotonic, and of the chain."""

    session: bytes
    ahead: float = 0.0
    at: float = 0.0
    billed_at: int = 0


@dataclass(slots=True)
class _Audits:
    """How many blocks may be audited now; `at` in seconds of the chain."""

    blocks: float
    at: float


class Reading:
    """One node's."""

    def __init__(
        self,
        ports: ProviderPorts,
        leases: Leases,
        blocks: ReplicaBlocks,
        offering: Offering,
        introductions: Introductions,
        limits: ProviderLimits,
    ) -> None:
        self._ports = ports
        self._leases = leases
        self._blocks = blocks
        self._offering = offering
        self._introductions = introductions
        self._limits = limits
        self._readers: dict[Address, _Reader] = {}
        self._audits: dict[LinkId, _Audits] = {}
        self._settling = Background("bills of readers", self._keep_settling, ports.events)
        self.read_bytes = 0

    def start(self) -> None:
        self._settling.start()

    async def stop(self) -> None:
        await self._settling.stop()

    async def get(self, peer: PeerId, session: LinkId, asked: GetRequest) -> ReplicaAnswer:
        """GET."""
        lease = self._leases.with_root(asked.root)
        if lease is None:
            return ReplicaAnswer(Code.NOT_FOUND, "there is no such replica here")
        if asked.indices[-1] >= lease.order.blocks:
            return ReplicaAnswer(Code.NOT_FOUND, f"it has {lease.order.blocks} blocks")
        size = BLOCK_BYTES * len(asked.indices)
        cost = self._offering.settings.price_get_byte * size
        if cost:
            refusal = await self._charge(peer, session, asked, cost)
            if refusal is not None:
                return refusal
        try:
            runs = await self._blocks.read(lease, asked.indices)
        except BlockMissing as error:
            return await self._lost(lease, asked.client, cost, error)
        self.read_bytes += size
        return ReplicaAnswer(Code.OK, "", Blocks(runs))

    async def audit(self, peer: PeerId, link_id: LinkId, asked: AuditRequest) -> ReplicaAnswer:
        """AUDIT: free, but only as often as audits need."""
        lease = self._leases.find(link_id)
        refusal = unless_ours(lease, peer)
        if lease is None or refusal is not None:
            text = "no such link is known here" if refusal is None else refusal.text
            code = Code.UNKNOWN_LINK if refusal is None else refusal.code
            return ReplicaAnswer(code, text)
        answer = answer_audit(lease, asked.root)
        if answer.code is not Code.OK:
            return ReplicaAnswer(answer.code, answer.text)
        if asked.indices[-1] >= lease.order.blocks:
            return ReplicaAnswer(Code.NOT_FOUND, f"it has {lease.order.blocks} blocks")
        wait = self._until_audit(link_id, len(asked.indices))
        if wait:
            text = f"at most {self._limits.audit_blocks} blocks of a replica are audited an hour"
            return ReplicaAnswer(Code.BUSY, text, retry_after_ms=round(wait * 1000))
        try:
            runs = await self._blocks.read(lease, asked.indices)
        except BlockMissing as error:
            return await self._lost(lease, b"", 0, error)
        loop = asyncio.get_running_loop()
        data = [run.data for run in runs]
        digest = await loop.run_in_executor(None, audit_digest, asked.nonce, data)
        return ReplicaAnswer(Code.OK, "", AuditAnswer(runs, digest))

    # ---- inside ----

    async def _charge(
        self, peer: PeerId, session: bytes, asked: GetRequest, cost: int
    ) -> ReplicaAnswer | None:
        """Put a read on the reader's ahead; why it is not served."""
        client, income = asked.client, self._ports.income
        if not client or not await self._introductions.holds(client, peer, asked.introduction):
            text = "reading is paid here: say who pays, with his introduction"
            return ReplicaAnswer(Code.PAYMENT_REQUIRED, text)
        reader = self._reader(client, session)
        is_new = reader.billed_at == 0 and reader.ahead == 0
        if is_new and not await income.is_funded(client, cost):
            text = f"the payment channel has no room for the {cost} tokens of this read"
            return ReplicaAnswer(Code.PAYMENT_REQUIRED, text)
        in_advance = max(0, -income.due(client))
        settings = self._offering.settings
        credit = credit_tokens(
            settings.credit_bytes, settings.price_get_byte, income.received(client)
        )
        # One read always fits: who asks for more than the credit at once pays right after it.
        if reader.ahead and not may_serve(int(reader.ahead) - in_advance, cost, credit):
            ahead = int(reader.ahead)
            text = f"{ahead} tokens of what was read are not paid; the credit is {credit}"
            return ReplicaAnswer(Code.PAYMENT_REQUIRED, text)
        reader.ahead += cost
        return None

    def _reader(self, client: Address, session: bytes) -> _Reader:
        """His account, faded to now."""
        now = self._ports.clock.monotonic()
        reader = self._readers.pop(client, None) or _Reader(session, at=now)
        self._readers[client] = reader
        reader.session = session
        settings = self._offering.settings
        credit = credit_tokens(settings.credit_bytes, settings.price_get_byte)
        reader.ahead = max(0.0, reader.ahead - credit * (now - reader.at) / FADE_SECONDS)
        reader.at = now
        if len(self._readers) > READERS_MAX:
            del self._readers[next(iter(self._readers))]
        return reader

    async def _keep_settling(self) -> None:
        while True:
            await asyncio.sleep(SETTLE_SECONDS)
            for client in list(self._readers):
                await self.settle(client)

    async def settle(self, client: Address) -> None:
        """Bill what a reader has paid for."""
        reader, income = self._readers.get(client), self._ports.income
        if reader is None:
            return
        amount = min(int(reader.ahead), -income.due(client))
        number = int(self._ports.hub.clock.now())
        if amount <= 0 or number <= reader.billed_at:
            return
        reader.billed_at = number
        reader.ahead -= amount
        await income.bill(client, f"get/{reader.session.hex()}/{number}", amount)

    async def _lost(
        self, lease: Lease, client: Address, cost: int, error: BlockMissing
    ) -> ReplicaAnswer:
        """A replica that lost a block is given up: its client has to make another."""
        if client in self._readers:
            self._readers[client].ahead = max(0.0, self._readers[client].ahead - cost)
        await self._leases.post(lease, Lost(error.message))
        return ReplicaAnswer(Code.LOST, "blocks of it cannot be read any more")

    def _until_audit(self, link_id: LinkId, blocks: int) -> float:
        """Seconds until so many blocks may be audited; 0: now, and they are."""
        now, most = self._ports.hub.clock.now(), float(self._limits.audit_blocks)
        audits = self._audits.pop(link_id, None) or _Audits(most, now)
        audits.blocks = min(most, audits.blocks + most * max(0.0, now - audits.at) / HOUR)
        audits.at = now
        self._audits[link_id] = audits
        if len(self._audits) > READERS_MAX:
            del self._audits[next(iter(self._audits))]
        if audits.blocks >= blocks:
            audits.blocks -= blocks
            return 0.0
        return max(1.0, (min(most, blocks) - audits.blocks) / most * HOUR)
