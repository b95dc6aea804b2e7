"""All links of one node, by the chunk that they are replicas of."""

from __future__ import annotations

from collections.abc import Callable

from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.abi import address_text
from quire.chain.hub import HubDomain
from quire.channels.port import Payments
from quire.point.link import LinkState
from quire.point.link_effects import LinkEffect
from quire.point.link_events import LinkEvent
from quire.point.link_machine import LinkMachine
from quire.point.link_moves import first_amount
from quire.services.machines import Machines
from quire.services.retail.link_ports import LinkPorts
from quire.services.retail.link_work import LinkWork
from quire.services.retail.send_slots import SendSlots
from quire.store.journal import Journal

KEPT_ENDED = 1 << 16  # a provider that failed once for a chunk is not asked again for it


class LinkTable:
    """`changed` is told the upload and the chunk of each link whose state has changed."""

    def __init__(
        self,
        ports: LinkPorts,
        domain: HubDomain,
        journal: Journal,
        events: EventBus,
        waits: Waits,
        changed: Callable[[LinkState | None, LinkState], None],
        slots: SendSlots | None = None,
    ) -> None:
        self._chunks: dict[tuple[bytes, int], dict[str, None]] = {}
        self._changed = changed
        self.machine = LinkMachine(_payer(ports.payments), domain)
        self.work = LinkWork(ports, slots or SendSlots(), self._post, self._beside)
        self.machines: Machines[LinkState, LinkEvent, LinkEffect] = Machines(
            self.machine,
            journal,
            self.work.perform,
            clock=ports.clock,
            chain=ports.chain,
            events=events,
            waits=waits,
            place=f"{domain.chain_id}/{address_text(domain.contract)}",
            kept_ended=KEPT_ENDED,
        )
        self.machines.listen(self._listen)

    async def start(self) -> None:
        """Every link goes on where it was. Raises StoreCorrupt."""
        await self.machines.start()
        for key, link in self.machines.states().items():
            self._index(key, link)

    async def stop(self) -> None:
        await self.machines.stop()

    async def begin(self, link: LinkState) -> None:
        """Durable on return. Raises DiskFull, Busy."""
        await self.machines.begin(link.order.link_id.hex(), link)

    async def tell(self, link: LinkState, event: LinkEvent) -> None:
        """Hand an event to a link."""
        await self._post(link, event)

    def of(self, upload_id: bytes, chunk: int) -> list[LinkState]:
        """Links of a chunk, ended ones too, oldest first."""
        found = (self.machines.state(key) for key in self._chunks.get((upload_id, chunk), {}))
        return [link for link in found if link is not None]

    def of_upload(self, upload_id: bytes) -> list[LinkState]:
        """All its links, by chunk."""
        chunks = sorted(chunk for upload, chunk in self._chunks if upload == upload_id)
        return [link for chunk in chunks for link in self.of(upload_id, chunk)]

    def live(self) -> list[LinkState]:
        return [link for link in self.machines.states().values() if link.is_live]

    def _beside(self, link: LinkState) -> int:
        """First bills, not paid yet, of the other links of the same payee."""
        payee = link.offer.offer.payee
        return sum(
            first_amount(other)
            for other in self.live()
            if not other.is_held
            and other.offer.offer.payee == payee
            and other.order.link_id != link.order.link_id
        )

    async def _post(self, link: LinkState, event: LinkEvent) -> None:
        await self.machines.post(link.order.link_id.hex(), event)

    def _listen(self, key: str, before: LinkState | None, now: LinkState) -> None:
        self._index(key, now)
        self._changed(before, now)

    def _index(self, key: str, link: LinkState) -> None:
        order = link.order
        self._chunks.setdefault((order.upload_id, order.chunk), {})[key] = None


def _payer(payments: Payments) -> bytes:
    return payments.payer
