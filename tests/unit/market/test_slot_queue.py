"""The queue of slots that are for sale: the best first, and what does not fit put off."""

from __future__ import annotations

from dataclasses import replace

from quire.chain.values import Ask
from quire.market.slot_queue import SCALE, Chance, Pace, SlotQueue, chance_of
from support.market_terms import TERMS

NOW = 1_800_000_000
PACE = Pace(1e6, 5.0, 120)
ASK = Ask(1, 10, 2, 3, 1000, 3600, 1)
MINE, OTHERS = b"\x01" * 20, b"\x02" * 20


def chance(number: int = 1, **changes: object) -> Chance:
    made = chance_of(bytes([number]) * 32, 0, ASK, NOW + 600, None, TERMS, NOW)
    return replace(made, **changes)


def order(*chances: Chance, account: bytes = MINE) -> list[bytes]:
    queue = SlotQueue(account)
    for each in chances:
        queue.push(each)
    return [each.request_id[:1] for each in queue.chances()]


def test_what_pays_more_for_a_byte_and_second_comes_first() -> None:
    assert order(chance(1, rate=5), chance(2, rate=6)) == [b"\2", b"\1"]


def test_of_equal_pay_less_collateral_then_later_expiry_comes_first() -> None:
    found = order(
        chance(1, collateral=7, fill_by=NOW + 700),
        chance(2, collateral=6, fill_by=NOW + 600),
        chance(3, collateral=6, fill_by=NOW + 650),
    )
    assert found == [b"\3", b"\2", b"\1"]


def test_hosts_begin_with_different_slots_of_those_that_are_equal() -> None:
    chances = [chance(number) for number in range(1, 9)]
    mine, others = order(*chances), order(*chances, account=OTHERS)
    assert mine != others
    assert mine == order(*reversed(chances))  # whatever comes first


def test_a_repair_slot_goes_first_when_its_reward_makes_it_pay_more() -> None:
    """The reward of 10 % of the collateral counts over the time that is left."""
    repair = chance_of(b"\2" * 32, 0, ASK, NOW + 900, NOW + 900, TERMS, NOW)
    assert repair.collateral == 1800
    assert repair.rate == 10 * SCALE + 200 * SCALE // (1000 * 900)
    assert order(chance(1), repair) == [b"\2", b"\1"]
    better = chance(1, rate=11 * SCALE)
    assert order(better, repair) == [b"\1", b"\2"]


def test_what_was_seen_waits_until_an_offer_grows() -> None:
    queue = SlotQueue(MINE)
    queue.push(chance(1, is_seen=True, rate=99))
    queue.push(chance(2))
    assert queue.pop(NOW, PACE).request_id == b"\2" * 32
    assert queue.pop(NOW, PACE) is None
    queue.wake()
    assert queue.pop(NOW, PACE).request_id == b"\1" * 32
    assert len(queue) == 0


def test_what_is_put_off_comes_at_its_time() -> None:
    queue = SlotQueue(MINE)
    queue.push(chance(1, not_before=NOW + 50))
    assert queue.pop(NOW, PACE) is None
    assert queue.next_at() == NOW + 50
    assert queue.pop(NOW + 50, PACE) is not None
    assert queue.next_at() is None


def test_a_slot_that_cannot_be_filled_in_time_is_forgotten() -> None:
    queue = SlotQueue(MINE)
    queue.push(chance(1, fill_by=NOW + 124))  # the next period begins in 120 s, a proof takes 5
    queue.push(chance(2, size=500_000_000))  # 500 s to load, then a period that begins after 600
    assert queue.pop(NOW, PACE) is None
    assert len(queue) == 0
    queue.push(chance(1, fill_by=NOW + 125))
    assert queue.pop(NOW, PACE) is not None


def test_the_worst_leave_when_there_are_too_many_the_seen_ones_first() -> None:
    queue = SlotQueue(MINE, limit=2)
    queue.push(chance(1, rate=1))
    queue.push(chance(2, rate=9, is_seen=True))
    queue.push(chance(3, rate=5))
    assert [each.request_id[:1] for each in queue.chances()] == [b"\3", b"\1"]
    queue.push(chance(4, rate=4))
    assert [each.request_id[:1] for each in queue.chances()] == [b"\3", b"\4"]


def test_a_slot_is_in_it_once_with_what_is_newest() -> None:
    queue = SlotQueue(MINE)
    queue.push(chance(1, rate=1))
    queue.push(chance(1, rate=2))
    assert [each.rate for each in queue.chances()] == [2]


def test_slots_and_requests_are_removed() -> None:
    queue = SlotQueue(MINE)
    for slot in range(3):
        queue.push(replace(chance(1), slot_index=slot, is_repair=slot == 2))
    queue.push(chance(2))
    queue.remove(b"\1" * 32, 0)
    queue.remove(b"\1" * 32, 9)
    queue.remove_request(b"\1" * 32, but_repairs=True)
    assert sorted(each.key for each in queue.chances()) == [(b"\1" * 32, 2), (b"\2" * 32, 0)]
    queue.remove_request(b"\1" * 32)
    assert [each.key for each in queue.chances()] == [(b"\2" * 32, 0)]


def test_of_equal_slots_the_one_that_fewer_others_have_reserved_comes_first() -> None:
    queue = SlotQueue(MINE)
    for number in (1, 2, 3):
        queue.push(chance(number))
    for number in (1, 3, 3, 9):  # 9 is not in the queue
        queue.note_rival(bytes([number]) * 32, 0)
    assert [each.request_id[:1] for each in queue.chances()] == [b"\2", b"\1", b"\3"]
