"""Mistakes planted into client and provider, each of which the model has to find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from quire.point import link_setup
from quire.point.link import At, LinkState, Upkeep
from quire.point.link_effects import Pay
from quire.point.link_events import Closed, Refused, Signed
from quire.point.link_machine import LinkMachine
from quire.point.link_moves import Step, enter, work
from quire.point.values import Code
from support.link_client import Client
from support.link_kit import CLIENT, DOMAIN
from support.link_model import Run
from support.link_providers import Provider
from support.link_world import Broken


class PaysAnyReceipt(Client):
    """The receipt is not compared with anything."""

    def post(self, key: bytes, event: Any) -> None:
        with patch.object(link_setup, "check_receipt", lambda *_: None):
            super().post(key, event)


class ForgetsTheBill(Client):
    """A bill has another key each time it is asked for."""

    count = 0

    def bill_key(self, link: LinkState, effect: Pay) -> str:
        if not effect.pause:
            return super().bill_key(link, effect)
        self.count += 1
        return f"{link.order.link_id.hex()}/t{self.count}/0"


class AsksTheSameAgain(Client):
    """Providers that failed are not left out."""

    def used(self, links: Sequence[LinkState]) -> Sequence[str]:
        return [link.order.peer for link in links if link.is_live]


class _Machine(LinkMachine):
    """With a mistake in `err`."""

    def __init__(self) -> None:
        super().__init__(CLIENT, DOMAIN)

    def step(self, state: LinkState, event: Any) -> Step:
        step = super().step(state, event)
        return self.err(state, event, step)

    def err(self, state: LinkState, event: Any, step: Step) -> Step:
        return step


class _Believes(_Machine):
    def err(self, state: LinkState, event: Any, step: Step) -> Step:
        after, effects = step
        if after.must_audit:
            after = replace(after, must_audit=False)
            return after, work(after)
        return after, effects


class _ForgetsInTheJournal(_Machine):
    def decode(self, data: bytes) -> LinkState:
        return replace(super().decode(data), must_audit=False)


class _SignedBeforePaid(_Machine):
    def err(self, state: LinkState, event: Any, step: Step) -> Step:
        after, _ = step
        if isinstance(event, Signed) and after.at is At.PAYING:
            return enter(replace(after, audit_at=after.expires_at), At.SIGNED)
        return step


class _ReservesForEver(_Machine):
    def err(self, state: LinkState, event: Any, step: Step) -> Step:
        if isinstance(event, Refused) and event.code is Code.UNKNOWN_LINK and state.is_live:
            return enter(replace(state, acked=b""), At.CREATED)
        return step


class _NeverCounts(_Machine):
    def err(self, state: LinkState, event: Any, step: Step) -> Step:
        after, effects = step
        return replace(after, attempts=0, setbacks=min(1, after.setbacks)), effects


class _PaysUnaudited(_Machine):
    def err(self, state: LinkState, event: Any, step: Step) -> Step:
        after, effects = step
        if after.upkeep is Upkeep.AUDITING and state.upkeep is Upkeep.IDLE:
            after = replace(after, upkeep=Upkeep.PAYING)
            return after, work(after) or effects
        return step


class _GoesOnAfterTheEnd(_Machine):
    def err(self, state: LinkState, event: Any, step: Step) -> Step:
        if state.at is At.FAILED and isinstance(event, Closed):
            return enter(state, At.CREATED)
        return step


def _with(machine_class: type[_Machine]) -> type[Client]:
    class Mistaken(Client):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.machine = machine_class()

    return Mistaken


class NoReplacement(Client):
    """A link that is not renewed counts until its end."""

    def tick(self) -> None:
        with patch("quire.point.chunk._is_leaving", lambda *_: False):
            super().tick()


class SaysStoredTooEarly(Provider):
    """ALREADY_STORED as soon as the map is there."""

    def _on_map(self, *asked: Any) -> Any:
        reply = super()._on_map(*asked)
        known = self.states.get(asked[0])
        if reply.code is Code.OK and known is not None and known.root:
            return replace(reply, code=Code.ALREADY_STORED)
        return reply


@dataclass(frozen=True)
class Mistake:
    """`kinds` of providers among which it shows soon, and whether it does so after the upload."""

    client: type[Client] = Client
    provider: type[Provider] = Provider
    kinds: tuple[str, ...] = ()
    lives_on: bool = False

    def found(self, seeds: range) -> str:
        """What the model says first; "" when it finds nothing."""
        for seed in seeds:
            try:
                Run(seed, self.client, self.provider, self.kinds, self.lives_on).go()
            except Broken as broken:
                return str(broken.args[0])
        return ""


LIARS = ("good", "says stored", "says has all")
MISTAKES = {
    "a receipt is paid without a look": Mistake(PaysAnyReceipt, kinds=("good", "bad receipt")),
    "a bill has no name": Mistake(ForgetsTheBill),
    "providers that failed are asked again": Mistake(AsksTheSameAgain),
    "the word of a provider is believed": Mistake(_with(_Believes), kinds=LIARS),
    "the journal forgets that it must audit": Mistake(_with(_ForgetsInTheJournal), kinds=LIARS),
    "signed before it is paid": Mistake(_with(_SignedBeforePaid)),
    "reservations are renewed for ever": Mistake(_with(_ReservesForEver), kinds=("forgets",)),
    "attempts are not counted": Mistake(_with(_NeverCounts), kinds=("never complete",)),
    "a period is paid without an audit": Mistake(
        _with(_PaysUnaudited), kinds=("good",), lives_on=True
    ),
    "an ended link goes on": Mistake(_with(_GoesOnAfterTheEnd)),
    "no replacement for what is not renewed": Mistake(
        NoReplacement, kinds=("good", "renewal refused"), lives_on=True
    ),
    "stored is said too early": Mistake(provider=SaysStoredTooEarly, kinds=("good",)),
}
