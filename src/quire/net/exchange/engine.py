"""The block exchange of one node: fetch from others, serve others. Begin reading here.

    fetch_manifest, fetch_block -> Hunt      one CID from whoever has it
    fetch_leaves                -> LeafHunt  the digests of a tree's leaves, without the blocks
    fetch, ensure               -> Transfer  one tree, in pieces, from several peers at once
    channels that peers open    -> Responder
    peers that speak another protocol (net/blockexc) are asked and served through a Dialect

A peer whose data does not verify is banned and named in an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from quire.base.clock import Clock
from quire.base.errors import (
    BadCid,
    BlockMissing,
    Busy,
    InputError,
    PeerError,
    PeerGone,
    PeerLied,
)
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.formats.cid import Cid, is_block, is_manifest
from quire.formats.exchange import MAX_MESSAGE_BYTES, HaveUpdate
from quire.formats.multihash import HASH_SHA256
from quire.net.exchange.borrow import Borrow
from quire.net.exchange.budget import Budget
from quire.net.exchange.by_cid import Hunt
from quire.net.exchange.context import BlockSink, ExchangeContext, ProviderSource
from quire.net.exchange.dialect import Dialect, DialectPorts
from quire.net.exchange.explain import Explanation
from quire.net.exchange.job import FetchJob, Progress
from quire.net.exchange.leaf_hunt import LeafHunt
from quire.net.exchange.ledger import Ledger
from quire.net.exchange.limits import ExchangeLimits
from quire.net.exchange.outlook import Outlook
from quire.net.exchange.peer_session import PeerSession
from quire.net.exchange.responder import Responder
from quire.net.exchange.sessions import Sessions
from quire.net.exchange.toll import Free, Toll
from quire.net.exchange.transfer import Transfer
from quire.net.exchange.transfers import Transfers
from quire.net.transport import Channel, PeerId, Transport
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.port import BlockStore

if TYPE_CHECKING:
    from asyncio import Future
    from concurrent.futures import Executor

__all__ = ["Ban", "Exchange", "FetchJob", "Progress"]


@dataclass(frozen=True, slots=True)
class Ban:
    """A peer that lied, until when it is refused, and what it did."""

    peer: PeerId
    until: float  # monotonic seconds
    reason: str


class Exchange:
    """Fetches from and serves other nodes. Deadlines are monotonic seconds."""

    def __init__(
        self,
        transport: Transport,
        store: BlockStore,
        finder: ProviderSource,
        *,
        clock: Clock,
        rng: Random,
        events: EventBus,
        waits: Waits,
        protocol_id: str,
        limits: ExchangeLimits | None = None,
        executor: Executor | None = None,
        dialect: Dialect | None = None,
        toll: Toll | None = None,
    ) -> None:
        limits, toll = limits or ExchangeLimits(), toll or Free()
        self.ledger = Ledger()
        self._transport = transport
        self._store = store
        self._clock = clock
        self._events = events
        self._limits = limits
        self._protocol_id = protocol_id
        self._bans: dict[PeerId, Ban] = {}
        self._transfers = Transfers()
        self._hunts: dict[Cid, Hunt] = {}
        self._leaf_hunts: dict[bytes, LeafHunt] = {}  # by tree root
        self._is_stopped = False
        self._dialect = dialect
        self._sessions = Sessions(
            transport,
            protocol_id,
            dialect,
            DialectPorts(
                limits, self.ledger, self._updated, self._session_ended, self.blame, executor
            ),
            toll,
        )
        self._responder = Responder(store, limits, self.ledger, toll)
        self._context = ExchangeContext(
            transport,
            store,
            finder,
            clock,
            rng,
            events,
            waits,
            limits,
            self.ledger,
            Budget(limits.bytes_in_flight),
            self._sessions,
            self.blame,
            self.is_banned,
            executor,
            toll,
        )

    async def start(self) -> None:
        """Serve the protocol; fetches are possible from now on."""
        self._transport.serve(
            self._protocol_id, self._on_channel, max_message_bytes=MAX_MESSAGE_BYTES
        )
        self._sessions.start()
        self._transport.on_peer_joined(self._peer_joined)

    async def stop(self) -> None:
        """End all fetches and sessions. Waiting consumers get `PeerGone`, later ones `Busy`."""
        self._is_stopped = True
        await self._transfers.stop(PeerGone("the node stops"))
        for search in self._searches():
            await search.stop(PeerGone("the node stops"))
        self._sessions.stop()
        await self._responder.stop()
        if self._dialect is not None:
            await self._dialect.stop()

    # ---- fetching ----

    async def fetch_manifest(self, cid: Cid, deadline: float) -> Dataset:
        """The dataset of a manifest CID, from the store or else from the network.

        Raises   BadCid            not the CID of a manifest
                 BadManifest       the manifest of this CID is not one
                 UnknownDataset    nobody who answered has it, up to `deadline`
                 DeadlineExceeded  somebody should have it and did not deliver
        """
        if not is_manifest(cid):
            raise BadCid(f"{cid} is not the CID of a manifest")
        data = await self.fetch_block(cid, deadline)
        expires_at = self._clock.now() + self._limits.manifest_seconds
        return await self._store.put_manifest(data, RetentionRoot("cache", "exchange", expires_at))

    async def fetch_block(self, cid: Cid, deadline: float) -> bytes:
        """A manifest or a single block, verified; a block is not kept."""
        if cid.hash_code != HASH_SHA256 or not (is_manifest(cid) or is_block(cid)):
            raise BadCid(f"{cid} is not the CID of a manifest or a block")
        try:
            return await self._store.read_block(cid)
        except BlockMissing:
            pass
        hunt = self._hunts.get(cid)
        if hunt is None or hunt.is_over:
            self._check_running()
            hunt = Hunt(self._context, cid)
            self._hunts[cid] = hunt
        try:
            return await hunt.wait(deadline)
        finally:
            if hunt.is_over and self._hunts.get(cid) is hunt:
                del self._hunts[cid]

    def fetch(self, dataset: Dataset) -> FetchJob:
        """Fetch all that is missing of a dataset, in the background; one fetch for each tree."""
        return FetchJob(self._transfer(dataset), self._clock.monotonic)

    async def ensure(self, dataset: Dataset, start: int, count: int, deadline: float) -> None:
        """Blocks [start, start + count) are readable from the store when this returns.

        They are fetched before anything else of the dataset.
        Raises   InputError        the range is not one of the dataset
                 DeadlineExceeded  with the reason  ·  QuotaExceeded, DiskFull
        """
        if start < 0 or count < 0 or start + count > dataset.block_count:
            raise InputError(
                f"blocks {start} to {start + count - 1} are not all in a dataset of "
                f"{dataset.block_count} blocks"
            )
        tree = self._store.tree(dataset.tree_root)
        if count == 0 or (tree is not None and tree.present.covers(start, start + count)):
            return
        await self._transfer(dataset).until_local(start, start + count, deadline)

    def borrow(self, dataset: Dataset) -> Borrow:
        """Reads blocks of other nodes without keeping them; to be closed."""

        def begin(sink: BlockSink) -> Transfer:
            self._check_running()
            return self._transfers.begin_passing(self._context, dataset, sink)

        return Borrow(dataset, begin)

    def arrived(self, dataset: Dataset, start: int, stop: int) -> None:
        """Blocks [start, stop) were put into the store by somebody else: who waits for them waits
        no more, and who was asked for them need not deliver."""
        transfer = self._transfers.find(dataset.tree_root)
        if transfer is not None:
            transfer.arrived(start, stop)

    async def fetch_leaves(self, dataset: Dataset, deadline: float) -> None:
        """The store knows the digests of all leaves of the dataset's tree when this returns.

        Raises   LeavesUnknown     nobody who answered can give them, up to `deadline`
                 DeadlineExceeded  somebody should have them and did not deliver, or lied
                 BlockMissing      the dataset is not registered  ·  DiskFull
        """
        root = dataset.tree_root
        unknown = await self._store.unknown_leaves(root)
        if not unknown:
            return
        hunt = self._leaf_hunts.get(root)
        if hunt is None or hunt.is_over:
            self._check_running()
            hunt = LeafHunt(self._context, dataset, unknown)
            self._leaf_hunts[root] = hunt
        try:
            await hunt.wait(deadline)
        finally:
            if hunt.is_over and self._leaf_hunts.get(root) is hunt:
                del self._leaf_hunts[root]

    # ---- insight ----

    def outlook(self, dataset: Dataset) -> Outlook | None:
        """What the peers of a fetch under way can be expected to deliver."""
        transfer = self._transfers.find(dataset.tree_root)
        return None if transfer is None else transfer.outlook()

    def changed(self, dataset: Dataset) -> Future[None] | None:
        """Done with the next change in the fetch under way; not to be cancelled."""
        transfer = self._transfers.find(dataset.tree_root)
        return None if transfer is None else transfer.changed()

    def status(self) -> dict[str, object]:
        """What is being asked of whom, and who asks us."""
        return {
            "fetches": [
                {
                    "cid": t.subject,
                    "verifiedBlocks": t.scheduler.done.count(),
                    "totalBlocks": t.scheduler.leaf_count,
                    "reason": t.reason(),
                    "peers": dict(t.received),
                }
                for t in self._transfers
            ],
            "searches": [{"cid": s.subject, "reason": s.describe()} for s in self._searches()],
            "peers": [_describe(session) for session in self._sessions.all().values()],
            "serving": [
                *self._responder.status(),
                *(self._dialect.status() if self._dialect is not None else ()),
            ],
            "bytesInFlight": self._context.budget.used_bytes,
            "bytesInFlightLimit": self._context.budget.limit_bytes,
        }

    @property
    def bytes_in_flight(self) -> int:
        """Asked of peers and not stored yet."""
        return self._context.budget.used_bytes

    def missing_blocks(self) -> int:
        """Blocks that the fetches under way lack."""
        return sum(t.scheduler.wanted().count() for t in self._transfers)

    def explain(self, cid: Cid) -> Explanation | None:
        """Why the fetch of a dataset, or the search for one manifest or block, is where it is;
        None when neither is under way."""
        for transfer in self._transfers:
            if transfer.subject == str(cid) or transfer.dataset.manifest.tree_cid == cid:
                return transfer.explain()
        for search in self._searches():
            if search.subject == str(cid) and not search.is_over:
                return search.explain()
        return None

    def banned(self) -> list[Ban]:
        """Peers that lied and are still refused, oldest first."""
        now = self._clock.monotonic()
        self._bans = {peer: ban for peer, ban in self._bans.items() if ban.until > now}
        return list(self._bans.values())

    def is_banned(self, peer: PeerId) -> bool:
        ban = self._bans.get(peer)
        return ban is not None and ban.until > self._clock.monotonic()

    def blame(self, peer: PeerId, problem: PeerLied, subject: str = "") -> None:
        """Ban a peer that lied and say so. `subject` is the CID that the lie was about."""
        if self.is_banned(peer):
            return
        seconds = self._limits.ban_seconds
        self._bans[peer] = Ban(peer, self._clock.monotonic() + seconds, problem.message)
        self._events.publish(
            "peer.banned",
            subject or peer,
            f"{peer} is banned for {seconds:.0f} s: {problem.message}",
            peer=peer,
            reason=problem.message,
        )
        self._sessions.end(peer, problem)
        self._transport.ban(peer, seconds, problem.message)

    # ---- called by transport and sessions ----

    async def _on_channel(self, channel: Channel) -> None:
        try:
            await self._responder.serve(channel)
        except PeerLied as problem:
            channel.abort(problem.message)
            self.blame(channel.peer, problem)
        except PeerError as problem:
            channel.abort(problem.message)

    def _peer_joined(self, peer: PeerId) -> None:
        self._transfers.peer_joined()
        for search in self._searches():
            search.peer_joined()

    def _updated(self, peer: PeerId, update: HaveUpdate) -> bool:
        return self._transfers.updated(peer, update)

    def _session_ended(self, session: PeerSession, problem: PeerError) -> None:
        if isinstance(problem, PeerLied):
            self.blame(session.peer, problem)
        self._transfers.session_ended(session, problem)

    def _transfer(self, dataset: Dataset) -> Transfer:
        transfer = self._transfers.find(dataset.tree_root)
        if transfer is None:
            self._check_running()
            transfer = self._transfers.begin(self._context, dataset)
        return transfer

    def _searches(self) -> list[Hunt | LeafHunt]:
        return [*self._hunts.values(), *self._leaf_hunts.values()]

    def _check_running(self) -> None:
        if self._is_stopped:
            raise Busy("the node is stopping and fetches nothing new; try another node")


def _describe(session: PeerSession) -> dict[str, object]:
    speed = session.estimate.bytes_per_second
    return {
        "peer": session.peer,
        "protocol": session.protocol,
        "openRequests": session.open_requests,
        "pendingBytes": session.pending_bytes,
        "windowBytes": session.estimate.window_bytes(),
        "bytesPerSecond": None if speed is None else round(speed),
        "rttSeconds": round(session.estimate.rtt_seconds, 6),
        "receivedBytes": session.account.received_bytes,
        "wastedBytes": session.account.wasted_bytes,
        "timeouts": session.account.timeouts,
    }
