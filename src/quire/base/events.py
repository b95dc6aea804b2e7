"""What happened, as data: one bus per node, read by `why`, the event stream and the log.

Publishing never waits and never fails: a subscriber that falls behind loses its oldest events and
is told how many. The last events are remembered, so that `why` can answer after the fact.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from quire.base.clock import Clock
from quire.base.spans import REQUEST_ID

HISTORY_EVENTS = 4096  # remembered for `why`; about 1 MB


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. `subject` is the CID, peer or job that it is about; the empty text is the node."""

    serial: int
    at: float
    kind: str
    subject: str
    message: str
    facts: dict[str, object] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        return {
            "serial": self.serial,
            "at": round(self.at, 3),
            "kind": self.kind,
            "subject": self.subject,
            "message": self.message,
            "facts": self.facts,
        }


class EventBus:
    """Fan-out of events to listeners, with a bounded memory."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._serial = 0
        self._history: deque[Event] = deque(maxlen=HISTORY_EVENTS)
        self._listeners: list[Callable[[Event], None]] = []

    def publish(self, kind: str, subject: str, message: str, **facts: object) -> Event:
        """Record an event and hand it to every listener. Listeners must not raise or wait.

        A request of the API that caused it is the fact `request`."""
        self._serial += 1
        if request := REQUEST_ID.get():
            facts.setdefault("request", request)
        event = Event(self._serial, self._clock.now(), kind, subject, message, facts)
        self._history.append(event)
        for listener in list(self._listeners):
            listener(event)
        return event

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call `listener` for each event from now on; returns the function that stops it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def history(self, subject: str | None = None) -> list[Event]:
        """Remembered events, oldest first, of one subject or of all."""
        return [e for e in self._history if subject is None or e.subject == subject]
