"""A node that codes, proves and submits for others, for pay. Begin reading here.

    /quire/aggregator/1.0.0 ─► what is asked ─► offering.py   quote
                                                taking.py     accept, push, seal
                                                releasing.py  release
                                                jobs.py       status, dispute, cancel
    jobs.py   one machine for each job; its doer (coding.py, proving.py, submitting.py) does it

Source   market.md 6.4; docs/reference/aggregator-protocol.md
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from quire.aggregation.job import Cancelled, Disputed, Job
from quire.base.errors import BadEncoding, ChainError, DiskFull, QuireError, QuotaExceeded
from quire.formats.aggregator import (
    MAX_MESSAGE_BYTES,
    AggregatorAnswer,
    AggregatorRequest,
    decode_request,
)
from quire.formats.aggregator_asking import (
    AcceptEncode,
    AcceptProve,
    AcceptSubmit,
    Cancel,
    Dispute,
    PushBlocks,
    QuoteRequest,
    Release,
    Seal,
    StatusRequest,
)
from quire.formats.aggregator_codes import Code, Service
from quire.formats.varint import Buffer
from quire.net.answering import Answering, serve_requests
from quire.net.transport import PeerId, Transport
from quire.services.aggregating.admission import Admission
from quire.services.aggregating.doer import Doer
from quire.services.aggregating.jobs import Jobs
from quire.services.aggregating.offering import Offering
from quire.services.aggregating.ports import AggregatorPorts
from quire.services.aggregating.pushed import Pushed
from quire.services.aggregating.releasing import Releasing
from quire.services.aggregating.settings import AggregatorLimits, AggregatorSettings
from quire.services.aggregating.taking import Taking
from quire.services.paying.introductions import Introductions
from quire.services.refusals import Refusals

RETRY_MS = 1000


class Aggregator:
    """`doers`: one for each service that is offered. `pushed`: of datasets that customers push;
    None: nobody can."""

    def __init__(
        self,
        ports: AggregatorPorts,
        settings: AggregatorSettings,
        doers: Mapping[Service, Doer],
        pushed: Pushed | None = None,
        limits: AggregatorLimits | None = None,
    ) -> None:
        limits = limits or AggregatorLimits()
        self._ports = ports
        self.events = ports.events
        self.income = ports.income
        self.answered: Counter[Code] = Counter()
        self._refusals = Refusals("aggregator.refused", ports.events, ports.clock)
        self._is_ready = False  # before all jobs are known, they would be said to be unknown
        self.offering = Offering(settings, doers, ports.hub, ports.sign, ports.identity)
        self.jobs = Jobs(ports, doers)
        self._releasing = Releasing(self.jobs, ports.income, ports.hub.clock)
        introductions = Introductions(ports.income, ports.clock)
        admission = Admission(
            self.jobs, ports.income, introductions, ports.hub.clock, settings, limits
        )
        self._taking = Taking(
            self.jobs, doers, self.offering, admission, pushed, limits, ports.hub.clock
        )

    async def start(self) -> None:
        """Go on with all jobs. After the income. Raises StoreCorrupt, DiskFull."""
        await self.jobs.start()
        await self._releasing.start()
        await self._taking.start()
        self._is_ready = True

    async def stop(self) -> None:
        """What is under way goes on with the next start."""
        self._is_ready = False
        await self.jobs.stop()
        await self._taking.stop()

    async def answer(self, peer: PeerId, payload: memoryview) -> Sequence[Buffer]:
        """What is told to who asks. Every refusal is an answer; raises nothing foreseen."""
        if not self._is_ready:
            text = "this node is starting, or stopping"
            return AggregatorAnswer(Code.BUSY, text, None, RETRY_MS).segments()
        try:
            request = decode_request(payload)
        except BadEncoding as error:
            return AggregatorAnswer(Code.REFUSED, error.message).segments()
        try:
            answer = await self._answer(peer, request)
        except ChainError as error:
            text = f"the chain does not answer: {error.message}"
            answer = AggregatorAnswer(Code.BUSY, text, None, RETRY_MS)
        except (QuotaExceeded, DiskFull) as error:
            answer = AggregatorAnswer(Code.NOT_OFFERED, error.message)
        except QuireError as error:
            code = Code.BUSY if error.retry else Code.INTERNAL
            answer = AggregatorAnswer(code, error.message, None, RETRY_MS * error.retry)
        self.answered[answer.code] += 1
        self._tell(request, answer)
        return answer.segments()

    async def _answer(self, peer: PeerId, request: AggregatorRequest) -> AggregatorAnswer:
        body = request.body
        if isinstance(body, QuoteRequest):
            return self.offering.quote(body)
        if isinstance(body, AcceptEncode | AcceptProve | AcceptSubmit):
            return await self._taking.accept(peer, request.job_id, body)
        job = self.jobs.find(request.job_id)
        if job is None or job.peer != peer:  # of others nobody learns that they are here
            text = f"there is no job {request.job_id.hex()} of yours, or it was forgotten"
            return AggregatorAnswer(Code.UNKNOWN_JOB, text)
        match body:
            case PushBlocks():
                return await self._taking.push(job, body)
            case Seal():
                return await self._taking.seal(job, body)
            case StatusRequest():
                return await self._taking.state(job)
            case Release(part):
                refusal = await self._releasing.release(job, part)
                return refusal or await self._now(job)
            case Dispute():
                await self._dispute(job, body)
                return await self._now(job)
            case Cancel():
                await self.jobs.post(job, Cancelled())
                return await self._now(job)

    async def _dispute(self, job: Job, said: Dispute) -> None:
        after = await self.jobs.post(job, Disputed(said.reason, said.text))
        if after != job:
            where = f", column {said.stripe}" if said.stripe else ""
            what = f" ({len(said.evidence)} bytes of evidence)" if said.evidence else ""
            words = f"the customer says: {said.reason.name}{where}: {said.text}{what}"
            self.events.publish("aggregator.disputed", job.key, words)

    async def _now(self, job: Job) -> AggregatorAnswer:
        return await self._taking.progress(self.jobs.find(job.job_id) or job)

    def _tell(self, request: AggregatorRequest, answer: AggregatorAnswer) -> None:
        """What was refused, for who asks why."""
        if answer.code is not Code.OK:
            subject = "" if isinstance(request.body, QuoteRequest) else request.job_id.hex()
            what = type(request.body).__name__
            self._refusals.tell(subject, what, answer.code.name, answer.text)


def serve_aggregator(transport: Transport, protocol: str, aggregator: Aggregator) -> Answering:
    """To be called before the transport starts."""
    return serve_requests(
        transport,
        protocol,
        aggregator.answer,
        aggregator.events,
        max_message_bytes=MAX_MESSAGE_BYTES,
    )
