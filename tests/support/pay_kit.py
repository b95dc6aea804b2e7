"""Payers and payees on a hub in memory, with a line between them that loses what it is told to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from quire.base.clock import Clock
from quire.base.errors import PeerSilent
from quire.base.events import Event, EventBus
from quire.base.waits import Waits
from quire.chain.hub import Hub
from quire.chain.memory.hub import MemoryHub
from quire.chain.memory.world import MemoryWorld
from quire.channels.claims import ClaimPolicy
from quire.channels.topup import TopUpPolicy
from quire.formats.pay import decode_pay_request
from quire.kernels.signing import address_of, sign_recoverable
from quire.services.paying.claiming import Claiming
from quire.services.paying.payee import Payee
from quire.services.paying.payer import Payer, PayerPorts
from quire.services.paying.voucher_line import VoucherLine
from quire.store.journal_memory import MemoryJournal
from support.memory_world import RIGHT_NOW, TERMS

PROTOCOL = "/quire/pay/1.0.0"
OUR_PEER = "the payer's peer"
PAYER_KEY, PAYEE_KEY, OTHER_KEY, DELEGATE_KEY = (bytes([number]) * 32 for number in range(1, 5))
PAYER, PAYEE, OTHER, DELEGATE = map(address_of, (PAYER_KEY, PAYEE_KEY, OTHER_KEY, DELEGATE_KEY))
KEYS = {PAYER: PAYER_KEY, PAYEE: PAYEE_KEY, OTHER: OTHER_KEY, DELEGATE: DELEGATE_KEY}
TOKENS = 1_000_000


def a_hub_world(*, tokens: int = TOKENS) -> MemoryWorld:
    """Each account has tokens outside the hub, and gas."""
    world = MemoryWorld(TERMS, RIGHT_NOW)
    for account in KEYS:
        world.mint(account, tokens)
    return world


@dataclass
class Faults:
    """Of the line: how many of the next requests, or of their answers, are lost."""

    requests: int = 0
    answers: int = 0


class Wire:
    """Requests go straight to the payee of a peer."""

    def __init__(self) -> None:
        self.payees: dict[str, Payee] = {}
        self.faults = Faults()
        self.sent: list[bytes] = []

    async def ask(
        self,
        peer: str,
        protocol: str,
        segments: Sequence[bytes],
        *,
        deadline: float,
        max_message_bytes: int,
    ) -> memoryview:
        assert protocol == PROTOCOL
        message = b"".join(segments)
        assert len(message) <= max_message_bytes
        self.sent.append(message)
        if self.faults.requests:
            self.faults.requests -= 1
            raise PeerSilent(f"{peer} did not answer", peer=peer)
        answer = await self.deliver(peer, message)
        if self.faults.answers:
            self.faults.answers -= 1
            raise PeerSilent(f"{peer} did not answer", peer=peer)
        return memoryview(answer)

    async def deliver(self, peer: str, message: bytes) -> bytes:
        return (await self.payees[peer].answer(decode_pay_request(message))).encode()


@dataclass
class Town:
    """One payer and one payee, `peer`, as services; both can be started again."""

    clock: Clock
    world: MemoryWorld | None
    wire: Wire = field(default_factory=Wire)
    policy: TopUpPolicy = field(default_factory=TopUpPolicy)
    claims: ClaimPolicy = field(default_factory=lambda: ClaimPolicy(threshold=10**18))
    peer: str = "peer"
    hubs: tuple[Hub, Hub] | None = None  # where there is no world; of payer and payee
    payer_key: bytes = PAYER_KEY

    def __post_init__(self) -> None:
        self.events = EventBus(self.clock)
        self.waits = Waits(self.clock)
        if self.world is not None:
            self.hubs = (MemoryHub(self.world, PAYER), MemoryHub(self.world, PAYEE))
        self.payer_hub, self.payee_hub = self.hubs
        self.payer_journal = MemoryJournal(self.clock)
        self.payee_journal = MemoryJournal(self.clock)
        self.make_payer()
        self.make_payee()

    def make_payer(self) -> None:
        line = VoucherLine(self.wire, PROTOCOL, self.waits)
        ports = PayerPorts(
            self.payer_hub,
            self.payer_journal,
            line,
            lambda digest: sign_recoverable(self.payer_key, digest),
            OUR_PEER,
        )
        self.payer = Payer(
            ports, clock=self.clock, events=self.events, waits=self.waits, policy=self.policy
        )

    def make_payee(self) -> None:
        self.payee = Payee(self.payee_hub, self.payee_journal, self.events)
        self.claiming = Claiming(
            self.payee_hub, self.payee, events=self.events, waits=self.waits, policy=self.claims
        )
        self.wire.payees[self.peer] = self.payee

    async def __aenter__(self) -> Town:
        await self.payer.start()
        await self.payee.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.payer.stop()
        await self.claiming.stop()
        await self.payee.stop()

    async def restart_payer(self, journal: MemoryJournal | None = None) -> None:
        await self.payer.stop()
        self.payer_journal = journal or self.payer_journal.reopened()
        self.make_payer()
        await self.payer.start()

    async def restart_payee(self, journal: MemoryJournal | None = None) -> None:
        await self.claiming.stop()
        await self.payee.stop()
        self.payee_journal = journal or self.payee_journal.reopened()
        self.make_payee()
        await self.payee.start()

    async def pay(self, bill: str, amount: int, *, is_billed: bool = True) -> int:
        """As after a delivery: the payee has billed it."""
        if is_billed:
            await self.payee.bill(self.payer_hub.account, bill, amount)
        return await self.payer.pay(bill, self.peer, self.payee_hub.account, amount)

    async def channel(self):
        pair = (self.payer_hub.account, self.payee_hub.account)
        return (await self.payer_hub.channels([pair]))[0]

    def pass_time(self, seconds: int) -> None:
        """On the chain."""
        assert self.world is not None
        self.world.set_time(self.world.head.timestamp + seconds)
        self.world.mine()

    def told(self, kind: str) -> list[Event]:
        return [event for event in self.events.history() if event.kind == kind]
