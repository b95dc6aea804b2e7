"""The fetches under way: one for each tree that goes to the store, and any number that pass by."""

from __future__ import annotations

from collections.abc import Iterator

from quire.base.errors import PeerError, QuireError
from quire.formats.exchange import HaveUpdate
from quire.net.exchange.context import BlockSink, ExchangeContext
from quire.net.exchange.peer_session import PeerSession
from quire.net.exchange.transfer import Transfer
from quire.net.transport import PeerId
from quire.store.dataset import Dataset


class Transfers:
    """Begins fetches and tells all of them what concerns them."""

    def __init__(self) -> None:
        self._stored: dict[bytes, Transfer] = {}  # by tree root
        self._passing: dict[Transfer, None] = {}

    def find(self, root: bytes) -> Transfer | None:
        """The fetch of a tree into the store, if one is under way."""
        return self._stored.get(root)

    def begin(self, context: ExchangeContext, dataset: Dataset) -> Transfer:
        """A fetch into the store; there is none of this tree yet."""
        transfer = Transfer(context, dataset, self._over)
        self._stored[dataset.tree_root] = transfer
        return transfer

    def begin_passing(
        self, context: ExchangeContext, dataset: Dataset, sink: BlockSink
    ) -> Transfer:
        """A fetch that hands its blocks to `sink`."""
        transfer = Transfer(context, dataset, self._over, sink)
        self._passing[transfer] = None
        return transfer

    def __iter__(self) -> Iterator[Transfer]:
        return iter([*self._stored.values(), *self._passing])

    def peer_joined(self) -> None:
        for transfer in self:
            transfer.peer_joined()

    def updated(self, peer: PeerId, update: HaveUpdate) -> bool:
        """A peer holds more; whether any fetch wants to know."""
        told = [t.updated(peer, update) for t in self if t.dataset.tree_root == update.root]
        return any(told)

    def session_ended(self, session: PeerSession, problem: PeerError) -> None:
        for transfer in self:
            transfer.session_ended(session, problem)

    async def stop(self, problem: QuireError) -> None:
        """End all; whoever still waits gets `problem`."""
        for transfer in self:
            await transfer.stop(problem)

    def _over(self, transfer: Transfer) -> None:
        self._passing.pop(transfer, None)
        if self._stored.get(transfer.dataset.tree_root) is transfer:
            del self._stored[transfer.dataset.tree_root]
