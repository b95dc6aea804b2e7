"""A runner of links that can be killed: what survives is `journal`.

It does what `services/machines.py` does: the next state is written down first, then its effects
begin; those of a state that is left are stopped; an outcome comes back as an event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from quire.base.machine import Failed, TimedOut
from quire.point.link import LinkState
from quire.point.link_events import LinkEvent
from quire.point.link_machine import LinkMachine
from support.link_kit import CLIENT, DOMAIN
from support.link_world import Crash, World


@dataclass
class LinkRunner:
    world: World
    machine: LinkMachine = field(default_factory=lambda: LinkMachine(CLIENT, DOMAIN), kw_only=True)
    journal: dict[bytes, bytes] = field(default_factory=dict, init=False)
    links: dict[bytes, LinkState] = field(default_factory=dict, init=False)
    epoch: int = field(default=0, init=False)
    on_step: Callable[[LinkState, LinkState], None] = field(
        default=lambda before, after: None, init=False
    )
    _tokens: dict[tuple[bytes, Any], object] = field(default_factory=dict, init=False)
    _again: dict[tuple[bytes, Any], bool] = field(default_factory=dict, init=False)
    _entered: dict[bytes, float] = field(default_factory=dict, init=False)

    def tick(self) -> None:
        """Look at the chunks; something has changed."""
        raise NotImplementedError

    def _do(self, key: bytes, effect: Any, token: object) -> None:
        """Begin an effect; `_done` ends it."""
        raise NotImplementedError

    def add(self, link: LinkState) -> None:
        """A new link, written down before it begins."""
        key = link.order.link_id
        self.may_crash()
        self.journal[key] = self.machine.encode(link)
        self.links[key] = link
        self._entered[key] = self.world.time
        self.may_crash()
        self._arm(key)
        self._begin(key, self.machine.resume(link))

    # ---- life ----

    def guarded(self, act: Callable[..., None], *args: Any) -> None:
        """Do something that a crash may end."""
        try:
            act(*args)
        except Crash:
            self.crash()

    def later(self, seconds: float, act: Callable[..., None], *args: Any) -> None:
        """What a crash forgets."""
        epoch = self.epoch

        def run() -> None:
            if self.epoch == epoch:
                self.guarded(act, *args)

        self.world.after(seconds, run)

    def crash(self) -> None:
        self.epoch += 1
        self.links, self._tokens, self._again, self._entered = {}, {}, {}, {}
        self.world.after(1 + self.world.rng.random() * 60, partial(self.guarded, self.start))

    def may_crash(self) -> None:
        if self.world.chance(self.world.faults.client_crash):
            raise Crash

    def start(self) -> None:
        self.epoch += 1
        self.links = {key: self.machine.decode(data) for key, data in self.journal.items()}
        for key, link in list(self.links.items()):
            if not self.machine.has_ended(link):
                self._entered[key] = self.world.time
                self._arm(key)
                self._begin(key, self.machine.resume(link))
        self.tick()

    # ---- the runner ----

    def post(self, key: bytes, event: LinkEvent | TimedOut | Failed) -> None:
        before = self.links[key]
        link, effects = self.machine.step(before, event)
        is_other = link.at != before.at
        if link != before:
            self.may_crash()
            self.journal[key] = self.machine.encode(link)
            self.links[key] = link
            self.on_step(before, link)
            old, new = self.machine.deadline(before), self.machine.deadline(link)
            marks = old is not None and new is not None and old.mark != new.mark
            if is_other or isinstance(event, TimedOut) or marks:
                self._entered[key] = self.world.time
            self.may_crash()
            if is_other:
                for token in [token for token in self._tokens if token[0] == key]:
                    del self._tokens[token]
                    self._again.pop(token, None)
            if old != new or is_other or isinstance(event, TimedOut):
                self._arm(key)
        elif isinstance(event, TimedOut):
            self._entered[key] = self.world.time
            self._arm(key)
        self._begin(key, effects)
        if is_other:
            self.tick()

    def _arm(self, key: bytes) -> None:
        deadline = self.machine.deadline(self.links[key])
        if deadline is None:
            return
        if deadline.chain_time is not None:
            wait = max(0.0, deadline.chain_time - self.world.time)
        else:
            wait = max(0.0, self._entered[key] + (deadline.after_seconds or 0) - self.world.time)
        self.later(wait, self._expire, key, deadline, self._entered[key])

    def _expire(self, key: bytes, deadline: Any, entered: float) -> None:
        if self.machine.deadline(self.links[key]) == deadline and self._entered[key] == entered:
            self.post(key, TimedOut())

    def _begin(self, key: bytes, effects: Sequence[Any]) -> None:
        for effect in effects:
            if (key, effect) in self._tokens:
                self._again[key, effect] = True
                continue
            token = self._tokens[key, effect] = object()
            self.later(getattr(effect, "pause", 0.0), self._do, key, effect, token)

    def _is_running(self, key: bytes, effect: Any, token: object) -> bool:
        return self._tokens.get((key, effect)) is token

    def _done(self, key: bytes, effect: Any, token: object, event: Any) -> None:
        """An effect of a state that was left is mostly stopped, but not always in time."""
        if self._is_running(key, effect, token):
            del self._tokens[key, effect]
            if self._again.pop((key, effect), False):
                self._begin(key, (effect,))
        elif self.world.chance(0.5):
            return
        if event is not None:
            self.post(key, event)
