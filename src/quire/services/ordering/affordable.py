"""A choice of aggregators that leaves out those who ask too much."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from quire.formats.aggregator_asking import QuoteRequest
from quire.formats.aggregator_codes import Service
from quire.point.choice_port import Outcome
from quire.services.ordering.ports import Choice, Found


class Affordable:
    """Implements `Choice`. `max_price`: of one order, in the smallest unit of the token; 0: any."""

    def __init__(self, choice: Choice, max_price: int) -> None:
        self._choice = choice
        self._max_price = max_price

    async def find(
        self,
        quote: QuoteRequest,
        *,
        via: Sequence[str] = (),
        subject: str = "",
        exclude: Collection[str] = (),
    ) -> Sequence[Found]:
        found = await self._choice.find(quote, via=via, subject=subject, exclude=exclude)
        most = self._max_price
        return [each for each in found if not most or each.offer.offer.price <= most]

    def why_none(self, service: Service, via: Sequence[str] = ()) -> str:
        said = self._choice.why_none(service, via)
        limit = f"no more than {self._max_price} tokens are paid" if self._max_price else ""
        return "; ".join(filter(None, (said, limit)))

    async def report(self, peer: str, outcome: Outcome, why: str = "") -> None:
        await self._choice.report(peer, outcome, why)

    def renew(self, peer: str) -> None:
        self._choice.renew(peer)
