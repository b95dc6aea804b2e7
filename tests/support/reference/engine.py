"""The block exchange with the reference's habits (network.md 2.5 to 2.9).

- the first peer that answers to wantHave is asked for everything (first responder takes all)
- deliveries of 20 blocks; an answer to wantHave is never repeated, and none is given at all for an
  address that is in the peer's want-list already
- a peer that owes a block and sends none for a minute is disconnected
- a block is taken only when it was asked for at this peer; a proof only has to be computable
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from support.reference.bytes_ import Malformed
from support.reference.content import Address, Content, Held, decode_manifest
from support.reference.messages import WANT_BLOCK, WANT_HAVE, Entry, Received, encode

BLOCKS = 20
ENTRIES = 1024
WINDOW, REFILL = 1024, 768


@dataclass
class Habits:
    """How a node behaves. The defaults are the reference's, with shorter times."""

    silence_seconds: float = 60.0
    idle_seconds: float = 300.0
    protocols: tuple[str, ...] = ("/codex/blockexc/1.0.0",)
    trimmed: bool = False  # messages as Archivist sends them
    refresh_seconds: float = 0.3  # between want-lists to peers that do not answer
    pause_seconds: float = 0.01  # of the read loop, after every 50 ms of reading
    spoil: Callable[[Address, Held], Held | None] = lambda _, held: held  # None: never sent
    dies_after: int | None = None  # blocks sent, then the connection ends


@dataclass
class Partner:
    """What the engine knows of a peer."""

    send: Callable[[bytes], None]
    hang_up: Callable[[], None]
    wanted: dict[Address, None] = field(default_factory=dict)  # wantBlock of the peer
    in_flight: set[Address] = field(default_factory=set)
    haves: set[Address] = field(default_factory=set)
    asked: set[Address] = field(default_factory=set)  # of it, by us
    active_at: float = 0.0
    serving: asyncio.Task[None] | None = None


