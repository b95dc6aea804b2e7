"""Orders at aggregators and jobs for others: how they go, and the end of those not wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from quire.aggregation.order import At
from quire.aggregation.values import JOB_ID_BYTES, JobId
from quire.base.errors import InputError, NotFound, Refused
from quire.faces.rest.job_shapes import JobBody, JobList, job_body, order_body
from quire.faces.rest.market import no_hub_here, trading_of
from quire.faces.rest.reply import reply_empty, reply_json
from quire.node.node import Node
from quire.node.why_job import why_job

if TYPE_CHECKING:
    from quire.node.aggregation import Aggregation


def aggregation_of(node: Node) -> Aggregation:
    """Raises Plain 503 when this node has no hub of payment channels."""
    trading_of(node)
    if node.aggregation is None:
        raise no_hub_here()
    return node.aggregation


async def list_all(_request: web.Request, node: Node) -> web.Response:
    """Those that ended are remembered for a while."""
    aggregation = aggregation_of(node)
    orders, jobs = aggregation.orders, aggregation.jobs
    return reply_json(
        JobList(
            orders=[order_body(orders, order, []) for order in orders.all()],
            jobs=[]
            if jobs is None
            else [job_body(jobs, job, aggregation.earned(job), []) for job in jobs],
        )
    )


async def show(request: web.Request, node: Node) -> web.Response:
    return reply_json(await body_of(aggregation_of(node), job_of(request)))


async def cancel(request: web.Request, node: Node) -> web.Response:
    """An order whose result was not accepted yet; nothing is paid for it."""
    aggregation, job_id = aggregation_of(node), job_of(request)
    if aggregation.order(job_id) is None and aggregation.job(job_id) is not None:
        raise Refused(f"job {job_id.hex()} is another node's order; only he can cancel it")
    order = await aggregation.orders.cancel(job_id.hex())
    if order.at is not At.CANCELLED:
        words = aggregation.orders.words(order)
        raise Refused(f"the order {order.key} cannot be cancelled any more: {words}")
    return reply_empty(204)


async def settle(request: web.Request, node: Node) -> web.Response:
    """The coded blocks are needed at the aggregator no more: if it serves them now, the rest is
    paid."""
    aggregation, job_id = aggregation_of(node), job_of(request)
    order = aggregation.orders.get(job_id.hex())
    if order.at is not At.SERVING:
        words = aggregation.orders.words(order)
        raise Refused(f"nothing is served for the order {order.key} now: {words}")
    aggregation.encoding.not_needed(order.key)
    return reply_json(await body_of(aggregation, job_id), 202)


async def explain(request: web.Request, node: Node) -> web.Response:
    return reply_json(await why_job(node, job_of(request)))


async def body_of(aggregation: Aggregation, job_id: JobId) -> JobBody:
    """With its history. Raises NotFound."""
    if (order := aggregation.order(job_id)) is not None:
        history = await aggregation.orders.history(order.key)
        return order_body(aggregation.orders, order, history)
    jobs, job = aggregation.jobs, aggregation.job(job_id)
    if jobs is None or job is None:
        raise NotFound(f"this node has no order and no job {job_id.hex()}; quire jobs shows them")
    history = await jobs.machines.history(job.key)
    return job_body(jobs, job, aggregation.earned(job), history)


def job_of(request: web.Request) -> JobId:
    """The id in the path, 32 hexadecimal digits. Raises InputError."""
    text = request.match_info["jobId"]
    try:
        job_id = bytes.fromhex(text)
    except ValueError:
        job_id = b""
    if len(job_id) != JOB_ID_BYTES or len(text) != 2 * JOB_ID_BYTES:
        raise InputError(f"{text[:80]} is no job: {2 * JOB_ID_BYTES} hexadecimal digits are one")
    return job_id
