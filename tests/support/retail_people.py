"""Nodes of a retail town: clients, and providers whose answers can be forged."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from quire.base.events import Event
from quire.chain.abi import address_text
from quire.chain.memory.hub import MemoryHub
from quire.dataset.envelope.derive import repair_of
from quire.dataset.envelope.header import Header
from quire.flow.decrypt import EncryptedContent
from quire.flow.encrypt import Encryption, encrypted
from quire.formats.cap import ReadCap, RepairCap, Suite
from quire.formats.replica import (
    MAX_MESSAGE_BYTES,
    ReplicaAnswer,
    ReplicaRequest,
    decode_answer,
    decode_request,
)
from quire.formats.replica_asking import SegmentData
from quire.formats.varint import Buffer
from quire.kernels.signing import address_of, sign_recoverable
from quire.net.answering import serve_requests
from quire.net.identity import Identity
from quire.node.keeping import Keeping
from quire.node.profile import Protocols
from quire.node.retail import Retail, RetailPorts, RetailSettings, join_client, join_retail
from quire.node.retail_choice import selection_secret
from quire.services.pointers import Pointers
from quire.services.providing.ports import ProviderPorts as KeeperPorts
from quire.services.providing.provider import Provider
from quire.services.providing.settings import ProviderSettings
from quire.services.retail.offer_client import OfferClient
from quire.services.retail.providers import ProviderPorts, Providers
from quire.services.retail.replica_client import ReplicaClient
from quire.services.retail.upload_status import UploadStatus
from quire.services.retail.uploads import UploadOrder, Uploads
from quire.sim.node import SimNode
from quire.sim.parts import Parts
from quire.store.journal_memory import MemoryJournal

if TYPE_CHECKING:
    from support.retail_town import RetailTown

T = TypeVar("T")
MIB = 1 << 20
PROTOCOLS = Protocols(exchange="/quire/exchange/1.0.0", kad="/kad")


@dataclass
class EncryptedFile:
    """What a user put: the content and the capability of it."""

    content: bytes
    cap: ReadCap

    @property
    def repair(self) -> RepairCap:
        return repair_of(self.cap)


@dataclass
class TownNode:
    """One node through its lives. `deposit`: tokens of its account."""

    town: RetailTown
    sim: SimNode
    identity: Identity
    key: bytes
    journal: MemoryJournal
    retail: Retail | None = None
    pointers: Pointers | None = None
    events: list[Event] = field(default_factory=list)

    @property
    def peer(self) -> str:
        return self.sim.peer_id

    @property
    def account(self) -> bytes:
        return address_of(self.key)

    @property
    def parts(self) -> Parts:
        life = self.sim.life
        assert life is not None
        assert life.parts is not None
        return life.parts

    # ---- life ----

    async def start(self) -> None:
        self.journal = self.journal.reopened()
        await self.sim.start()

    async def stop(self) -> None:
        await self.sim.stop()

    def kill(self, notice_seconds: float = 0.0) -> None:
        """The process is gone at this instant."""
        self.sim.crash(loses_power=False, notice_seconds=notice_seconds)

    async def join(self, parts: Parts) -> Callable[[float], Awaitable[object]]:
        """What runs beside the parts of a node: payments, keeping."""
        ground, joined = parts.ground.shared, parts.joined
        ground.events.listen(self.events.append)
        hub = MemoryHub(self.town.chain, self.account, ground.clock)
        ports = RetailPorts(hub, self.journal, self.sign, joined.transport, PROTOCOLS)
        retail = self.retail = join_retail(ports, RetailSettings(), ground)
        client = ReplicaClient(retail.requests, PROTOCOLS.replica, ground.clock)
        choice = Providers(
            ProviderPorts(
                transport=joined.transport,
                finder=joined.finder,
                ask_offer=OfferClient(client, ground.clock).ask,
                domain=hub.domain,
                chain=hub.clock,
                journal=self.journal,
                clock=ground.clock,
                events=ground.events,
                waits=ground.waits,
            ),
            selection_secret(self.identity),
        )
        announcer = joined.announcer
        pointers = self.pointers = Pointers(
            self.journal, ground.clock, announcer.announce, announcer.withdraw
        )
        join_client(retail, choice, ports, self.identity, ground, joined, pointers)
        await pointers.start()
        await retail.start()

        async def stop(_: float) -> None:
            await retail.stop()

        return stop

    async def deposit(self, amount: int) -> None:
        """Tokens of the account into the hub."""
        await MemoryHub(self.town.chain, self.account, self.sim.clock).deposit(amount)

    def sign(self, digest: bytes) -> bytes:
        return sign_recoverable(self.key, digest)

    async def links_in_journal(self) -> list[bytes]:
        """Ids of the links that are known after a start."""
        domain = self.town.chain.hub
        kind = f"link {domain.chain_id}/{address_text(domain.contract)}"
        return [bytes.fromhex(key) for key in await self.journal.read(kind)]

    # ---- what users do ----

    @property
    def keeping(self) -> Keeping:
        assert self.retail is not None
        assert self.retail.keeping is not None
        return self.retail.keeping

    @property
    def uploads(self) -> Uploads:
        return self.keeping.uploads

    async def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """As the node: what it begins ends with it."""
        return await self.sim.call(lambda _: work())

    async def encrypt(self, size: int, seed: int = 0) -> EncryptedFile:
        """A random content of so many bytes, encrypted and put into the node's store."""
        rng = random.Random(f"{size}/{seed}")
        content = rng.randbytes(size)
        plan = Encryption.of(rng.randbytes(32), Suite.AES_256_GCM, Header(size, "a.bin"))

        async def source(start: int) -> AsyncGenerator[bytes, None]:
            yield content[start:]

        async def put() -> EncryptedFile:
            upload = self.parts.store.begin_upload(block_size=65536)
            async for piece in encrypted(plan, source):
                await upload.write(piece)
            dataset = await upload.commit()
            return EncryptedFile(content, plan.read_cap(dataset.manifest_cid))

        return await self.call(put)

    async def put(self, file: EncryptedFile, **order: Any) -> str:
        return await self.call(lambda: self.uploads.put(file.repair, UploadOrder(**order)))

    async def until_safe(self, key: str, seconds: float = 600.0) -> UploadStatus:
        deadline = self.sim.clock.monotonic() + seconds
        return await self.call(lambda: self.uploads.wait(key, deadline))

    async def read(self, cap: ReadCap, start: int = 0, stop: int | None = None) -> bytes:
        """The content of a file, by its capability, from the holders of its replicas."""
        retrieval, repair = self.keeping.retrieval, repair_of(cap)

        async def read() -> bytes:
            found = await retrieval.find(repair)
            async with retrieval.reading(repair, found) as file:
                size = found.manifest.dataset_size

                def part(low: int, high: int) -> AsyncGenerator[memoryview, None]:
                    return file.stream(low, high - low)

                opened = await EncryptedContent.open(cap, size, part)
                end = opened.size if stop is None else stop
                return b"".join([piece async for piece in opened.read(start, end, part)])

        return await self.call(read)

    def said(self, kind: str) -> list[str]:
        """The words of the events of a kind that this node has published."""
        return [event.message for event in self.events if event.kind == kind]


