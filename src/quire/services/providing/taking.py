"""Takes replicas from clients: what is answered to store, map, data, sign, status, renew, release.

    a question ─► point/lease_answers.py (the code) ─► the store, the journal ─► the answer

Whatever an OK says is durable before it is sent. Questions about one link are taken one at a time,
blocks excepted; each may come again and gets the same answer.

Source   point.md 6.4, 6.5; docs/reference/replica-protocol.md
"""

from __future__ import annotations

from quire.base.errors import BlockMissing, DiskFull, InputError, IntegrityError, QuotaExceeded
from quire.formats.replica import ReplicaAnswer
from quire.formats.replica_answers import Have, LinkState, ReceiptAnswer, Reserved
from quire.formats.replica_asking import (
    ReleaseRequest,
    RenewRequest,
    SegmentData,
    SegmentMap,
    SignRequest,
    StatusRequest,
    StoreRequest,
)
from quire.formats.replica_codes import Code, LeaseState
from quire.formats.replica_parts import bitmap_of
from quire.formats.varint import Buffer
from quire.net.transport import PeerId
from quire.point.billing import due_bill
from quire.point.lease import RECEIVED, SIGNED, Lease, LeaseOrder, Lost, Progress
from quire.point.lease_answers import (
    Answer,
    answer_data,
    answer_map,
    answer_release,
    answer_renew,
    answer_sign,
    answer_store,
    unless_ours,
)
from quire.point.lease_machine import RESERVED_SECONDS
from quire.point.receipt import encode_terms, sign_receipt
from quire.point.values import LinkId
from quire.services.providing.admission import Admission
from quire.services.providing.leases import Leases
from quire.services.providing.offering import Offering
from quire.services.providing.ports import ProviderPorts
from quire.services.providing.replica_blocks import ReplicaBlocks
from quire.services.providing.room import Room
from quire.services.turns import Turns

VERIFIED_KEPT, NOTED_KEPT = 1024, 4096
NOTE_SECONDS = 10.0  # between two notes of how much of a replica has come


