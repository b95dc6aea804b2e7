"""The life of one link on the runner of all machines, in virtual time, with restarts."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

import pytest

from quire.base.errors import ChainUnreachable, InsufficientFunds, QuireError
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.kernels.signing import sign, sign_recoverable
from quire.point.link import At, LinkState
from quire.point.link_effects import (
    AskOffer,
    AskRenewal,
    AskSignature,
    Audit,
    Close,
    Fund,
    LeaveSlot,
    LinkEffect,
    Look,
    Pay,
    ReadClock,
    Reserve,
    Seal,
    SendData,
    SendMap,
    TakeSlot,
)
from quire.point.link_events import (
    Acked,
    Audited,
    Closed,
    Funded,
    LinkEvent,
    Mapped,
    NoAnswer,
    Now,
    Offered,
    Paid,
    Reserved,
    Room,
    Sealed,
    Signed,
    SlotLeft,
    SlotTaken,
)
from quire.point.offer import sign_offer
from quire.services.machines import Machines
from quire.sim.clock import SimClock
from quire.store.journal_memory import MemoryJournal
from support.link_kit import (
    DAY,
    MACHINE,
    OFFER,
    PAYEE_KEY,
    PEER_KEY,
    ROOT,
    link,
    receipt,
)
from support.link_page import ALL
from support.machine_kit import LoopChainClock, in_virtual_time

KEY = "a link"


@dataclass
class Provider:
    """A good one; `is_silent` while it is away, `errors` that come instead of an answer."""

    clock: SimClock
    done: Counter[str] = field(default_factory=Counter)
    bills: Counter[int] = field(default_factory=Counter)
    is_silent: bool = False
    errors: dict[type, list[QuireError]] = field(default_factory=dict)

    async def perform(self, state: LinkState, effect: LinkEffect) -> LinkEvent | None:
        pause = getattr(effect, "pause", None)
        await asyncio.sleep(0.01 + (pause or 0.0))
        self.done[type(effect).__name__] += 1
        if self.errors.get(type(effect)):
            raise self.errors[type(effect)].pop(0)
        now = int(self.clock.now())
        if self.is_silent and pause is not None:
            return NoAnswer(effect, "silence", now)
        return self._answer(state, effect, now)

    def _answer(self, state: LinkState, effect: LinkEffect, now: int) -> LinkEvent | None:
        match effect:
            case AskOffer():
                return Offered(state.offer)
            case AskSignature():
                return Signed(receipt(state, starts_at=now), now)
            case AskRenewal() if state.renewal is not None:
                terms = {"starts_at": state.expires_at, "expires_at": state.renewal.expires_at}
                return Signed(receipt(state, **terms), now)
            case Pay(number):
                self.bills[number] += 1
                return Paid(number, 1, now)
            case Audit():
                return Audited(True, now)
            case ReadClock():
                return Now(now)
        answers = {
            Reserve: Reserved(), Look: Room(1 << 90), Fund: Funded(), Seal: Sealed(ROOT),
            TakeSlot: SlotTaken(), SendMap: Mapped(b""), SendData: Acked(ALL),
            LeaveSlot: SlotLeft(), Close: Closed(),
        }  # fmt: skip
        return answers.get(type(effect))


@dataclass
class Client:
    clock: SimClock
    provider: Provider
    journal: MemoryJournal
    events: EventBus = field(init=False)

    def __post_init__(self) -> None:
        self.events = EventBus(self.clock)

    def machines(self) -> Machines[LinkState, LinkEvent, LinkEffect]:
        return Machines(
            MACHINE,
            self.journal,
            self.provider.perform,
            clock=self.clock,
            chain=LoopChainClock(self.clock),
            events=self.events,
            waits=Waits(self.clock),
        )


def client_of(clock: SimClock) -> tuple[Client, LinkState]:
    """With a link that begins now, for two days, renewed."""
    now = int(clock.now())
    offer = sign_offer(OFFER, partial(sign_recoverable, PAYEE_KEY), partial(sign, PEER_KEY))
    begun = link({"begins_at": now}, offer=offer, wanted_until=now + 2 * DAY)
    return Client(clock, Provider(clock), MemoryJournal(clock)), begun


def state_of(machines: Machines[LinkState, LinkEvent, LinkEffect]) -> LinkState:
    state = machines.state(KEY)
    assert state is not None
    return state


@pytest.mark.parametrize("restart_hours", [0, 7])
def test_a_link_is_audited_paid_and_renewed_for_a_week(restart_hours: int) -> None:
    async def main(clock: SimClock) -> None:
        client, begun = client_of(clock)
        machines = client.machines()
        await machines.begin(KEY, begun)
        for _ in range(7 * 24 // (restart_hours or 7 * 24)):
            await asyncio.sleep((restart_hours or 7 * 24) * 3600)
            if restart_hours:
                await machines.stop()
                client.journal = client.journal.reopened()
                machines = client.machines()
                await machines.start()
        state, provider = state_of(machines), client.provider
        assert state.at is At.SIGNED
        assert state.expires_at == begun.order.expires_at + 6 * DAY
        days = [1 << 20, (1 << 20) + 1]
        terms = [0, 1, *days, *(number + (1 << 20) for number in days), 3 << 20]
        assert provider.bills == Counter(dict.fromkeys(terms, 1))
        assert 7 * 24 - 5 <= provider.done["Audit"] <= 7 * 24 + 20
        assert provider.done["AskRenewal"] == 3
        assert provider.done["SendData"] == provider.done["Seal"] == 1
        await machines.stop()

    in_virtual_time(main)


def test_a_client_that_was_off_for_a_day_goes_on_with_an_unfinished_link() -> None:
    async def main(clock: SimClock) -> None:
        client, begun = client_of(clock)
        machines = client.machines()
        client.provider.is_silent = True
        await machines.begin(KEY, begun)
        await asyncio.sleep(20)
        assert state_of(machines).at is At.CREATED
        await machines.stop()
        await asyncio.sleep(DAY / 2)
        client.provider.is_silent = False
        client.journal = client.journal.reopened()
        machines = client.machines()
        await machines.start()
        await asyncio.sleep(100)
        assert state_of(machines).at is At.SIGNED
        await machines.stop()

    in_virtual_time(main)


def test_a_silent_provider_is_given_up_in_a_minute_before_and_in_hours_after_it_signed() -> None:
    async def main(clock: SimClock) -> None:
        client, begun = client_of(clock)
        machines = client.machines()
        client.provider.is_silent = True
        await machines.begin(KEY, begun)
        await asyncio.sleep(65)
        assert state_of(machines).at is At.FAILED
        assert state_of(machines).is_closed
        client.provider.is_silent = False
        await machines.begin(KEY, begun)
        await asyncio.sleep(30)
        assert state_of(machines).at is At.SIGNED
        client.provider.is_silent = True
        await asyncio.sleep(2.5 * 3600)
        assert state_of(machines).at is At.SIGNED
        await asyncio.sleep(1.5 * 3600)
        assert state_of(machines).at is At.LOST
        assert client.provider.bills == Counter({0: 1})
        await machines.stop()

    in_virtual_time(main)


def test_an_empty_wallet_and_an_unreachable_chain_are_waited_for() -> None:
    async def main(clock: SimClock) -> None:
        client, begun = client_of(clock)
        provider = client.provider
        provider.errors[Look] = [ChainUnreachable("no answer")] * 3
        poor = provider.perform

        async def perform(state: LinkState, effect: LinkEffect) -> LinkEvent | None:
            event = await poor(state, effect)
            return Room(0) if isinstance(effect, Look) and not provider.done["Fund"] else event

        provider.perform = perform  # type: ignore[method-assign]
        provider.errors[Fund] = [InsufficientFunds("the wallet is empty")] * 30
        machines = client.machines()
        await machines.begin(KEY, begun)
        await asyncio.sleep(20 * 60)
        state = state_of(machines)
        assert (state.at, state.is_paused) == (At.ESTABLISH_PAYMENT_CHANNEL, True)
        assert 15 <= provider.done["Fund"] <= 25
        await asyncio.sleep(15 * 60)
        assert state_of(machines).at is At.SIGNED
        await machines.stop()

    in_virtual_time(main)
