"""The queue of slots for sale: which comes first."""

from __future__ import annotations

from dataclasses import replace

from quire.market.slot_queue import Chance, Pace, SlotQueue

HOST = bytes([0xA2]) * 20
REQUEST = bytes([1]) * 32
PACE = Pace(1e6, 1.0, 30)
NOW = 1000.0
PLAIN = Chance(REQUEST, 0, 1000, rate=10, collateral=50, fill_by=10_000)


def order(*chances: Chance) -> list[int]:
    """Slots in the order in which they are taken."""
    queue = SlotQueue(HOST)
    for index, chance in enumerate(chances):
        queue.push(replace(chance, slot_index=index))
    taken = []
    while (chance := queue.pop(NOW, PACE)) is not None:
        taken.append(chance.slot_index)
    return taken


def test_what_earns_more_comes_first_then_less_collateral_then_later_expiry() -> None:
    assert order(
        replace(PLAIN, rate=9, collateral=1),
        replace(PLAIN, collateral=40),
        replace(PLAIN, collateral=40, fill_by=20_000),
        replace(PLAIN, rate=11, collateral=90),
    ) == [3, 2, 1, 0]


def test_a_slot_that_fewer_others_have_reserved_comes_first() -> None:
    queue = SlotQueue(HOST)
    for index in range(3):
        queue.push(replace(PLAIN, slot_index=index))
    for index in (0, 2, 2):
        queue.note_rival(REQUEST, index)
    queue.note_rival(REQUEST, 99)  # not in the queue
    taken = [queue.pop(NOW, PACE) for _ in range(3)]
    assert [chance.slot_index for chance in taken if chance is not None] == [1, 0, 2]


def test_a_slot_that_cannot_be_filled_in_time_any_more_is_forgotten() -> None:
    assert order(replace(PLAIN, fill_by=1010), PLAIN) == [1]
