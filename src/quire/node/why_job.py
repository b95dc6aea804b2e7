"""Why is it so with an order at an aggregator, or with a job for others? The causal chain in words:
who, for which dataset or slot, at what price, what was checked, what was paid, why it ended."""

from __future__ import annotations

from typing import Any

import msgspec

from quire.aggregation.job import ENDS as JOB_ENDS
from quire.aggregation.job import Job
from quire.aggregation.order import ENDS, Order
from quire.aggregation.values import JobId
from quire.aggregation.words import (
    REASONS,
    deadline_in_words,
    price_in_words,
    work_in_words,
)
from quire.base.errors import NotFound
from quire.chain.abi import address_text
from quire.formats.aggregator_codes import Reason
from quire.node.aggregation import Aggregation
from quire.node.node import Node
from quire.node.why import LAST_EVENTS, clock_time, wait_in_words
from quire.node.why_next import next_words


class WhyJob(msgspec.Struct, frozen=True, rename="camel"):
    """The answer about an order or a job. `sentences` is for people."""

    job_id: str
    sentences: list[str]
    waits: list[dict[str, Any]]
    events: list[dict[str, Any]]


async def why_job(node: Node, job_id: JobId) -> WhyJob:
    """Raises NotFound when this node has neither ordered it nor does it."""
    subject = job_id.hex()
    sentences: list[str] = []
    if node.aggregation is not None:
        if (order := node.aggregation.order(job_id)) is not None:
            sentences += order_in_words(node.aggregation, order)
        if (job := node.aggregation.job(job_id)) is not None:
            sentences += job_in_words(node.aggregation, job)
    if not sentences:
        raise NotFound(f"this node has no order and no job {subject}; quire jobs shows them")
    waits, events = node.waits.of(subject), node.events.history(subject)[-LAST_EVENTS:]
    sentences += [wait_in_words(wait) for wait in waits]
    sentences += [f"{clock_time(event.at)} {event.message}." for event in events]
    return WhyJob(subject, sentences, waits, [event.as_dict() for event in events])


def order_in_words(aggregation: Aggregation, order: Order) -> list[str]:
    """As the customer who ordered it."""
    orders, offer = aggregation.orders, order.offer.offer
    work = work_in_words(order.work)
    found = [
        f"This node ordered it at the aggregator {order.peer}: {work}.",
        *([] if order.subject in work else [f"It is for {order.subject}."]),
        f"It costs {price_in_words(offer)}.",
        f"It is {order.at}: {orders.words(order)}.",
    ]
    if order.at not in ENDS and not order.result:
        due = deadline_in_words(order.deadline, aggregation.chain_now())
        found.append(f"The result is {due}.")
    found.append(_checked(order))
    found.append(_paid(order.cost, offer.price))
    found += _reason(order.reason)
    if away := aggregation.aggregators.shuns(order.peer):
        found.append(f"Nothing more is ordered there for now: {away}.")
    return found + next_words(orders.next_deadline(order.key), orders.trouble(order.key))


def job_in_words(aggregation: Aggregation, job: Job) -> list[str]:
    """As the aggregator."""
    jobs, offer = aggregation.jobs, job.offer.offer
    assert jobs is not None
    customer = address_text(job.customer)
    permille, progress = jobs.progress(job)
    found = [
        f"This node does it for {customer} ({job.peer}): {work_in_words(job.work)}.",
        f"It earns {price_in_words(offer)}.",
        f"It is {job.at.name.lower()}: {jobs.words(job)}.",
    ]
    if job.at not in JOB_ENDS and not job.result:
        due = deadline_in_words(job.deadline, aggregation.chain_now())
        found.append(f"{permille / 10} % is done ({progress}); the result is {due}.")
    found.append(_paid(aggregation.earned(job), offer.price))
    found += _reason(job.reason)
    machines = jobs.machines
    return found + next_words(machines.next_deadline(job.key), machines.trouble(job.key))


def _checked(order: Order) -> str:
    if order.checked:
        return f"It was checked before it was paid: {order.checked}."
    return "Its result was not found good yet." if order.result else "No result has come yet."


def _paid(paid: int, price: int) -> str:
    return f"{paid:,} of {price:,} tokens were paid." if paid else "Nothing was paid for it."


def _reason(reason: Reason | None) -> list[str]:
    return [] if reason is None else [f"What was wrong: {REASONS[reason]}."]
