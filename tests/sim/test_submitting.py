"""Whatever happens to hosts and aggregators: no slot is slashed that its host could have saved,
nothing is paid twice, what is owed from a bond is claimed once, and every order and job ends."""

from __future__ import annotations

import pytest

from quire.services.ordering import delegation
from support.submit_chaos import Chaos, play_many


@pytest.mark.parametrize("first", range(0, 12, 3))
def test_nothing_is_lost_that_could_be_saved_and_nothing_is_paid_twice(first: int) -> None:
    """Many more seeds: python -m support.submit_chaos 1000"""
    play_many(range(first, first + 3))


def test_a_host_that_trusts_a_promise_to_the_end_is_found_out(monkeypatch) -> None:
    """The same without the host's own turn."""
    monkeypatch.setattr(delegation, "own_turn", lambda latest, _: latest + 1000.0)
    monkeypatch.setattr(Chaos, "kinds", ("gatherer dies",))
    with pytest.raises(AssertionError, match="could have been saved"):
        play_many(range(20))
