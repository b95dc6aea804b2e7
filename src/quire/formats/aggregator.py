"""Messages of `/quire/aggregator/1.0.0`: coding, proving and submitting for others.

    customer    job id ‖ one of: quote, accept (encode, prove, submit), push, seal, status, release,
                dispute, cancel                                          (aggregator_asking.py)
    aggregator  code ‖ words ‖ one of: offer, progress, receipt, proof, promise, submitted
                                                                         (aggregator_answers.py)

What matches them is the number in the framing (`net/request_frames.py`). Every request may be
repeated: the job id says what it is about.
Source   market.md 6.4; docs/reference/aggregator-protocol.md
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.errors import BadEncoding
from quire.formats.aggregator_answers import (
    Answering,
    EncodedAnswer,
    Progress,
    PromiseAnswer,
    ProofAnswer,
    SubmittedAnswer,
)
from quire.formats.aggregator_asking import (
    AcceptEncode,
    AcceptProve,
    AcceptSubmit,
    Asking,
    Cancel,
    Dispute,
    PushBlocks,
    QuoteRequest,
    Release,
    Seal,
    StatusRequest,
)
from quire.formats.aggregator_codes import Code
from quire.formats.answer_head import AnswerHead, read_head
from quire.formats.one_of import body_of, kinds, with_body
from quire.formats.protobuf import Fields, bytes_field
from quire.formats.signed_offer import OfferAnswer
from quire.formats.varint import Buffer

MAX_MESSAGE_BYTES = (1 << 20) + (16 << 10)
JOB_ID_BYTES = 16

_JOB_ID = 2


@dataclass(frozen=True, slots=True)
class AggregatorRequest:
    """`job_id`: 16 bytes, made by the customer; of a QuoteRequest zeros."""

    job_id: bytes
    body: Asking

    def segments(self) -> tuple[Buffer, ...]:
        return with_body(bytes_field(_JOB_ID, self.job_id), self.body)


@dataclass(frozen=True, slots=True)
class AggregatorAnswer:
    """`text` is for people. `retry_after_ms` with BUSY."""

    code: Code
    text: str = ""
    body: Answering | None = None
    retry_after_ms: int = 0

    def segments(self) -> tuple[Buffer, ...]:
        head = AnswerHead(self.code, self.text, self.retry_after_ms).encode()
        return (head,) if self.body is None else with_body(head, self.body)


def decode_request(data: Buffer) -> AggregatorRequest:
    """The request of its bytes; pushed blocks are views. Raises BadEncoding."""
    fields = Fields(data, max_bytes=MAX_MESSAGE_BYTES)
    job_id = fields.blob(_JOB_ID)
    if len(job_id) != JOB_ID_BYTES:
        raise BadEncoding(f"a job id has {JOB_ID_BYTES} bytes, not {len(job_id)}")
    body = body_of(fields, _ASKING, max_bytes=MAX_MESSAGE_BYTES)
    if body is None:
        raise BadEncoding("a request asks nothing")
    return AggregatorRequest(bytes(job_id), body)


def decode_answer(data: Buffer) -> AggregatorAnswer:
    """The answer of its bytes. Raises BadEncoding."""
    fields = Fields(data, max_bytes=MAX_MESSAGE_BYTES)
    head = read_head(fields, Code)
    body = body_of(fields, _ANSWERING, max_bytes=MAX_MESSAGE_BYTES)
    return AggregatorAnswer(head.code, head.text, body, head.retry_after_ms)


_ASKING: dict[int, type[Asking]] = kinds(
    (
        QuoteRequest,
        AcceptEncode,
        PushBlocks,
        Seal,
        AcceptProve,
        AcceptSubmit,
        StatusRequest,
        Release,
        Dispute,
        Cancel,
    )
)
_ANSWERING: dict[int, type[Answering]] = kinds(
    (OfferAnswer, Progress, EncodedAnswer, ProofAnswer, PromiseAnswer, SubmittedAnswer)
)
