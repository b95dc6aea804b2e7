"""Routes of retention and of the search for damage: part of the table of routes."""

from __future__ import annotations

from quire.faces.rest import check, retention
from quire.faces.rest import retention_shapes as r
from quire.faces.rest import schemas as s
from quire.faces.rest.reply import JSON
from quire.faces.rest.route import Answer, Handler, Param, Route


def retention_routes() -> list[Route]:
    """At Quire's own base only."""
    kept = Answer("why it is kept, and until when", JSON, r.RootsBody)
    here = {400: Answer("the CID or a value cannot be read"), 404: Answer("it is not here")}
    name = Answer("the name", JSON, r.NameBody)
    collection = Answer("what goes", JSON, r.CollectionBody)
    scrubbing = Answer("how far it is", JSON, s.ScrubBody)
    checking = Answer("the check", JSON, s.FsckBody)
    full = {507: Answer("the disk has no room to note it")}
    rows: list[tuple[str, str, Handler, str, dict[int, Answer]]] = [
        ("GET", "/datasets", retention.list_datasets, "List datasets and until when they are kept",
         {200: Answer("all datasets", JSON, s.StatList)}),
        ("GET", "/datasets/{cid}/roots", retention.roots, "Why a dataset is kept",
         {200: kept} | here),
        ("PUT", "/datasets/{cid}/pin", retention.pin, "Pin a dataset", {200: kept} | here | full),
        ("DELETE", "/datasets/{cid}/pin", retention.unpin, "Take the pin away",
         {200: kept} | here | full),
        ("PUT", "/datasets/{cid}/ttl", retention.limit, "Set the time to live",
         {200: kept} | here | full),
        ("GET", "/names", retention.list_names, "List names",
         {200: Answer("names", JSON, r.NameList)}),
        ("GET", "/names/{name}", retention.get_name, "What a name names",
         {200: name, 404: Answer("there is no such name")}),
        ("PUT", "/names/{name}", retention.put_name, "Let a name name a dataset",
         {200: name} | here | full),
        ("DELETE", "/names/{name}", retention.delete_name, "Forget a name",
         {200: name, 404: Answer("there is no such name")} | full),
        ("GET", "/collection", retention.preview_collection, "What a collection would delete",
         {200: collection}),
        ("POST", "/collection", retention.collect, "Delete what nothing keeps",
         {200: collection} | full),
        ("GET", "/usage", retention.usage, "Where the bytes are",
         {200: Answer("bytes by reason", JSON, r.UsageBody)}),
        ("GET", "/scrub", check.scrub, "How the search for damage goes", {200: scrubbing}),
        ("POST", "/scrub", check.start_scrub, "Begin a search for damage", {202: scrubbing}),
        ("GET", "/fsck", check.get_fsck, "The check under way, or the last one",
         {200: checking, 404: Answer("there was none")}),
        ("POST", "/fsck", check.start_fsck, "Check and repair everything", {202: checking}),
        ("DELETE", "/fsck", check.cancel_fsck, "Stop the check", {204: Answer("it does not run")}),
    ]  # fmt: skip
    times = (Param("for", "how long from now, such as 30d; 0 or nothing is for ever"),)
    return [
        Route(method, path, handler, summary, answers, bases="quire", tag="retention",
              params=times if method == "PUT" and path.startswith("/datasets") else (),
              body=JSON if method == "PUT" and path.startswith("/names") else "")
        for method, path, handler, summary, answers in rows
    ]  # fmt: skip
