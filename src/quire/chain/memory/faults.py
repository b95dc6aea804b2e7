"""What can go wrong between an account and its chain, on demand."""

from __future__ import annotations

from collections import defaultdict

from quire.base.errors import ChainUnreachable, QuireError


class MarketFaults:
    """Of one MemoryMarket. Methods of the port go by their name."""

    def __init__(self) -> None:
        self.is_unreachable = False
        self._problems: defaultdict[str, list[QuireError]] = defaultdict(list)
        self._lost: defaultdict[str, list[QuireError]] = defaultdict(list)

    def refuse(self, method: str, problem: QuireError) -> None:
        """The next call of the method fails with it; nothing is sent."""
        self._problems[method].append(problem)

    def lose_answer(self, method: str, problem: QuireError) -> None:
        """The next call of the method is done, but its caller hears this problem."""
        self._lost[method].append(problem)

    def before(self, method: str) -> None:
        if self.is_unreachable:
            raise ChainUnreachable("the node of the chain does not answer")
        if self._problems[method]:
            raise self._problems[method].pop(0)

    def after(self, method: str) -> None:
        if self._lost[method]:
            raise self._lost[method].pop(0)
