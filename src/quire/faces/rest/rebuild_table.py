"""Routes of slots that are rebuilt: part of the table of routes."""

from __future__ import annotations

from quire.faces.rest import rebuild
from quire.faces.rest.data_routes import STOPPING, TIMEOUT
from quire.faces.rest.rebuild_shapes import RebuildStatus
from quire.faces.rest.reply import JSON
from quire.faces.rest.route import Answer, Handler, Param, Route

_PATH = "/datasets/{cid}/slots/{slot}/rebuild"
_FOR = Param("for", "how long the slots are held, such as 30d; 0 or nothing is for ever")
_WITH = Param("with", "other slots to rebuild in the same pass, such as 4,5")


def rebuild_routes() -> list[Route]:
    """At Quire's own base only."""
    state = Answer("the job", JSON, RebuildStatus)
    here = {
        400: Answer("the CID or a slot cannot be read, or they cannot be rebuilt together"),
        404: Answer("it does not name a dataset, or nobody asked to rebuild it"),
    }
    rows: list[tuple[str, Handler, str, dict[int, Answer], tuple[Param, ...]]] = [
        ("POST", rebuild.start, "Rebuild a slot from the others in the background",
         {202: state, 503: STOPPING} | here, (TIMEOUT, _FOR, _WITH)),
        ("GET", rebuild.progress, "Progress of rebuilding a slot", {200: state} | here, ()),
        ("DELETE", rebuild.cancel, "Stop rebuilding a slot",
         {204: Answer("it does not run any more")} | here, ()),
    ]  # fmt: skip
    return [
        Route(method, _PATH, handler, summary, answers, bases="quire", tag="protection",
              params=params)
        for method, handler, summary, answers, params in rows
    ]  # fmt: skip
