"""Fetching one manifest or block by its own CID, from whoever has it first."""

from __future__ import annotations

import hashlib

from quire.base.errors import DeadlineExceeded, PeerLied, QuireError, UnknownDataset
from quire.base.spans import span
from quire.formats.cid import Cid, is_manifest
from quire.formats.exchange import Status
from quire.net.exchange.context import ExchangeContext
from quire.net.exchange.search import Search
from quire.net.transport import PeerId


class Hunt(Search[bytes]):
    """The search for one CID. `wait` raises UnknownDataset when nobody has it."""

    def __init__(self, context: ExchangeContext, cid: Cid) -> None:
        self.cid = cid
        super().__init__(context, str(cid), (cid,), "looking for it")

    async def _ask(self, peer: PeerId) -> str:
        deadline = self._context.clock.monotonic() + self._context.limits.answer_seconds
        session = await self._context.sessions.get(peer, deadline)
        with span("exchange.block", cid=self.cid, peer=peer):
            reply = await session.ask_block(self.cid, deadline)
        self._asked[peer] = None
        if reply.status is not Status.OK:
            return f"answers {reply.status.name}"
        if hashlib.sha256(reply.data).digest() != self.cid.digest:
            raise PeerLied(
                f"{peer} sent {len(reply.data)} bytes that are not {self.cid}", peer=peer
            )
        self._context.ledger.received(peer, session.protocol, len(reply.data), 1)
        if not self._found.done():
            self._found.set_result(bytes(reply.data))
        return ""

    def _not_found(self) -> QuireError:
        what = "manifest" if is_manifest(self.cid) else "block"
        text = f"the {what} {self.cid} was not found in time: {self.describe()}"
        if self._is_somebody_to_blame:
            return DeadlineExceeded(text, liars=", ".join(self._candidates.liars))
        return UnknownDataset(text)
