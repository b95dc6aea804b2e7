"""Routes of buying storage: part of the table of routes."""

from __future__ import annotations

from quire.faces.rest import purchase_shapes as p
from quire.faces.rest import purchases
from quire.faces.rest.data_routes import TIMEOUT
from quire.faces.rest.reply import JSON, TEXT
from quire.faces.rest.route import Answer, Bases, Handler, Route
from quire.node.why_contract import WhyContract

NO_CHAIN = {503: Answer("this node has no chain")}
_UNFIT = {
    402: Answer("the account cannot pay for it"),
    404: Answer("nobody has the dataset"),
    413: Answer("the body is too large"),
    422: Answer("the contract, or the dataset, does not allow it"),
    502: Answer("the chain does not answer"),
    504: Answer("nobody was found who has the dataset"),
    507: Answer("no space is left on the disk"),
}


def purchase_routes() -> list[Route]:
    """Those of the reference, and ours."""
    same: list[tuple[str, str, Handler, str, dict[int, Answer]]] = [
        ("POST", "/storage/request/{cid}", purchases.request_storage,
         "Buy storage for a dataset",
         {200: Answer("the id of the request, 64 hexadecimal digits", TEXT)} | _UNFIT),
        ("GET", "/storage/purchases", purchases.list_ids, "List purchases",
         {200: Answer("ids", JSON, list[str])}),
        ("GET", "/storage/purchases/{id}", purchases.show, "One purchase",
         {200: Answer("the purchase", JSON, p.PurchaseBody)}),
    ]  # fmt: skip
    own: list[tuple[str, str, Handler, str, dict[int, Answer]]] = [
        ("POST", "/datasets/{cid}/quote", purchases.quote, "What a storage request would cost",
         {200: Answer("the quote", JSON, p.QuoteBody)} | _UNFIT),
        ("POST", "/datasets/{cid}/request", purchases.buy, "Buy storage for a dataset",
         {201: Answer("the purchase", JSON, p.PurchaseStatus),
          409: Answer("no aggregator of `via` codes it, or not right")} | _UNFIT),
        ("GET", "/purchases", purchases.list_all, "List purchases, in words",
         {200: Answer("purchases, oldest first", JSON, p.PurchaseList)}),
        ("GET", "/purchases/{id}", purchases.show_all, "One purchase with slots and history",
         {200: Answer("the purchase", JSON, p.PurchaseStatus),
          502: Answer("the chain does not answer")}),
        ("GET", "/contracts/{id}/why", purchases.explain,
         "The causal chain of a storage request or slot, in words",
         {200: Answer("the explanation", JSON, WhyContract)}),
    ]  # fmt: skip
    return [*_at("all", same), *_at("quire", own)]


def _at(bases: Bases, rows: list[tuple[str, str, Handler, str, dict[int, Answer]]]) -> list[Route]:
    return [
        Route(method, path, handler, summary, answers | NO_CHAIN, tag="marketplace",
              bases=bases, body=JSON if method == "POST" else "",
              params=(TIMEOUT,) if method == "POST" else ())
        for method, path, handler, summary, answers in rows
    ]  # fmt: skip
