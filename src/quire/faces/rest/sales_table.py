"""Routes of selling storage: part of the table of routes."""

from __future__ import annotations

from quire.faces.rest import sales
from quire.faces.rest import sales_shapes as s
from quire.faces.rest.purchase_table import NO_CHAIN
from quire.faces.rest.reply import JSON
from quire.faces.rest.route import Answer, Handler, Route

_BAD = {413: Answer("the body is too large"), 422: Answer("it cannot be offered like that")}
_FULL = {507: Answer("no space is left on the disk")}
_CHAIN = {502: Answer("the chain does not answer")}
_OFFER = "/sales/availability/{id}"


def sales_routes() -> list[Route]:
    """Those of the reference at all bases, and ours."""
    same: list[tuple[str, str, Handler, str, dict[int, Answer]]] = [
        ("GET", "/sales/slots", sales.list_slots, "List slots that this node fills",
         {200: Answer("slots", JSON, list[s.SlotBody])} | _CHAIN),
        ("GET", "/sales/slots/{slotId}", sales.show_slot, "One slot",
         {200: Answer("how its sale stands", JSON, s.SlotAgentBody)}),
        ("GET", "/sales/availability", sales.list_offers, "List what this node offers",
         {200: Answer("offers, oldest first", JSON, list[s.AvailabilityBody])}),
        ("POST", "/sales/availability", sales.create_offer, "Offer space",
         {201: Answer("the offer", JSON, s.AvailabilityBody)} | _BAD | _FULL),
        ("PATCH", _OFFER, sales.change_offer, "Change an offer",
         {204: Answer("changed")} | _BAD | _FULL),
        ("DELETE", _OFFER, sales.remove_offer, "Withdraw an offer",
         {204: Answer("withdrawn"), 409: Answer("slots of it are held or on their way")} | _FULL),
        ("GET", f"{_OFFER}/reservations", sales.list_reservations, "Reservations of an offer",
         {200: Answer("reservations", JSON, list[s.ReservationBody])}),
    ]  # fmt: skip
    own: list[tuple[str, str, Handler, str, dict[int, Answer]]] = [
        ("GET", "/sales", sales.list_sales, "List sales and the queue of slots, in words",
         {200: Answer("sales and queue", JSON, s.SaleList)}),
        ("GET", "/sales/{slotId}", sales.show_sale, "One sale with its history",
         {200: Answer("the sale", JSON, s.SaleStatus)}),
    ]  # fmt: skip
    return [
        Route(method, path, handler, summary, answers | NO_CHAIN, tag="marketplace",
              bases="all" if rows is same else "quire",
              body=JSON if method in ("POST", "PATCH") else "", answers_options=path == _OFFER)
        for rows in (same, own)
        for method, path, handler, summary, answers in rows
    ]  # fmt: skip