# What a provider answers instead of what it means to; None: nothing at all.
Forge: TypeAlias = Callable[[ReplicaRequest, ReplicaAnswer], ReplicaAnswer | None]


@dataclass
class Keeper(TownNode):
    """A provider. `forge` changes its answers; `asked` counts what it was asked, by kind, and
    `taken` the blocks that it was sent."""

    settings: ProviderSettings = field(default_factory=lambda: ProviderSettings(1, 1, 1))
    forge: Forge | None = None
    provider: Provider | None = None
    asked: Counter[str] = field(default_factory=Counter)
    taken: int = 0

    async def join(self, parts: Parts) -> Callable[[float], Awaitable[object]]:
        stop_rest = await super().join(parts)
        ground, joined, retail = parts.ground.shared, parts.joined, self.retail
        assert retail is not None
        assert self.pointers is not None
        ports = KeeperPorts(
            store=parts.store,
            journal=self.journal,
            hub=retail.hub,
            income=retail.income,
            identity=self.identity,
            sign=self.sign,
            pointers=self.pointers,
            clock=ground.clock,
            events=ground.events,
            waits=ground.waits,
        )
        provider = self.provider = Provider(ports, self.settings, joined.announcer.announce)
        await provider.start()
        answering = serve_requests(
            joined.transport,
            PROTOCOLS.replica,
            partial(self._answer, provider),
            ground.events,
            max_message_bytes=MAX_MESSAGE_BYTES,
        )

        async def stop(deadline: float) -> None:
            await answering.stop()
            await provider.stop()
            await stop_rest(deadline)

        return stop

    async def _answer(self, provider: Provider, peer: str, payload: memoryview) -> Sequence[Buffer]:
        request = decode_request(payload)
        self.asked[type(request.body).__name__] += 1
        if isinstance(request.body, SegmentData):
            self.taken += request.body.count
        segments = await provider.answer(peer, payload)
        if self.forge is None:
            return segments
        answer = self.forge(request, decode_answer(b"".join(segments)))
        if answer is None:
            await asyncio.Event().wait()  # it is never heard of
        assert answer is not None
        return answer.segments()

    def paid(self, client: TownNode) -> int:
        """What vouchers of a client have promised to this provider."""
        assert self.retail is not None
        return self.retail.income.account(client.account).received
