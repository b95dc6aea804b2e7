"""Routes of orders at aggregators and of jobs for others: part of the table of routes."""

from __future__ import annotations

from quire.faces.rest import aggregators, encodings, jobs
from quire.faces.rest.data_routes import BLOCK_SIZE, STREAM
from quire.faces.rest.job_shapes import JobBody, JobList
from quire.faces.rest.reply import JSON
from quire.faces.rest.route import Answer, Handler, Param, Route
from quire.node.why_job import WhyJob

NO_HUB = {503: Answer("this node has no hub of payment channels")}
_ONE = {400: Answer("not the id of a job"), 404: Answer("no such order or job here")}
_ROWS = (
    Param("nodes", "hosts of it", "integer", limits={"minimum": 2, "maximum": 256}),
    Param("tolerance", "of them, as many may be lost", "integer", limits={"minimum": 1}),
    Param("via", "ask only this peer, by its id or address", repeated=True),
)
_PARAMS = {
    "/aggregators": (
        Param("service", "only this one", limits={"enum": ["encode", "prove", "submit"]}),
        Param("size", "of a dataset to be coded, such as 1g"),
        *_ROWS,
        BLOCK_SIZE,
    ),
    "/encodings/stream": (
        Param("id", "32 hexadecimal digits, under which it can be followed meanwhile"),
        *_ROWS,
        Param("confidence", "with which one wrong column in a hundred is to be found", "number"),
        Param(
            "serve",
            "seconds that hosts are to have to take the blocks",
            "integer",
            limits={"minimum": 0},
        ),
        Param("maxPrice", "tokens (smallest unit) that are paid for it, at most"),
        Param("filename", "file name; goes before Content-Disposition"),
        Param("mimetype", "media type; goes before Content-Type"),
    ),
}
_BODIES = {("POST", "/encodings"): JSON, ("POST", "/encodings/stream"): STREAM}


def job_routes() -> list[Route]:
    """At Quire's own base."""
    one, coding = "/jobs/{jobId}", "/encodings/{encodingId}"
    coded = Answer("the encoding", JSON, encodings.EncodingBody)
    rows: list[tuple[str, str, Handler, str, dict[int, Answer]]] = [
        ("GET", "/jobs", jobs.list_all, "Orders at aggregators, and jobs for others",
         {200: Answer("both, oldest first", JSON, JobList)}),
        ("GET", one, jobs.show, "One order or job with its history",
         {200: Answer("the order or job", JSON, JobBody)} | _ONE),
        ("DELETE", one, jobs.cancel, "Cancel an order; nothing is paid for it",
         {204: Answer("it is not wanted any more"),
          409: Answer("it is good already, or another node's")} | _ONE),
        ("POST", f"{one}/settle", jobs.settle, "Coded blocks need not be served any more",
         {202: Answer("the order; the rest is paid if they still are", JSON, JobBody),
          409: Answer("nothing is served for it now")} | _ONE),
        ("GET", f"{one}/why", jobs.explain, "How an order or job stands, in words",
         {200: Answer("sentences, waits and events", JSON, WhyJob)} | _ONE),
        ("GET", "/aggregators", aggregators.list_aggregators,
         "Aggregators, their services, prices and reputation",
         {200: Answer("aggregators, the best offers first", JSON, aggregators.AggregatorList),
          400: Answer("a bad size, number, service or peer")}),
        ("POST", "/encodings", encodings.start, "Have a dataset coded by an aggregator",
         {202: coded, 400: Answer("a bad CID, number or peer"), 404: Answer("it is not here"),
          413: Answer("the body is too large"), 422: Answer("it cannot be coded like that")}),
        ("POST", "/encodings/stream", encodings.stream,
         "Have the body coded by an aggregator, and keep nothing of it",
         {201: coded, 400: Answer("a bad number, id or peer, or the body ended too early"),
          409: Answer("nobody codes it, or not right"), 411: Answer("no Content-Length"),
          415: Answer("the Content-Type is malformed"),
          422: Answer("it cannot be coded like that, or a bad name or type"),
          502: Answer("the aggregator failed"), 504: Answer("nothing was sent"),
          507: Answer("no space is left on the disk")}),
        ("GET", "/encodings", encodings.list_all, "Codings by aggregators since the node started",
         {200: Answer("encodings, oldest first", JSON, encodings.EncodingList)}),
        ("GET", coding, encodings.show, "One coding by aggregators",
         {200: coded, 404: Answer("no such encoding")}),
        ("DELETE", coding, encodings.cancel, "Give a coding up; nothing is paid for it",
         {204: Answer("it is not wanted any more"), 404: Answer("no such encoding"),
          409: Answer("it has ended")}),
    ]  # fmt: skip
    return [
        Route(method, path, handler, summary, answers | NO_HUB, tag="aggregator", bases="quire",
              params=_PARAMS.get(path, ()), body=_BODIES.get((method, path), ""))
        for method, path, handler, summary, answers in rows
    ]  # fmt: skip
