"""The validator of a node, as data."""

from __future__ import annotations

from aiohttp import web

from quire.base.errors import NotFound
from quire.faces.rest.market import trading_of
from quire.faces.rest.reply import JSON, reply_json
from quire.faces.rest.route import Answer, Route
from quire.faces.rest.shape import Shape
from quire.node.node import Node
from quire.services.validating import Validator

NO_VALIDATOR = "this node does not validate; start it with --validator"


class ValidatorBody(Shape, frozen=True):
    """What a validator watches and has done since its node started.

    `slots`: watched now; `slotsLeftOut`: beyond `maxSlots` (0: no bound). `groups` 0: all slots are
    its own. `ready`: slots that were filled before the start have been read. `nextWindowAt`: unix
    seconds of the chain from which the misses of `period` can be marked. `windows` were looked at,
    `windowsMissed` went by before they could be. `beaten`: marks that somebody else made first;
    `spreadBlocks`: over so many blocks the next marks are spread because of that. `failed`:
    attempts that the chain did not answer or refused.
    """

    slots: int
    slots_left_out: int
    max_slots: int
    groups: int
    group_index: int
    ready: bool
    period: int
    next_window_at: int
    windows: int
    windows_missed: int
    checked: int
    marked: int
    beaten: int
    failed: int
    transactions: int
    spread_blocks: int


def validator_body(validator: Validator) -> ValidatorBody:
    counts, share = validator.counts, validator.share
    period, opens_at = validator.next_window
    return ValidatorBody(
        slots=len(validator.slots),
        slots_left_out=validator.slots.left_out,
        max_slots=share.max_slots,
        groups=share.groups,
        group_index=share.group_index,
        ready=validator.slots.is_filled,
        period=period,
        next_window_at=opens_at,
        windows=counts.windows,
        windows_missed=counts.windows_missed,
        checked=counts.checked,
        marked=counts.marked,
        beaten=counts.beaten,
        failed=counts.failed,
        transactions=counts.transactions,
        spread_blocks=validator.spread_blocks,
    )


async def show(_request: web.Request, node: Node) -> web.Response:
    validator = trading_of(node).validator
    if validator is None:
        raise NotFound(NO_VALIDATOR)
    return reply_json(validator_body(validator))


def validator_routes() -> list[Route]:
    """Part of the table of routes."""
    answers = {
        200: Answer("what it watches and has done", JSON, ValidatorBody),
        404: Answer("this node does not validate"),
        503: Answer("this node has no chain"),
    }
    return [
        Route("GET", "/validator", show, "The validator of this node", answers, tag="marketplace",
              bases="quire"),
    ]  # fmt: skip
