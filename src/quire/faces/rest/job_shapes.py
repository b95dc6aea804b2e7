"""Orders and jobs as data: one shape for both sides of the same work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire.aggregation.job import ENDS as JOB_ENDS
from quire.aggregation.job import Job
from quire.aggregation.order import ENDS as ORDER_ENDS
from quire.aggregation.order import At, Order
from quire.aggregation.receipt import receipt_in
from quire.aggregation.values import service_of
from quire.aggregation.words import subject_of, work_in_words
from quire.chain.abi import address_text, id_text
from quire.faces.rest.purchase_shapes import NoteBody, WaitsFor
from quire.faces.rest.shape import Shape
from quire.formats.aggregator_codes import Reason, Service
from quire.store.journal import Note

if TYPE_CHECKING:
    from quire.services.aggregating.jobs import Jobs
    from quire.services.ordering.orders import Orders

ORDER, JOB = "order", "job"


class ResultBody(Shape, frozen=True):
    """What came of it, empty texts where it is something else. `cid`: of the coded dataset, with
    the datasets of its leaves and of its blocks' digests; `proof`: in hexadecimal; `transaction`:
    that brought the proof into the chain."""

    cid: str = ""
    leaf_list: str = ""
    digest_list: str = ""
    proof: str = ""
    transaction: str = ""


class JobBody(Shape, frozen=True):
    """`side`: order (this node is the customer) or job (it is the aggregator).

    `service`: encode prove submit. `state` of an order: funding asking waiting checking paying
    serving settling claiming settled made-good refused late cheated withheld cancelled failed; of a
    job: accepted working ready serving settled failed cancelled unpaid disputed. `peer`: the other
    side;
    `account`: who is paid, of a job who pays. `subject`: a dataset's CID, or the id of a slot.
    `paid`: promised by voucher so far, of `price`. `permille`: how far the aggregator is.
    `checked`: in words, what this node has looked at before it paid. `deadline`: unix seconds of
    the chain, by which the result is due. `reason`: what was wrong with the result. `history`:
    only of one that was asked for."""

    job_id: str
    side: str
    service: str
    work: str
    state: str
    words: str
    ended: bool
    peer: str
    account: str
    subject: str
    price: str
    price_first: str
    paid: str
    permille: int
    checked: str
    deadline: int
    result: ResultBody | None
    reason: str
    why: str
    waits_for: WaitsFor | None
    trouble: str | None
    history: list[NoteBody]


class JobList(Shape, frozen=True):
    """Oldest first: what this node has ordered, and what it does for others."""

    orders: list[JobBody]
    jobs: list[JobBody]


def order_body(orders: Orders, order: Order, history: list[Note]) -> JobBody:
    offer = order.offer.offer
    progress = orders.progress(order.key)
    at_work = order.at in (At.FUNDING, At.ASKING, At.WAITING)
    permille = 0 if progress is None else progress.permille
    trouble = orders.trouble(order.key)
    return JobBody(
        job_id=order.key,
        side=ORDER,
        service=offer.service.name.lower(),
        work=work_in_words(order.work),
        state=order.at.value,
        words=orders.words(order),
        ended=order.at in ORDER_ENDS,
        peer=order.peer,
        account=address_text(offer.payee),
        subject=order.subject,
        price=str(offer.price),
        price_first=str(offer.price_first),
        paid=str(order.cost),
        permille=permille if at_work else 1000 * bool(order.result),
        checked=order.checked,
        deadline=order.deadline,
        result=_result(offer.service, order.result),
        reason=_reason(order.reason),
        why=order.why,
        waits_for=_waits_for(orders.next_deadline(order.key)),
        trouble=None if trouble is None else trouble.message,
        history=_notes(history),
    )


def job_body(jobs: Jobs, job: Job, earned: int, history: list[Note]) -> JobBody:
    offer = job.offer.offer
    permille, progress = jobs.progress(job)
    trouble = jobs.machines.trouble(job.key)
    ended = job.at in JOB_ENDS
    return JobBody(
        job_id=job.key,
        side=JOB,
        service=service_of(job.work).name.lower(),
        work=work_in_words(job.work),
        state=job.at.name.lower(),
        words=jobs.words(job) if ended else progress,
        ended=ended,
        peer=job.peer,
        account=address_text(job.customer),
        subject=subject_of(job),
        price=str(offer.price),
        price_first=str(offer.price_first),
        paid=str(earned),
        permille=permille,
        checked="",
        deadline=job.deadline,
        result=_result(service_of(job.work), job.result),
        reason=_reason(job.reason),
        why=job.why,
        waits_for=_waits_for(jobs.machines.next_deadline(job.key)),
        trouble=None if trouble is None else trouble.message,
        history=_notes(history),
    )


def _result(service: Service, result: bytes) -> ResultBody | None:
    """Of an order whose result nobody has looked at yet, it is what the aggregator says."""
    if not result:
        return None
    match service:
        case Service.ENCODE:
            receipt = receipt_in(result)
            if receipt is None:
                return None
            coded = (receipt.encoded, receipt.leaf_list, receipt.digest_list)
            return ResultBody(*map(str, coded))
        case Service.PROVE:
            return ResultBody(proof=result.hex())
        case Service.SUBMIT:
            return ResultBody(transaction=id_text(result))


def _reason(reason: Reason | None) -> str:
    return "" if reason is None else reason.name.lower()


def _waits_for(found: tuple[str, float] | None) -> WaitsFor | None:
    return None if found is None else WaitsFor(*found)


def _notes(history: list[Note]) -> list[NoteBody]:
    return [NoteBody(note.at, note.note) for note in history]
