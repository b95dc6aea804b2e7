"""What a purchase has done on the chain and in the store; everything can be done twice."""

from __future__ import annotations

from quire.base.clock import Clock
from quire.base.errors import (
    BadCid,
    Busy,
    NotMined,
    QuireError,
    Reverted,
    UnknownDataset,
    UnknownRequest,
)
from quire.base.invariant import invariant
from quire.chain.abi import id_text
from quire.chain.port import Market
from quire.chain.values import StorageRequest
from quire.formats.cid import Cid
from quire.market.purchase import (
    Effect,
    Event,
    Keep,
    Look,
    NotThere,
    Purchase,
    Release,
    Seen,
    Submit,
    Withdraw,
    Withdrawn,
)
from quire.store.dataset import RetentionRoot
from quire.store.store import Store

ROOT = "request"  # the kind of retention root; its name is the request's id
# A root that nobody releases, because the journal was lost, ends at last.
SPARE_SECONDS = 30 * 86_400.0


class PurchaseEffects:
    """Performs the effects of purchases."""

    def __init__(self, market: Market, store: Store, clock: Clock) -> None:
        self._market = market
        self._store = store
        self._clock = clock

    async def perform(self, state: Purchase, effect: Effect) -> Event | None:
        """Raises QuireError."""
        match effect:
            case Submit():
                return await self._submit(state)
            case Look():
                return await self._look(state)
            case Withdraw():
                return await self._withdraw(state)
            case Keep():
                await self.keep(state)
            case Release():
                await self.release(state)
        return None

    async def keep(self, state: Purchase) -> None:
        """Let the dataset last as long as the request can, if it is here."""
        cid = content_cid(state.request)
        if state.request is None or cid is None:
            return
        lasts = state.request.expiry + state.request.ask.duration + SPARE_SECONDS
        root = RetentionRoot(ROOT, id_text(state.request_id), self._clock.now() + lasts)
        try:
            await self._store.retain(cid, root)
        except UnknownDataset:
            return  # the hosts have it

    async def release(self, state: Purchase) -> None:
        cid = content_cid(state.request)
        if cid is not None:
            await self._store.release(cid, ROOT, id_text(state.request_id))

    async def _submit(self, state: Purchase) -> Event:
        await self.keep(state)  # before it is paid for
        found = await self._look(state)
        if isinstance(found, Seen):
            return found  # an earlier attempt, perhaps before a crash, came through
        invariant(state.request is not None, "a purchase that is submitted has a request")
        assert state.request is not None
        try:
            await self._market.request_storage(state.request)
        except QuireError as error:
            # What refuses this attempt may be that an earlier one is in a block by now.
            found = await self._look(state)
            if isinstance(found, Seen):
                return found
            raise error
        found = await self._look(state)
        if isinstance(found, NotThere):
            raise NotMined(f"the chain does not show the request {id_text(state.request_id)} yet")
        return found

    async def _look(self, state: Purchase) -> Seen | NotThere:
        market, request_id = self._market, state.request_id
        try:
            return Seen(
                state=await market.request_state(request_id),
                expires_at=await market.request_expiry(request_id),
                ends_at=await market.request_end(request_id),
                request=state.request or await market.request(request_id),
            )
        except UnknownRequest:
            return self._not_there()

    def _not_there(self) -> NotThere:
        return NotThere(int(self._market.clock.now()))

    async def _withdraw(self, state: Purchase) -> Event:
        try:
            await self._market.withdraw(state.request_id)
        except UnknownRequest:
            return self._not_there()
        except Reverted as error:
            if _is(error, "NothingToWithdraw"):
                return Withdrawn()
            if _is(error, "UnknownRequest"):
                return self._not_there()
            if not _is(error, "InvalidState"):
                raise
            found = await self._look(state)
            if isinstance(found, Seen) and found.state.name.lower() == state.at.value:
                # The next block may have a time at which it is over; the last one has not.
                raise Busy("the contract does not give the money back yet") from error
            return found
        return Withdrawn()


def content_cid(request: StorageRequest | None) -> Cid | None:
    """The CID of the verifiable manifest; None when it is none, or not known yet."""
    try:
        return None if request is None else Cid.decode(request.content.cid)
    except BadCid:
        return None


def _is(error: Reverted, name: str) -> bool:
    return str(error.facts.get("name", "")).endswith(name)
