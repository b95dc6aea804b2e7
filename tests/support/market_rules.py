"""What must hold after every call of the marketplace, whatever was called.

Source   market.md 2.13 (the formal rules of the reference, with the mendings of 2.11)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire.chain.memory.ledger import Ledger
from quire.chain.memory.state import RequestRecord, SlotRecord, State
from quire.chain.values import RequestState, SlotState

if TYPE_CHECKING:
    from support.contract_twin import Twin

START = ("fillSlot",)
CANCEL = ("withdrawFunds(bytes32)", "withdrawFunds(bytes32,address)")
FREE = ("freeSlot(bytes32)", "freeSlot(bytes32,address,address)")
FINISH = (*FREE, *CANCEL)
MARK_MANY = "markProofsAsMissing"
FAIL = (*FREE, "markProofAsMissing", MARK_MANY)
CAUSES = {
    RequestState.STARTED: START,
    RequestState.CANCELLED: CANCEL,
    RequestState.FINISHED: FINISH,
    RequestState.FAILED: FAIL,
}
ENDS = (RequestState.CANCELLED, RequestState.FINISHED, RequestState.FAILED)


def check_step(twin: Twin, name: str, before: State, after: Ledger) -> None:
    check_money(twin, after)
    assert after.state.received >= before.received
    assert after.state.sent >= before.sent
    assert after.state.burned >= before.burned
    changed = 0
    for request, record in after.state.requests.items():
        _check_request(after, record)
        old = before.requests.get(request)
        if old is not None and old.state is not record.state:
            changed += 1
            assert name in CAUSES[record.state], f"{name} led to {record.state!r}"
            is_end = old.state in ENDS
            assert not is_end, f"{old.state!r} was not the end"
    assert changed <= 1 or name == MARK_MANY
    moved = 0
    for slot, held in after.state.slots.items():
        _check_slot(after, slot, held)
        was = before.slots.get(slot)
        if was is not None and was.state is not held.state:
            moved += 1
            _check_move(was, held)
    assert moved <= 1 or name == MARK_MANY


def check_money(twin: Twin, after: Ledger) -> None:
    """Every token has an owner, or is to be burnt."""
    state = after.state
    assert sum(state.tokens.values()) == twin.supply
    balance = state.tokens.get(twin.here, 0)
    assert balance == state.received - state.sent - state.burned
    clients = sum(_client_part(after, each) for each in state.requests.values())
    hosts = sum(_host_part(after, each) for each in state.slots.values())
    repairs = sum(_repair_part(after, each) for each in state.slots.values())
    deposits = len(state.registered) * twin.setup.deposit
    assert balance == clients + hosts + repairs + deposits + state.burnable


def _client_part(after: Ledger, record: RequestRecord) -> int:
    if record.is_withdrawn:
        return 0
    ask = record.request.ask
    match _state(after, record):
        case RequestState.FAILED:
            return ask.max_price
        case RequestState.CANCELLED:
            unpaid = (record.ends_at - record.expires_at) * ask.price_per_slot_per_second
            return record.funds + record.filled * unpaid
    return record.funds


def _host_part(after: Ledger, slot: SlotRecord) -> int:
    """Reward due, and collateral less what validators got of it."""
    if slot.state is not SlotState.FILLED:
        return 0
    record = after.state.requests[slot.request_id]
    ask = record.request.ask
    left = ask.collateral_per_slot - slot.missed * after.validator_reward(ask)
    match _state(after, record):
        case RequestState.FAILED:
            return left
        case RequestState.CANCELLED:
            return left + (record.expires_at - slot.since) * ask.price_per_slot_per_second
    return left + (record.ends_at - slot.since) * ask.price_per_slot_per_second


def _repair_part(after: Ledger, slot: SlotRecord) -> int:
    record = after.state.requests[slot.request_id]
    if slot.state is not SlotState.REPAIR or record.is_withdrawn:
        return 0
    return after.repair_reward(record.request.ask)


def _state(after: Ledger, record: RequestRecord) -> RequestState:
    if record.state is RequestState.NEW and after.now > record.expires_at:
        return RequestState.CANCELLED
    if record.state is RequestState.STARTED and after.now > record.ends_at:
        return RequestState.FINISHED
    return record.state


def _check_request(after: Ledger, record: RequestRecord) -> None:
    ask = record.request.ask
    state = _state(after, record)
    if state is RequestState.STARTED:
        assert ask.slots - record.filled <= ask.max_slot_loss
    if state is RequestState.CANCELLED:
        assert after.now > record.expires_at
    if state is RequestState.FAILED:
        assert after.now > record.ends_at
    assert record.funds >= 0
    assert 0 <= record.filled <= ask.slots


def _check_slot(after: Ledger, slot: bytes, held: SlotRecord) -> None:
    record = after.state.requests[held.request_id]
    state = _state(after, record)
    assert held.missed == len(held.missing)
    assert all(after.terms.period_end(period) < after.now for period in held.missing)
    assert (held.state in (SlotState.FILLED, SlotState.PAID)) == (held.host is not None)
    if held.state is SlotState.PAID:
        assert state in ENDS
    match after.slot_state(slot):
        case SlotState.CANCELLED:
            assert state is RequestState.CANCELLED
        case SlotState.FINISHED:
            assert state is RequestState.FINISHED
        case SlotState.FAILED:
            assert state is RequestState.FAILED


def _check_move(was: SlotRecord, now: SlotRecord) -> None:
    """Paid is the end, so that a slot is paid once; filled only when it was free."""
    match now.state:
        case SlotState.FILLED:
            assert was.state in (SlotState.FREE, SlotState.REPAIR)
        case SlotState.REPAIR | SlotState.PAID:
            assert was.state is SlotState.FILLED
        case _:
            raise AssertionError(f"a slot went from {was.state!r} to {now.state!r}")
