"""Routes of orders at aggregators and of jobs for others: part of the table of routes."""

from __future__ import annotations

from quire.faces.rest import aggregators, jobs
from quire.faces.rest.data_routes import BLOCK_SIZE
from quire.faces.rest.job_shapes import JobBody, JobList
from quire.faces.rest.reply import JSON
from quire.faces.rest.route import Answer, Handler, Param, Route
from quire.node.why_job import WhyJob

NO_HUB = {503: Answer("this node has no hub of payment channels")}
_ONE = {400: Answer("not the id of a job"), 404: Answer("no such order or job here")}
_QUERY = (
    Param("service", "only this one", limits={"enum": ["encode", "prove", "submit"]}),
    Param("size", "of a dataset to be coded, such as 1g"),
    Param("nodes", "hosts of it", "integer", limits={"minimum": 2, "maximum": 256}),
    Param("tolerance", "of them, as many may be lost", "integer", limits={"minimum": 1}),
    BLOCK_SIZE,
    Param("via", "ask only this peer, by its id or address", repeated=True),
)


def job_routes() -> list[Route]:
    """At Quire's own base."""
    one = "/jobs/{jobId}"
    rows: list[tuple[str, str, Handler, str, dict[int, Answer]]] = [
        ("GET", "/jobs", jobs.list_all, "Orders at aggregators, and jobs for others",
         {200: Answer("both, oldest first", JSON, JobList)}),
        ("GET", one, jobs.show, "One order or job with its history",
         {200: Answer("the order or job", JSON, JobBody)} | _ONE),
        ("DELETE", one, jobs.cancel, "Cancel an order; nothing is paid for it",
         {204: Answer("it is not wanted any more"),
          409: Answer("it is good already, or another node's")} | _ONE),
        ("GET", f"{one}/why", jobs.explain, "How an order or job stands, in words",
         {200: Answer("sentences, waits and events", JSON, WhyJob)} | _ONE),
        ("GET", "/aggregators", aggregators.list_aggregators,
         "Aggregators, their services, prices and reputation",
         {200: Answer("aggregators, the best offers first", JSON, aggregators.AggregatorList),
          400: Answer("a bad size, number, service or peer")}),
    ]  # fmt: skip
    return [
        Route(method, path, handler, summary, answers | NO_HUB, tag="aggregator", bases="quire",
              params=_QUERY if path == "/aggregators" else ())
        for method, path, handler, summary, answers in rows
    ]  # fmt: skip
