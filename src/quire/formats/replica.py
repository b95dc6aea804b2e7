"""Messages of `/quire/replica/1.0.0`: sealed replicas at paid providers.

    client    link id ‖ one of: offer, store, map, data, sign, status, get, audit, renew, release,
              map put, map get                                            (replica_asking.py)
    provider  code ‖ words ‖ one of: offer, reserved, have, receipt, link state, blocks, audit,
              map                                                         (replica_answers.py)

What matches them is the number in the framing (`net/request_frames.py`). Every request may be
repeated: the link id says what it is about.
Source   point.md 6.4; docs/reference/replica-protocol.md
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.errors import BadEncoding
from quire.formats.answer_head import AnswerHead, read_head
from quire.formats.one_of import body_of, kinds, with_body
from quire.formats.protobuf import Fields, bytes_field, uint_field
from quire.formats.replica_answers import (
    Answering,
    AuditAnswer,
    Blocks,
    Have,
    LinkState,
    ReceiptAnswer,
    Reserved,
)
from quire.formats.replica_asking import (
    Asking,
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
from quire.formats.replica_blob import MapBlob
from quire.formats.replica_codes import Code
from quire.formats.replica_parts import MAX_BLOCKS
from quire.formats.signed_offer import OfferAnswer
from quire.formats.varint import Buffer

MAX_MESSAGE_BYTES = (2 << 20) + (64 << 10)  # an answer of 32 blocks with their proofs
MAX_REQUEST_BYTES = (1 << 20) + (4 << 10)
LINK_ID_BYTES = 16
_MAX_FIELDS = MAX_BLOCKS + 16

_LINK_ID, _INDEX = 2, 5


@dataclass(frozen=True, slots=True)
class ReplicaRequest:
    """`link_id`: 16 bytes; of a GetRequest the reader's session, for who has no link zeros."""

    link_id: bytes
    body: Asking

    def segments(self) -> tuple[Buffer, ...]:
        return with_body(bytes_field(_LINK_ID, self.link_id), self.body)


@dataclass(frozen=True, slots=True)
class ReplicaAnswer:
    """`text` is for people. `retry_after_ms` with BUSY; `index`, the first bad block, with
    BAD_HASH."""

    code: Code
    text: str = ""
    body: Answering | None = None
    retry_after_ms: int = 0
    index: int = 0

    def segments(self) -> tuple[Buffer, ...]:
        head = AnswerHead(self.code, self.text, self.retry_after_ms).encode()
        if self.index:
            head += uint_field(_INDEX, self.index)
        return (head,) if self.body is None else with_body(head, self.body)


def decode_request(data: Buffer) -> ReplicaRequest:
    """The request of its bytes; blocks in it are views. Raises BadEncoding."""
    fields = Fields(data, max_bytes=MAX_REQUEST_BYTES)
    link_id = fields.blob(_LINK_ID)
    if len(link_id) != LINK_ID_BYTES:
        raise BadEncoding(f"a link id has {LINK_ID_BYTES} bytes, not {len(link_id)}")
    body = body_of(fields, _ASKING, max_bytes=MAX_REQUEST_BYTES, max_fields=_MAX_FIELDS)
    if body is None:
        raise BadEncoding("a request asks nothing")
    return ReplicaRequest(bytes(link_id), body)


def decode_answer(data: Buffer) -> ReplicaAnswer:
    """The answer of its bytes; blocks in it are views. Raises BadEncoding."""
    fields = Fields(data, max_bytes=MAX_MESSAGE_BYTES)
    head = read_head(fields, Code)
    body = body_of(fields, _ANSWERING, max_bytes=MAX_MESSAGE_BYTES)
    index = fields.uint(_INDEX, bits=32)
    return ReplicaAnswer(head.code, head.text, body, head.retry_after_ms, index)


_ASKING: dict[int, type[Asking]] = kinds(
    (
        OfferRequest,
        StoreRequest,
        SegmentMap,
        SegmentData,
        SignRequest,
        StatusRequest,
        GetRequest,
        AuditRequest,
        RenewRequest,
        ReleaseRequest,
        MapPut,
        MapGet,
    )
)
_ANSWERING: dict[int, type[Answering]] = kinds(
    (
        OfferAnswer,
        Reserved,
        Have,
        ReceiptAnswer,
        LinkState,
        Blocks,
        AuditAnswer,
        MapBlob,
    )
)
