"""All leases of this node: their machines, and who has what.

    begin, post ─► machine (point/lease_machine.py) ─► journal ─► effects: charge, look, drop

Read next: taking.py, which answers the client's questions with them.
"""

from __future__ import annotations

from collections.abc import Iterator

from quire.base.errors import Busy, QuireError
from quire.chain.values import Address
from quire.formats.replica_codes import LeaseState
from quire.point.billing import bill_key, first_term
from quire.point.dues import charged, owing_since
from quire.point.lease import (
    RECEIVED,
    SIGNED,
    Charge,
    Charged,
    CheckDues,
    Drop,
    Dropped,
    Dues,
    Hold,
    Lease,
    LeaseEffect,
    LeaseEvent,
    LeaseNow,
    LookAtClock,
    Lost,
    Progress,
)
from quire.point.lease_machine import LeaseMachine
from quire.point.values import BLOCK_BYTES, LinkId
from quire.services.machines import Machines
from quire.services.paying.payer import place_of
from quire.services.providing.ports import ProviderPorts
from quire.services.providing.replica_blocks import ReplicaBlocks
from quire.services.providing.room import Room

ON_THEIR_WAY = (LeaseState.MAPPED, LeaseState.RECEIVING, LeaseState.COMPLETE)


class Leases:
    """Keys are link ids as hex."""

    def __init__(self, ports: ProviderPorts, blocks: ReplicaBlocks, room: Room) -> None:
        self._ports = ports
        self._blocks = blocks
        self._room = room
        self._by_root: dict[bytes, dict[LinkId, None]] = {}
        self._by_client: dict[Address, dict[LinkId, None]] = {}
        self._machine = LeaseMachine()
        self.machines: Machines[Lease, LeaseEvent, LeaseEffect] = Machines(
            self._machine,
            ports.journal,
            self._perform,
            clock=ports.clock,
            chain=ports.hub.clock,
            events=ports.events,
            waits=ports.waits,
            place=place_of(ports.hub),
        )
        self.machines.listen(self._changed)

    async def start(self) -> None:
        """Go on where each lease was; what is here is asked of the store. Raises StoreCorrupt."""
        await self.machines.start()
        live = [lease for lease in self if lease.at is not LeaseState.DELETED]
        for lease in live:
            self._index(lease)
            here = self._blocks.have(lease).count()
            size = lease.order.blocks * BLOCK_BYTES
            self._room.hold(lease.order.link_id, size, here * BLOCK_BYTES)
            if lease.at not in SIGNED and here != lease.received:
                await self.post(lease, Progress(here))
            elif lease.at in SIGNED and here != lease.order.blocks:
                why = f"{lease.order.blocks - here} of its blocks are not on the disk any more"
                await self.post(lease, Lost(why))
        strays = await self._blocks.drop_strays([lease.order.link_id for lease in live])
        if strays:
            self._ports.events.publish(
                "provider.strays", "", f"{strays} replicas belonged to no link and were given up"
            )

    async def stop(self) -> None:
        await self.machines.stop()

    def __iter__(self) -> Iterator[Lease]:
        """All that are remembered, oldest first."""
        return iter(self.machines.states().values())

    def find(self, link_id: LinkId) -> Lease | None:
        return self.machines.state(link_id.hex())

    def with_root(self, root: bytes) -> Lease | None:
        """A lease of which every block is here, by the root of its blocks."""
        for link_id in self._by_root.get(root, ()):
            lease = self.find(link_id)
            if lease is not None and lease.at in RECEIVED:
                return lease
        return None

    def of_client(self, client: Address) -> list[Lease]:
        """Those that have not ended."""
        found = [self.find(link_id) for link_id in self._by_client.get(client, ())]
        return [lease for lease in found if lease is not None]

    def promised(self, client: Address) -> int:
        """First bills of replicas that are on their way: not in the account yet."""
        now, leases = self._ports.hub.clock.now(), self.of_client(client)
        return sum(first_bill(lease, now) for lease in leases if lease.at in ON_THEIR_WAY)

    def overdue_seconds(self, client: Address) -> int:
        """For how long he has owed something; 0: he owes nothing."""
        due = self._ports.income.due(client)
        if due <= 0:
            return 0
        bills = [bill for lease in self.of_client(client) for bill in charged(lease.terms)]
        since = owing_since(bills, due)
        return 0 if since is None else max(0, int(self._ports.hub.clock.now()) - since)

    def words(self, lease: Lease) -> str:
        """What is going on with it, for people."""
        return self._machine.words(lease)

    async def begin(self, lease: Lease) -> None:
        """A new lease, with its room. Raises DiskFull, Busy."""
        order = lease.order
        self._room.hold(order.link_id, order.blocks * BLOCK_BYTES)
        try:
            if not await self.machines.begin(order.link_id.hex(), lease):
                raise Busy("what was kept for this link before is being deleted")
        except QuireError:
            self._room.give_back(order.link_id)
            raise

    async def post(self, lease: Lease, event: LeaseEvent) -> Lease:
        """Raises DiskFull, Busy, NotFound."""
        return await self.machines.post(lease.order.link_id.hex(), event)

    async def charge(self, lease: Lease, number: int, amount: int) -> None:
        """Into the client's account; once for each number."""
        order = lease.order
        await self._ports.income.bill(order.client, bill_key(order.link_id, number), amount)

    async def forgive(self, lease: Lease) -> None:
        """Its owner has given it up: ask no more for its newest bill, if that is not paid."""
        newest = max(charged(lease.terms), key=lambda bill: bill.due_at, default=None)
        if newest is not None:
            await self._ports.income.forgive(lease.order.client, newest.amount)

    # ---- inside ----

    async def _perform(self, state: Lease, effect: LeaseEffect) -> LeaseEvent | None:
        now = int(self._ports.hub.clock.now())
        match effect:
            case Charge():
                await self.charge(state, effect.number, effect.amount)
                return Charged(effect.number)
            case CheckDues():
                return Dues(self.overdue_seconds(state.order.client), now)
            case LookAtClock():
                return LeaseNow(now)
            case Drop():
                await self._blocks.drop(state)
                return Dropped()
            case Hold():  # the store keeps it without end, until this machine drops it
                return None

    def _changed(self, _key: str, _before: Lease | None, lease: Lease) -> None:
        if lease.at is LeaseState.DELETED:
            self._forget(lease)
        else:
            self._index(lease)

    def _index(self, lease: Lease) -> None:
        link_id = lease.order.link_id
        self._by_client.setdefault(lease.order.client, {})[link_id] = None
        if lease.root:
            self._by_root.setdefault(lease.root, {})[link_id] = None

    def _forget(self, lease: Lease) -> None:
        for index, key in ((self._by_client, lease.order.client), (self._by_root, lease.root)):
            links = index.get(key, {})
            links.pop(lease.order.link_id, None)
            if not links:
                index.pop(key, None)


def first_bill(lease: Lease, now: float) -> int:
    """What would be due with a receipt of now."""
    order = lease.order
    if order.expires_at <= now:
        return 0
    term = first_term(order.offer.offer, order.sealed_bytes, int(now), order.expires_at)
    return term.bill(0).amount
