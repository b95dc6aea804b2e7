"""Routes of single slots: part of the table of routes."""

from __future__ import annotations

from quire.faces.rest import slots
from quire.faces.rest.data_routes import STOPPING, TIMEOUT
from quire.faces.rest.reply import JSON
from quire.faces.rest.route import Answer, Handler, Param, Route
from quire.faces.rest.slot_shapes import SlotStatus

_SLOT = "/datasets/{cid}/slots/{slot}"
_FOR = Param("for", "how long it is held, such as 30d; 0 or nothing is for ever")


def slot_routes() -> list[Route]:
    """At Quire's own base only."""
    state = Answer("the slot on this node", JSON, SlotStatus)
    here = {
        400: Answer("the CID or the slot cannot be read, or there is no such slot"),
        404: Answer("it is not here"),
    }
    rows: list[tuple[str, Handler, str, dict[int, Answer], tuple[Param, ...]]] = [
        ("POST", slots.take, "Take a slot in the background",
         {202: state, 503: STOPPING} | here, (TIMEOUT, _FOR)),
        ("GET", slots.get, "One slot on this node", {200: state} | here, ()),
        ("DELETE", slots.drop, "Hold a slot no more",
         {204: Answer("it is not held any more")} | here, ()),
    ]  # fmt: skip
    return [
        Route(method, _SLOT, handler, summary, answers, bases="quire", tag="protection",
              params=params)
        for method, handler, summary, answers, params in rows
    ]  # fmt: skip
