"""Routes of protected datasets: part of the table of routes."""

from __future__ import annotations

from quire.faces.rest import protect
from quire.faces.rest import protect_shapes as p
from quire.faces.rest.reply import JSON
from quire.faces.rest.route import Answer, Handler, Param, Route


def protect_routes() -> list[Route]:
    """At Quire's own base only."""
    here = {400: Answer("the CID or a value cannot be read"), 404: Answer("it is not here")}
    unfit = {
        422: Answer("K or M is out of range, or the dataset too small"),
        503: Answer("the node is stopping"),
    }
    rows = (
        Param("k", "data rows, from 2", "integer"),
        Param("m", "parity rows, from 1 to k; k + m is 256 at most", "integer"),
    )
    kept = Param("for", "how long the result is kept, such as 30d; as an upload if not given")
    job = "/datasets/{cid}/protect"
    routes: list[tuple[str, str, Handler, str, dict[int, Answer], tuple[Param, ...]]] = [
        ("POST", job, protect.start, "Protect a dataset in the background",
         {202: Answer("the job", JSON, p.ProtectStatus)} | here | unfit, (*rows, kept)),
        ("GET", job, protect.progress, "Progress of protecting a dataset",
         {200: Answer("its jobs, oldest first", JSON, p.ProtectList)} | here, rows),
        ("DELETE", job, protect.cancel, "Stop protecting a dataset",
         {204: Answer("nothing is left but what is complete")} | here, rows),
        ("GET", "/datasets/{cid}/slots", protect.slots, "The slots of a verifiable dataset",
         {200: Answer("slots", JSON, p.SlotsBody), 422: Answer("it has none")} | here, ()),
    ]  # fmt: skip
    return [
        Route(method, path, handler, summary, answers, bases="quire", tag="protection",
              params=params)
        for method, path, handler, summary, answers, params in routes
    ]  # fmt: skip
