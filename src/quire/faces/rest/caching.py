"""What the cache of a node earns and what it pays for that of others, side by side.

Amounts of tokens are texts, because they do not fit the numbers of other languages."""

from __future__ import annotations

from aiohttp import web

from quire.base.errors import NotFound
from quire.base.units import format_size
from quire.faces.rest.reply import JSON, reply_json
from quire.faces.rest.route import Answer, Route
from quire.faces.rest.shape import Shape
from quire.node.node import Node
from quire.services.caching.caching import Caching, Trade

NO_CACHING = (
    "everything is free at this node, and nothing is counted; "
    "start it with --cache-price, --cache-max-price or --cache-limit"
)


class TradeBody(Shape, frozen=True):
    """With one peer, or with all together: bytes and tokens since ever.

    `givenBytes` and `takenBytes` were free, `soldBytes` and `boughtBytes` paid. `balanceBytes`:
    given for nothing less taken for nothing, since the day began; below 0 it is what may be taken
    back. `freeLeftBytes`: what the peer may have today without paying. `owedToUs` is served and
    not promised yet, `owedByUs` had and not promised yet.
    """

    earned: str
    spent: str
    owed_to_us: str
    owed_by_us: str
    given_bytes: int
    taken_bytes: int
    sold_bytes: int
    bought_bytes: int
    balance_bytes: int
    free_left_bytes: int


class PeerTradeBody(TradeBody, frozen=True):
    peer: str
    words: str


class CachingBody(Shape, frozen=True):
    """`price`: of a MiB, now, in the smallest unit of the token; `basePrice` without the demand.
    `maxPrice`: what this node pays, at most; 0: nothing. `cachedBytes` are kept by nothing else;
    of 0 `limitBytes` nothing is counted and nothing evicted."""

    has_account: bool
    price: str
    base_price: str
    free_bytes: int
    max_price: str
    budget: str
    spent_today: str
    cached_bytes: int
    limit_bytes: int
    evicted_bytes: int
    total: TradeBody
    words: str
    peers: list[PeerTradeBody]


def caching_body(caching: Caching) -> CachingBody:
    terms, shelf, total = caching.terms, caching.shelf, caching.total()
    return CachingBody(
        has_account=caching.has_account,
        price=str(caching.price),
        base_price=str(terms.price),
        free_bytes=terms.free_bytes,
        max_price=str(terms.max_price),
        budget=str(terms.budget),
        spent_today=str(caching.spent_today()),
        cached_bytes=shelf.cached_bytes,
        limit_bytes=shelf.size_bytes,
        evicted_bytes=shelf.evicted_bytes,
        total=TradeBody(**_numbers(total)),  # type: ignore[arg-type]
        words=in_words("This node", total),
        peers=[
            PeerTradeBody(**_numbers(trade), peer=peer, words=in_words(peer, trade))  # type: ignore[arg-type]
            for peer, trade in caching.peers().items()
        ],
    )


def in_words(who: str, trade: Trade) -> str:
    """One sentence about giving and taking, one about money."""
    is_all = who == "This node"
    out, back = ("gave", "took") if is_all else ("had", "gave")
    free = f"{format_size(trade.given_bytes)} for nothing, {format_size(trade.sold_bytes)} paid"
    had = f"{format_size(trade.taken_bytes)} for nothing, {format_size(trade.bought_bytes)} paid"
    money = f"earned {trade.earned}, spent {trade.spent} tokens"
    left = "" if is_all else f"; {format_size(trade.free_left_bytes)} are free for it today"
    return f"{who} {out} {free}, and {back} {had}; {money}{left}."


def _numbers(trade: Trade) -> dict[str, object]:
    return {
        "earned": str(trade.earned),
        "spent": str(trade.spent),
        "owed_to_us": str(trade.owed_to_us),
        "owed_by_us": str(trade.owed_by_us),
        "given_bytes": trade.given_bytes,
        "taken_bytes": trade.taken_bytes,
        "sold_bytes": trade.sold_bytes,
        "bought_bytes": trade.bought_bytes,
        "balance_bytes": trade.balance_bytes,
        "free_left_bytes": trade.free_left_bytes,
    }


async def show(_request: web.Request, node: Node) -> web.Response:
    caching = node.parts.caching
    if caching is None:
        raise NotFound(NO_CACHING)
    return reply_json(caching_body(caching))


def caching_routes() -> list[Route]:
    """Part of the table of routes."""
    answers = {
        200: Answer("what it earned and spent, with whom", JSON, CachingBody),
        404: Answer("everything is free at this node"),
    }
    return [
        Route("GET", "/caching", show, "What the cache earns and what others' costs", answers,
              tag="marketplace", bases="quire"),
    ]  # fmt: skip
