"""Signed values between nodes: offered to peers that keep them, and found again from the network.

    publish: own Pointers ─► MapPut to connected peers          find: own Pointers, connected peers,
                                                                whoever announces the locator (DHT)

A node that keeps no replicas answers these two messages of the replica protocol and no other.

Source   point.md 6.4 (MapPut, MapGet), 6.5
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass

from quire.base.clock import Clock
from quire.base.errors import BadEncoding, PeerError
from quire.base.waits import Waits
from quire.dataset.envelope.signed_blob import SignedBlob
from quire.formats.replica import ReplicaAnswer, ReplicaRequest, decode_request
from quire.formats.replica_asking import MapGet, MapPut
from quire.formats.replica_blob import MapBlob
from quire.formats.replica_codes import Code
from quire.formats.varint import Buffer
from quire.net.discovery import Finder
from quire.net.transport import Address, PeerId, Transport
from quire.services.pointer_answers import answer_pointers, received, to_send
from quire.services.pointers import Pointers, locator_cid
from quire.services.retail.replica_client import NOBODY, ReplicaClient

PEERS_TOLD = 16  # connected peers that a value is offered to
PEERS_ASKED = 16
ANSWERS_ENOUGH = 3  # values that agree on who signed; the highest version counts
ASK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Published:
    """Where a value is: how many peers keep it besides this node, of those that were asked."""

    kept: int
    asked: int


class PointerExchange:
    """As client of others, and as the smallest of servers."""

    def __init__(
        self,
        pointers: Pointers,
        client: ReplicaClient,
        transport: Transport,
        finder: Finder,
        clock: Clock,
        waits: Waits,
    ) -> None:
        self._pointers = pointers
        self._client = client
        self._transport = transport
        self._finder = finder
        self._clock = clock
        self._waits = waits

    async def answer(self, peer: PeerId, payload: memoryview) -> Sequence[Buffer]:
        """What a node without replicas answers."""
        try:
            request = decode_request(payload)
        except BadEncoding as error:
            return ReplicaAnswer(Code.REFUSED, error.message).segments()
        return (await self._answer(peer, request)).segments()

    async def _answer(self, peer: PeerId, request: ReplicaRequest) -> ReplicaAnswer:
        match request.body:
            case (MapPut() | MapGet()) as asked:
                return await answer_pointers(self._pointers, peer, asked)
            case _:
                return ReplicaAnswer(Code.REFUSED, "this node keeps no replicas for others")

    async def publish(self, blob: SignedBlob, seconds: float = ASK_SECONDS) -> Published | None:
        """Keep a value here and at connected peers; None when it is not kept here: a newer one is
        known, or it is none."""
        if not await self._pointers.put(blob):
            return None
        peers = list(self._connected())[:PEERS_TOLD]
        told = await asyncio.gather(*(self._tell(peer, blob, seconds) for peer in peers))
        return Published(sum(told), len(peers))

    async def find(self, locator: bytes, seconds: float) -> SignedBlob | None:
        """The value with the highest version that can be had within `seconds`.

        What peers send is checked to be signed under this locator; who sends anything else is not
        listened to.
        """
        deadline = self._clock.monotonic() + seconds
        search = _Search(locator)
        own = self._pointers.get(locator)
        if own is not None:
            search.found.append(own)
        reason = "asking for a signed value"
        with self._waits.waiting(str(locator_cid(locator)), reason, deadline):
            try:
                async with asyncio.timeout_at(deadline):
                    search.spawn(self._search(search, deadline))
                    await search.enough.wait()
            except TimeoutError:
                pass  # what was found so far counts
            finally:
                await search.stop()
        return max(search.found, key=lambda blob: blob.version, default=None)

    async def _search(self, search: _Search, deadline: float) -> None:
        """Ask connected peers, and whoever is found."""
        for peer in self._connected():
            search.ask(peer, self._ask(search, peer, ()))
        async for record in self._finder.find(locator_cid(search.locator), deadline):
            search.ask(record.peer, self._ask(search, record.peer, record.addresses))
        await search.all_answered()
        search.enough.set()

    async def _ask(self, search: _Search, peer: PeerId, addresses: Sequence[Address]) -> None:
        try:
            asked = MapGet(search.locator)
            answer = await self._client.ask(peer, addresses, NOBODY, asked, ASK_SECONDS)
        except PeerError:
            return
        if answer.code is Code.OK and isinstance(answer.body, MapBlob):
            search.take(received(answer.body))

    async def _tell(self, peer: PeerId, blob: SignedBlob, seconds: float) -> bool:
        try:
            answer = await self._client.ask(peer, (), NOBODY, MapPut(to_send(blob)), seconds)
        except PeerError:
            return False
        return answer.code is Code.OK

    def _connected(self) -> dict[PeerId, None]:
        return dict.fromkeys(each.peer for each in self._transport.connections())


class _Search:
    """The answers to one question."""

    def __init__(self, locator: bytes) -> None:
        self.locator = locator
        self.found: list[SignedBlob] = []
        self.enough = asyncio.Event()
        self._asked: dict[PeerId, asyncio.Task[None]] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}

    def spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        return task

    def ask(self, peer: PeerId, work: Coroutine[object, object, None]) -> None:
        """Ask each peer once, and not too many."""
        if peer in self._asked or len(self._asked) >= PEERS_ASKED:
            work.close()
            return
        self._asked[peer] = self.spawn(work)

    def take(self, blob: SignedBlob) -> None:
        """A value that came; counts when its owner signed it."""
        if blob.locator == self.locator:
            self.found.append(blob)
        if len(self.found) >= ANSWERS_ENOUGH:
            self.enough.set()

    async def all_answered(self) -> None:
        if self._asked:
            await asyncio.wait(list(self._asked.values()))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))
