"""What every machine has: a pure step, effects as data, deadlines, a journal form.

    event -> step(state, event) -> (next state, effects)

One runner (`services/machines.py`) serves all: it writes the next state down, durably, and only
then performs the effects; their outcome comes back as events. After a crash the last state is read
and `resume` says which of its effects to perform again, so every effect must be one that can be
performed twice: it looks first whether it is done already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from quire.base.errors import QuireError

State = TypeVar("State")
Event = TypeVar("Event", contravariant=True)
Effect = TypeVar("Effect", covariant=True)


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until when a state may last: unix seconds of the chain, or seconds since it was entered on
    this machine's clock. `reason` says in words what is waited for. When it has come the machine
    gets the event `TimedOut`.

    mark           a deadline with another mark is another one, and seconds count anew: what was
                   done so far, when was last looked
    while_running  only seconds of this run count, not those that the node was stopped
    """

    reason: str
    chain_time: float | None = None
    after_seconds: float | None = None
    mark: int = 0
    while_running: bool = False


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The deadline of the present state has come."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An effect of the present state failed, and trying it again cannot help."""

    effect: object
    error: QuireError


class Machine(Protocol[State, Event, Effect]):
    """A kind of machine; holds no state of its own. All methods are pure."""

    @property
    def kind(self) -> str:
        """What its events, and its records in the journal, are filed under."""

    def step(
        self, state: State, event: Event | TimedOut | Failed
    ) -> tuple[State, Sequence[Effect]]:
        """Where an event leads and what is to be done then. A pair that leads nowhere returns the
        same state and nothing to do. The same state with something to do is done at once,
        without a record. An effect that is asked for while an equal one runs is performed once
        more after it."""

    def resume(self, state: State) -> Sequence[Effect]:
        """What to do after a restart in this state."""

    def name(self, state: State) -> str:
        """The state's name, as the API of the reference has it. Effects that still run when it
        changes are cancelled."""

    def words(self, state: State) -> str:
        """What is going on, for people; the line in the history and on the bus."""

    def deadline(self, state: State) -> Deadline | None:
        """None for states that are the end. One that has come does not come again; seconds since
        the state was entered begin anew when it stays in it."""

    def has_ended(self, state: State) -> bool: ...

    def encode(self, state: State) -> bytes: ...

    def decode(self, data: bytes) -> State:
        """Raises BadEncoding."""
