"""A node that keeps sealed replicas for others, for pay. Begin reading here.

    /quire/replica/1.0.0 ─► what is asked ─► taking.py   store, map, data, sign, renew, release
                                             reading.py  get, audit
                                             offering.py offer
                                             pointers    replica maps and pointers
    leases.py   one machine for each replica: billing, expiry, deletion

It is found in the DHT under two of sixteen keys (point/shards.py).
Source   point.md 6.4, 6.5; docs/reference/replica-protocol.md
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from quire.base.errors import BadEncoding, ChainError, DiskFull, QuireError, QuotaExceeded
from quire.formats.cid import Cid
from quire.formats.peer_id import decode_peer_id
from quire.formats.replica import MAX_MESSAGE_BYTES, ReplicaAnswer, ReplicaRequest, decode_request
from quire.formats.replica_asking import (
    AuditRequest,
    GetRequest,
    MapGet,
    MapPut,
    OfferRequest,
    ReleaseRequest,
    RenewRequest,
    SegmentData,
    SegmentMap,
    SignRequest,
    StatusRequest,
    StoreRequest,
)
from quire.formats.replica_codes import Code
from quire.formats.signed_offer import OfferAnswer
from quire.formats.varint import Buffer
from quire.net.answering import Answering, serve_requests
from quire.net.transport import PeerId, Transport
from quire.point.shards import shard_cid, shards_of
from quire.services.paying.introductions import Introductions
from quire.services.paying.payer import place_of
from quire.services.pointer_answers import answer_pointers
from quire.services.providing.admission import Admission
from quire.services.providing.leases import Leases
from quire.services.providing.offering import Offering
from quire.services.providing.ports import ProviderPorts
from quire.services.providing.reading import Reading
from quire.services.providing.replica_blocks import ReplicaBlocks
from quire.services.providing.room import Room
from quire.services.providing.settings import ProviderLimits, ProviderSettings
from quire.services.providing.taking import Taking
from quire.services.refusals import Refusals

RETRY_MS = 1000


class Provider:
    """`announce` publishes a key in the DHT."""

    def __init__(
        self,
        ports: ProviderPorts,
        settings: ProviderSettings,
        announce: Callable[[Cid], None],
        limits: ProviderLimits | None = None,
    ) -> None:
        limits = limits or ProviderLimits()
        self._ports = ports
        self._announce = announce
        self.events = ports.events
        self.income = ports.income
        self.answered: Counter[Code] = Counter()
        self._refusals = Refusals("provider.refused", ports.events, ports.clock)
        self._is_ready = False  # before all leases are known, links would be said to be unknown
        self.room = Room(ports.store, settings.space_bytes)
        self.offering = Offering(
            settings, ports.hub, ports.sign, ports.identity, self.room.free_bytes
        )
        blocks = ReplicaBlocks(ports.store, self.room, place_of(ports.hub))
        introductions = Introductions(ports.income, ports.clock)
        self.leases = Leases(ports, blocks, self.room)
        self.reading = Reading(ports, self.leases, blocks, self.offering, introductions, limits)
        admission = Admission(
            self.leases, self.room, ports.income, introductions, ports.hub.clock, limits
        )
        self._taking = Taking(ports, self.leases, blocks, self.room, self.offering, admission)

    async def start(self) -> None:
        """Go on with all leases, and be found. Raises StoreCorrupt."""
        self._ports.store.withhold_replicas(self.offering.settings.price_get_byte > 0)
        await self.leases.start()
        self._is_ready = True
        self.reading.start()
        for shard in shards_of(decode_peer_id(self._ports.identity.peer_id)):
            self._announce(shard_cid(shard))

    async def stop(self) -> None:
        """What is under way goes on with the next start."""
        self._is_ready = False
        await self.reading.stop()
        await self.leases.stop()

    async def answer(self, peer: PeerId, payload: memoryview) -> Sequence[Buffer]:
        """What is told to who asks. Every refusal is an answer; raises nothing foreseen."""
        if not self._is_ready:
            text = "this node is starting, or stopping"
            return ReplicaAnswer(Code.BUSY, text, retry_after_ms=RETRY_MS).segments()
        try:
            request = decode_request(payload)
        except BadEncoding as error:
            return ReplicaAnswer(Code.REFUSED, error.message).segments()
        try:
            answer = await self._answer(peer, request)
        except ChainError as error:
            text = f"the chain does not answer: {error.message}"
            answer = ReplicaAnswer(Code.BUSY, text, retry_after_ms=RETRY_MS)
        except (QuotaExceeded, DiskFull) as error:
            answer = ReplicaAnswer(Code.NO_SPACE, error.message)
        except QuireError as error:
            code = Code.BUSY if error.retry else Code.INTERNAL
            answer = ReplicaAnswer(code, error.message, retry_after_ms=RETRY_MS * error.retry)
        self.answered[answer.code] += 1
        self._tell(request, answer)
        return answer.segments()

    async def _answer(self, peer: PeerId, request: ReplicaRequest) -> ReplicaAnswer:
        link_id, taking = request.link_id, self._taking
        match request.body:
            case SegmentData() as asked:
                return await taking.data(peer, link_id, asked)
            case GetRequest() as asked:
                return await self.reading.get(peer, link_id, asked)
            case OfferRequest():
                signed = self.offering.current()
                body = OfferAnswer(signed.data, signed.sig_payee, signed.sig_peer)
                return ReplicaAnswer(Code.OK, "", body)
            case StoreRequest() as asked:
                return await taking.store(peer, link_id, asked)
            case SegmentMap() as asked:
                return await taking.segment_map(peer, link_id, asked)
            case SignRequest() as asked:
                return await taking.sign(peer, link_id, asked)
            case StatusRequest() as asked:
                return await taking.status(peer, link_id, asked)
            case AuditRequest() as asked:
                return await self.reading.audit(peer, link_id, asked)
            case RenewRequest() as asked:
                return await taking.renew(peer, link_id, asked)
            case ReleaseRequest() as asked:
                return await taking.release(peer, link_id, asked)
            case (MapPut() | MapGet()) as asked:
                return await answer_pointers(self._ports.pointers, peer, asked)

    def _tell(self, request: ReplicaRequest, answer: ReplicaAnswer) -> None:
        """What was refused, for who asks why."""
        if answer.code not in (Code.OK, Code.ALREADY_STORED):
            what = type(request.body).__name__
            self._refusals.tell(request.link_id.hex(), what, answer.code.name, answer.text)


def serve_replicas(transport: Transport, protocol: str, provider: Provider) -> Answering:
    """To be called before the transport starts."""
    return serve_requests(
        transport,
        protocol,
        provider.answer,
        provider.events,
        max_message_bytes=MAX_MESSAGE_BYTES,
    )
