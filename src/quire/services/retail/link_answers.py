"""What a provider's answer, or its silence, is to the machine of a link."""

from __future__ import annotations

from quire.base.errors import PeerBusy, PeerError, PeerLied, PeerRefused, ProtocolMismatch
from quire.formats.replica import ReplicaAnswer
from quire.formats.replica_answers import Have
from quire.point.link_effects import PeerEffect
from quire.point.link_events import LinkEvent, NoAnswer, Refused
from quire.point.values import Code


def refused(effect: PeerEffect, answer: ReplicaAnswer, now: int) -> Refused:
    """Of an answer that is not the one that was asked for. `now`: chain time."""
    have = answer.body.bitmap if isinstance(answer.body, Have) else b""
    code = answer.code if answer.code is not Code.OK else Code.INTERNAL
    after = answer.retry_after_ms / 1000
    return Refused(
        effect, code, answer.text, retry_after=after, index=answer.index, have=have, now=now
    )


def unanswered(effect: PeerEffect, error: PeerError, now: int) -> LinkEvent:
    """Of what was raised instead of an answer."""
    if isinstance(error, PeerBusy):
        after = float(str(error.facts.get("retry_after_seconds", 0.0)))
        return Refused(effect, Code.BUSY, error.message, retry_after=after, now=now)
    if isinstance(error, PeerRefused | ProtocolMismatch | PeerLied):
        return Refused(effect, Code.REFUSED, error.message, now=now)
    return NoAnswer(effect, error.message, now=now)