class Engine:
    """Requester and responder of one node."""

    def __init__(self, content: Content, habits: Habits) -> None:
        self.content = content
        self.habits = habits
        self.partners: dict[str, Partner] = {}
        self.spurious = 0
        self.blocks_from: dict[str, int] = {}
        self.sent_blocks = 0
        self._pending: dict[Address, asyncio.Future[Held]] = {}
        self._loop = asyncio.get_running_loop()

    # ---- asking ----

    async def fetch(self, manifest_cid: bytes) -> bytes:
        """A whole dataset: the manifest, then windows of its leaves."""
        manifest = (await self._get([Address(manifest_cid)]))[0]
        root, block_size, size = decode_manifest(manifest.data)
        leaves = [Address(root, index) for index in range(-(-size // block_size))]
        for at in range(0, len(leaves), REFILL):
            await self._get(leaves[at : at + REFILL])
        return self.content.dataset(manifest.data)

    async def _get(self, addresses: list[Address]) -> list[Held]:
        missing = [a for a in addresses if a not in self.content.blocks]
        for address in missing:
            self._pending.setdefault(address, self._loop.create_future())
        while left := [a for a in missing if a in self._pending]:
            self._refresh()
            waiting = [self._pending[a] for a in left]
            await asyncio.wait(waiting, timeout=self.habits.refresh_seconds)
            self._drop_silent()
        return [self.content.blocks[a] for a in addresses]

    def _refresh(self) -> None:
        for partner in self.partners.values():
            want = [a for a in self._pending if a not in partner.haves]
            for at in range(0, len(want), ENTRIES):
                batch = [Entry(a, WANT_HAVE) for a in want[at : at + ENTRIES]]
                self._send(partner, entries=batch, full=at == 0)

    def _drop_silent(self) -> None:
        now = self._loop.time()
        for partner in list(self.partners.values()):
            if partner.asked and now - partner.active_at > self.habits.silence_seconds:
                partner.hang_up()

    def _claim(self, partner: Partner) -> None:
        """Everything that nobody was asked for is asked of whoever has just answered."""
        taken = {a for other in self.partners.values() for a in other.asked}
        mine = [a for a in self._pending if a in partner.haves and a not in taken]
        if not mine:
            return
        if not partner.asked:
            partner.active_at = self._loop.time()
        partner.asked.update(mine)
        for at in range(0, len(mine), ENTRIES):
            self._send(partner, entries=[Entry(a, WANT_BLOCK) for a in mine[at : at + ENTRIES]])

    def _deliver(self, peer: str, partner: Partner, address: Address, held: Held) -> None:
        if address not in partner.asked:
            self.spurious += 1
            return
        partner.asked.discard(address)
        partner.active_at = self._loop.time()
        waiting = self._pending.pop(address, None)
        if waiting is None:
            return
        self.content.blocks[address] = held
        self.blocks_from[peer] = self.blocks_from.get(peer, 0) + 1
        waiting.set_result(held)
        for other in self.partners.values():
            if address in other.asked:
                other.asked.discard(address)
                self._send(other, entries=[Entry(address, WANT_BLOCK, cancel=True)])

    # ---- serving ----

    def _answer(self, partner: Partner, entries: list[Entry]) -> None:
        presences: list[tuple[Address, bool]] = []
        for entry in entries:
            address, is_here = entry.address, entry.address in self.content.blocks
            if address in partner.wanted:
                if entry.cancel:
                    del partner.wanted[address]
            elif entry.cancel:
                continue
            elif entry.kind == WANT_HAVE:
                if is_here or entry.dont_have:
                    presences.append((address, is_here))
            else:
                partner.wanted[address] = None
        for at in range(0, len(presences), ENTRIES):
            self._send(partner, presences=presences[at : at + ENTRIES])
        if partner.wanted and (partner.serving is None or partner.serving.done()):
            partner.serving = self._loop.create_task(self._serve(partner))

    async def _serve(self, partner: Partner) -> None:
        while batch := [
            a for a in partner.wanted if a not in partner.in_flight and a in self.content.blocks
        ][:BLOCKS]:
            partner.in_flight.update(batch)
            await asyncio.sleep(0)
            out = [(a, self.habits.spoil(a, self.content.blocks[a])) for a in batch]
            self._send(partner, deliveries=[(a, held) for a, held in out if held is not None])
            self.sent_blocks += len(batch)
            for address, held in out:
                partner.in_flight.discard(address)
                if held is not None or address in partner.wanted:
                    partner.wanted.pop(address, None)
            most = self.habits.dies_after
            if most is not None and self.sent_blocks >= most:
                partner.hang_up()
                return

    # ---- both ----

    def take(self, peer: str, message: Received) -> None:
        partner = self.partners.get(peer)
        if partner is None:
            return
        for address, held in message.deliveries:
            self._deliver(peer, partner, address, held)
        news = {a for a, has in message.presences if has and a in self._pending}
        partner.haves |= news
        if news:
            self._claim(partner)
        self._answer(partner, message.entries)

    def joined(self, peer: str, partner: Partner) -> None:
        self.partners[peer] = partner
        self._refresh()

    def left(self, peer: str) -> None:
        partner = self.partners.pop(peer, None)
        if partner is not None and partner.serving is not None:
            partner.serving.cancel()
        for other in self.partners.values():
            self._claim(other)

    def _send(
        self,
        partner: Partner,
        *,
        entries: list[Entry] | None = None,
        deliveries: list[tuple[Address, Held]] | None = None,
        presences: list[tuple[Address, bool]] | None = None,
        full: bool = False,
    ) -> None:
        data = encode(
            entries=entries,
            deliveries=deliveries,
            presences=presences,
            full=full,
            trimmed=self.habits.trimmed,
        )
        try:
            partner.send(data)
        except (OSError, Malformed):
            return
