"""What a random walk of a twin chooses from: accounts, requests, slots, periods."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from quire.chain.abi import slot_id
from quire.chain.values import SlotState
from support.contract_twin import PEOPLE, Twin


class Choices:
    """Choices that are likely to mean something, wrong ones among them."""

    def __init__(self, twin: Twin, random: Random) -> None:
        self.twin = twin
        self.random = random
        self.counts: dict[str, int] = {}
        self._last: tuple[bytes, int, bytes] | None = None

    def look(self) -> None:
        twin = self.twin
        twin.compare_money()
        twin.compare_slots()
        if not twin.requests:
            return
        is_again = self._last is not None and self.random.random() < 0.7
        request, index, slot = self._last if is_again and self._last else self._place()
        twin.compare_request(request)
        twin.compare_slot(slot)
        for _ in range(2):
            twin.compare_window(self._somebody(), request, index)
        twin.compare_missing(slot, self._past_period())
        twin.compare_lists(self._somebody())

    def _somebody(self) -> bytes:
        return self.random.choice(PEOPLE)

    def _place(self) -> tuple[bytes, int, bytes]:
        """A request, mostly a new one, and one of its slots."""
        requests = self.twin.requests[-3:]
        if self.random.random() < 0.8:
            requests = self._open_requests()[-3:] or requests
        elif self.random.random() < 0.1:
            requests = self.twin.requests
        request = self.random.choice(requests)
        slots = self.twin.state.requests[request].request.ask.slots
        index = self.random.randrange(slots)
        self._last = request, index, slot_id(request, index)
        return self._last

    def _open_requests(self) -> list[bytes]:
        ledger = self.twin.ledger()
        return [each for each in self.twin.requests[-6:] if ledger.request_state(each) <= 1]

    def _place_where(self, is_meant: Callable[[bytes], bool]) -> tuple[bytes, int, bytes]:
        """A slot of which that is so, mostly, if there is one."""
        if self.random.random() < 0.8:
            meant = [each for each in self.twin.slots[-12:] if is_meant(each)]
            if meant:
                slot = self.random.choice(meant)
                request, index = self.twin.place_of[slot]
                self._last = request, index, slot
                return self._last
        return self._place()

    def _is_free(self, slot: bytes) -> bool:
        request, index = self.twin.place_of[slot]
        ledger = self.twin.ledger()
        return ledger.request_state(request) <= 1 and ledger.slot(request, index).state in (0, 6)

    def _is_markable(self, slot: bytes) -> bool:
        ledger = self.twin.ledger()
        return ledger.why_not_missing(slot, ledger.period - 1) is None

    def _is_filled(self, slot: bytes) -> bool:
        return self.twin.ledger().slot_state(slot) is SlotState.FILLED

    def _has_ended(self, slot: bytes) -> bool:
        return self.twin.ledger().slot_state(slot) in (2, 3, 5)

    def _rather(self, chosen: bytes | None) -> bytes:
        """Mostly whom it concerns, at times somebody else."""
        is_right = chosen is not None and self.random.random() < 0.85
        return chosen if is_right and chosen is not None else self._somebody()

    def _past_period(self) -> int:
        now = self.twin.terms.period_of(self.twin.machine.time)
        return now - self.random.choice((1, 1, 1, 1, 2, 3, 0))

    def _do(self, caller: bytes, name: str, values: tuple[Any, ...], rule: Any) -> None:
        error = self.twin.send(caller, name, values, rule)
        self._count(error or name)
        for event in [] if error else self.twin.told:
            self._count(event)

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1
