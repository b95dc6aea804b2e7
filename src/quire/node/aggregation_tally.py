"""What orders and jobs came to since the node started, counted as they change; for metrics."""

from __future__ import annotations

from collections import Counter

from quire.aggregation.job import Job
from quire.aggregation.order import At, Order
from quire.aggregation.values import Service, service_of
from quire.base.clock import Clock
from quire.base.events import Event
from quire.formats.aggregator_codes import Reason, Stage

SENT = "submitting.sent"  # the kind of event of the service SUBMIT


class Tally:
    """Listens to the machines of both sides. Tokens in their smallest unit."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._checking: dict[str, float] = {}
        self.paid: Counter[Service] = Counter()
        self.earned: Counter[Service] = Counter()
        self.wrong: Counter[tuple[Service, Reason]] = Counter()  # orders whose result was not good
        self.disputed: Counter[tuple[Service, Reason]] = Counter()  # jobs, by their customers
        self.batches: Counter[int] = Counter()  # transactions for others, by their proofs
        self.gas = 0  # of those
        self.checks: Counter[Service] = Counter()
        self.check_seconds: dict[Service, float] = dict.fromkeys(Service, 0.0)

    def order_changed(self, key: str, before: Order | None, now: Order) -> None:
        """A `Listener` of orders."""
        service = now.offer.offer.service
        if before is not None and now.paid > before.paid:
            self.paid[service] += now.cost - before.cost
        was = None if before is None else before.at
        if was is now.at:
            return
        if now.at is At.CHECKING:
            self._checking[key] = self._clock.monotonic()
        elif was is At.CHECKING and (began := self._checking.pop(key, None)) is not None:
            self.checks[service] += 1
            self.check_seconds[service] += self._clock.monotonic() - began
        if now.at in (At.CHEATED, At.WITHHELD) and now.reason is not None:
            self.wrong[service, now.reason] += 1

    def job_changed(self, _key: str, before: Job | None, now: Job) -> None:
        """A `Listener` of jobs."""
        if before is None or before.at is now.at:
            return
        service, offer = service_of(now.work), now.offer.offer
        if before.at is Stage.READY and now.at in (Stage.SERVING, Stage.SETTLED):
            self.earned[service] += offer.price_first
        elif before.at is Stage.SERVING and now.at is Stage.SETTLED:
            self.earned[service] += offer.price_last
        if now.at is Stage.DISPUTED and now.reason is not None:
            self.disputed[service, now.reason] += 1

    def heard(self, event: Event) -> None:
        """A listener of events: transactions with proofs of others are in the chain."""
        if event.kind == SENT:
            self.batches[_number(event, "proofs")] += 1
            self.gas += _number(event, "gas")


def _number(event: Event, name: str) -> int:
    found = event.facts.get(name)
    return found if isinstance(found, int) else 0