class Taking:
    """One node's. `peer` is who asks."""

    def __init__(
        self,
        ports: ProviderPorts,
        leases: Leases,
        blocks: ReplicaBlocks,
        room: Room,
        offering: Offering,
        admission: Admission,
    ) -> None:
        self._ports = ports
        self._leases = leases
        self._blocks = blocks
        self._room = room
        self._offering = offering
        self._admission = admission
        self._turns = Turns()
        self._noted: dict[LinkId, float] = {}  # when its progress was last written down
        self._verified: dict[LinkId, None] = {}  # read whole since the start

    async def store(self, peer: PeerId, link_id: LinkId, asked: StoreRequest) -> ReplicaAnswer:
        """STORE_CHUNK_REQUEST."""
        async with self._turns.of(link_id):
            lease = self._leases.find(link_id)
            offer = self._offering.find(asked.offer_hash)
            if offer is None and lease is not None and lease.order.offer.digest == asked.offer_hash:
                offer = lease.order.offer
            if offer is None:
                return ReplicaAnswer(Code.PRICE, "that offer does not hold any more; ask for one")
            order = LeaseOrder(
                link_id,
                peer,
                asked.client,
                asked.sealed_bytes,
                asked.blocks,
                asked.expires_at,
                offer,
            )
            if lease is None or lease.is_closed:
                refusal = await self._admission.refusal(peer, order, asked.introduction)
                if refusal is not None:
                    return refusal
            # From here to the room being held nothing waits, so that no room is given twice.
            answer = answer_store(lease, order, self._now(), self._room.free_bytes())
            if answer.begin is not None:
                await self._leases.begin(answer.begin)
            if answer.code is not Code.OK:
                return _plain(answer)
            until = self._now() + int(RESERVED_SECONDS)
            return ReplicaAnswer(Code.OK, "", Reserved(min(until, asked.expires_at)))

    async def segment_map(self, peer: PeerId, link_id: LinkId, asked: SegmentMap) -> ReplicaAnswer:
        """STORE_CHUNK_SEGMENTS."""
        async with self._turns.of(link_id):
            lease = self._leases.find(link_id)
            refusal = unless_ours(lease, peer)
            if lease is None or refusal is not None:
                return _plain(refusal)
            is_funded = bool(lease.root) or await self._admission.is_funded(lease)
            count = len(asked.leaves) // 32
            answer = answer_map(lease, asked.root, asked.sealed_bytes, count, is_funded=is_funded)
            if answer.code is Code.ALREADY_STORED and not await self._is_whole(lease):
                return ReplicaAnswer(Code.LOST, "blocks of it cannot be read any more")
            if answer.code is not Code.OK:
                return _plain(answer)
            if answer.event is not None:
                try:
                    await self._blocks.register(lease, asked.root, asked.leaves)
                except InputError as error:
                    return ReplicaAnswer(Code.BAD_MAP, error.message)
                lease = await self._leases.post(lease, answer.event)
            return ReplicaAnswer(Code.OK, "", self._have(lease))

    async def data(self, peer: PeerId, link_id: LinkId, asked: SegmentData) -> ReplicaAnswer:
        """STORE_CHUNK_DATA. Several of one link may be under way."""
        lease = self._leases.find(link_id)
        refusal = unless_ours(lease, peer)
        if lease is None or refusal is not None:
            return _plain(refusal)
        view = memoryview(asked.data)
        answer = answer_data(lease, asked.index, asked.count)
        if answer.code is not Code.OK:
            return _plain(answer)
        try:
            is_whole = await self._blocks.put(lease, asked.index, view)
        except IntegrityError as error:
            index = int(str(error.facts.get("leaf", asked.index)))
            text = f"block {index} is not the one of the map; none of this message was kept"
            return ReplicaAnswer(Code.BAD_HASH, text, index=index)
        except (QuotaExceeded, DiskFull) as error:
            return ReplicaAnswer(Code.NO_SPACE, error.message)
        except BlockMissing:
            return ReplicaAnswer(Code.NOT_FOUND, "no map was sent for this link")
        if lease.at in SIGNED:
            return ReplicaAnswer(Code.OK)
        now = self._ports.clock.monotonic()
        if is_whole or now - self._noted.setdefault(link_id, now) >= NOTE_SECONDS:
            self._noted[link_id] = now
            await self._note(lease)
        if is_whole or len(self._noted) > NOTED_KEPT:
            self._noted.pop(link_id if is_whole else next(iter(self._noted)), None)
        return ReplicaAnswer(Code.OK)

    async def sign(self, peer: PeerId, link_id: LinkId, asked: SignRequest) -> ReplicaAnswer:
        """STORE_CHUNK_SIGNATURE_REQUEST."""
        lease = self._leases.find(link_id)
        if lease is not None and lease.root and lease.at not in RECEIVED:
            await self._note(lease)
        async with self._turns.of(link_id):
            lease = self._leases.find(link_id)
            refusal = unless_ours(lease, peer)
            if lease is None or refusal is not None:
                return _plain(refusal)
            answer = answer_sign(lease, asked.root, self._now())
            if answer.code is Code.INCOMPLETE:
                return ReplicaAnswer(Code.INCOMPLETE, answer.text, self._have(lease))
            return await self._agree(lease, answer)

    async def status(self, peer: PeerId, link_id: LinkId, _asked: StatusRequest) -> ReplicaAnswer:
        """How a link stands."""
        lease = self._leases.find(link_id)
        refusal = unless_ours(lease, peer)
        if lease is None or refusal is not None:
            return _plain(refusal)
        paid = self._ports.income.received(lease.order.client)
        body = LinkState(lease.at, self._have(lease), lease.root, lease.expires_at, paid)
        return ReplicaAnswer(Code.OK, "", body)

    async def renew(self, peer: PeerId, link_id: LinkId, asked: RenewRequest) -> ReplicaAnswer:
        """RENEW."""
        async with self._turns.of(link_id):
            lease = self._leases.find(link_id)
            refusal = unless_ours(lease, peer)
            if lease is None or refusal is not None:
                return _plain(refusal)
            offer = self._offering.find(asked.offer_hash)
            answer = answer_renew(lease, asked.expires_at, offer, self._now())
            return await self._agree(lease, answer)

    async def release(self, peer: PeerId, link_id: LinkId, _asked: ReleaseRequest) -> ReplicaAnswer:
        """RELEASE."""
        async with self._turns.of(link_id):
            lease = self._leases.find(link_id)
            refusal = unless_ours(lease, peer)
            if lease is None or (refusal is not None and lease.at is not LeaseState.DELETED):
                return _plain(refusal)
            answer = answer_release(lease)
            if answer.event is not None:
                await self._leases.post(lease, answer.event)
                if lease.at is not LeaseState.DELETED:
                    await self._leases.forgive(lease)
            return _plain(answer)

    # ---- inside ----

    def _now(self) -> int:
        return int(self._ports.hub.clock.now())

    async def _is_whole(self, lease: Lease) -> bool:
        """Whether every block can be read; a replica that has lost one is given up."""
        link_id = lease.order.link_id
        if link_id in self._verified:
            return True
        if not await self._blocks.verify(lease):
            await self._leases.post(lease, Lost("blocks of it cannot be read any more"))
            return False
        self._verified[link_id] = None
        if len(self._verified) > VERIFIED_KEPT:
            del self._verified[next(iter(self._verified))]
        return True

    async def _note(self, lease: Lease) -> None:
        """Let the machine know what is durable now."""
        async with self._turns.of(lease.order.link_id):
            await self._leases.post(lease, Progress(await self._blocks.settle(lease)))

    async def _agree(self, lease: Lease, answer: Answer) -> ReplicaAnswer:
        """The receipt of what is agreed, durable and billed before that; else the refusal."""
        if answer.code is not Code.OK:
            return _plain(answer)
        if answer.event is not None:
            lease = await self._leases.post(lease, answer.event)
            await self._charge(lease)
        return self._receipt(lease)

    async def _charge(self, lease: Lease) -> None:
        """The bill that is due, before the client hears of it and pays."""
        bill = due_bill(lease.terms, lease.look_at)
        if bill is not None:
            await self._leases.charge(lease, bill.number, bill.amount)

    def _have(self, lease: Lease) -> Have:
        have, count = self._blocks.have(lease), lease.order.blocks
        return Have(bitmap_of(have, count), have.covers(0, count))

    def _receipt(self, lease: Lease) -> ReplicaAnswer:
        """Always the same for the same terms."""
        assert lease.receipt is not None
        receipt = sign_receipt(self._ports.sign, self._ports.hub.domain, lease.receipt)
        typed: Buffer = encode_terms(lease.receipt)
        return ReplicaAnswer(Code.OK, "", ReceiptAnswer(bytes(typed), receipt.signature))


def _plain(answer: Answer | None) -> ReplicaAnswer:
    if answer is None:  # there is no lease, and no reason why not
        return ReplicaAnswer(Code.UNKNOWN_LINK, "no such link is known here")
    return ReplicaAnswer(answer.code, answer.text)
