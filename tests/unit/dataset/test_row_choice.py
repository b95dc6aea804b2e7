"""Which rows are asked for: K of them, the near ones first, and few more."""

from __future__ import annotations

from quire.dataset.row_choice import RowState, can_reach, rows_to_ask, spare_rows

HERE, READY, UNKNOWN, LATE, NOWHERE = RowState


def ask(
    states: list[RowState],
    *,
    k: int = 4,
    got: tuple[int, ...] = (),
    asked: tuple[int, ...] = (),
    spares: int = 2,
    preferred: int = 4,
    speeds: dict[int, float] | None = None,
) -> list[int]:
    return rows_to_ask(
        k,
        dict(enumerate(states)),
        got=got,
        asked=asked,
        spares=spares,
        preferred=preferred,
        speed=(speeds or {}).get,
    )


def test_data_rows_come_before_parity_rows() -> None:
    assert ask([READY] * 6) == [0, 1, 2, 3]


def test_what_is_here_comes_before_what_is_elsewhere() -> None:
    assert ask([READY, READY, READY, HERE, HERE, READY]) == [3, 4, 0, 1]


def test_rows_without_preference_come_by_their_speed() -> None:
    speeds = {5: 9.0, 2: 7.0, 4: 8.0}
    assert ask([READY] * 6, preferred=0, speeds=speeds) == [5, 4, 2, 0]


def test_a_row_that_nobody_has_is_replaced() -> None:
    states = [READY, READY, NOWHERE, READY, READY, READY]
    assert ask(states) == [0, 1, 3, 4]
    assert ask(states, asked=(0, 1, 2, 3)) == [4]


def test_a_late_row_is_replaced_and_may_still_be_the_first() -> None:
    states = [READY, LATE, READY, READY, READY, READY]
    assert ask(states, asked=(0, 1, 2, 3)) == [4]
    assert ask(states, asked=(0, 1, 2, 3, 4)) == []


def test_no_more_late_rows_are_replaced_than_there_are_spares() -> None:
    states = [LATE, LATE, LATE, READY, READY, READY, READY, READY]
    assert ask(states, asked=(0, 1, 2, 3)) == [4, 5]
    assert ask(states, asked=(0, 1, 2, 3), spares=1) == [4]
    assert ask(states, asked=(0, 1, 2, 3), spares=0) == []


def test_a_late_row_is_not_replaced_by_a_late_one() -> None:
    assert ask([READY, LATE, READY, READY, LATE, LATE], asked=(0, 1, 2, 3)) == []


def test_late_rows_are_asked_for_when_nothing_better_is_left() -> None:
    assert ask([READY, READY, NOWHERE, NOWHERE, LATE, LATE]) == [0, 1, 4, 5]


def test_rows_that_may_turn_up_are_asked_for_until_everybody_was_heard() -> None:
    assert ask([UNKNOWN] * 6) == [0, 1, 2, 3]
    assert ask([UNKNOWN] * 5 + [READY]) == [5, 0, 1, 2]
    assert ask([UNKNOWN] * 5 + [READY], asked=(0, 1, 2, 3)) == []


def test_rows_that_are_nowhere_are_not_asked_for() -> None:
    assert ask([READY, READY, READY, NOWHERE, NOWHERE, NOWHERE]) == [0, 1, 2]
    assert ask([NOWHERE] * 6) == []


def test_what_is_there_need_not_be_asked_for() -> None:
    assert ask([READY] * 6, got=(0, 1, 4)) == [2]
    assert ask([READY] * 6, got=(0, 1, 2, 3)) == []


def test_k_rows_can_be_reached_when_they_are_known_to_be_somewhere() -> None:
    assert can_reach(3, {0: HERE, 1: READY, 2: LATE, 3: NOWHERE})
    assert not can_reach(3, {0: HERE, 1: READY, 2: UNKNOWN, 3: NOWHERE})


def test_few_late_rows_are_replaced_at_a_time() -> None:
    assert [spare_rows(m) for m in (1, 2, 3, 100)] == [1, 2, 2, 2]
