"""When to dial whom: pure policy, without clock or network of its own.

Bootstrap peers are wanted always, remembered ones only while there are fewer connections than
aimed for. After each failure a peer rests twice as long, spread at random so that the nodes of a
network that comes back do not all call at the same instant.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from quire.net.known_peer import KnownPeer
from quire.net.transport import Address, PeerId

FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 1800.0
MAX_BOOTSTRAP_PAUSE_SECONDS = 60.0
JITTER = 0.5  # a pause is between (1 - JITTER) and (1 + JITTER) times its length
STABLE_SECONDS = 60.0  # a connection that ends sooner counts as a failure
MAX_FAILURES = 10  # then a remembered peer is given up until the next start
MAX_DIALS = 8  # at the same time


@dataclass(slots=True)
class Target:
    """A peer worth dialling. Times are monotonic seconds."""

    peer: PeerId
    addresses: tuple[Address, ...]
    is_bootstrap: bool
    failures: int = 0
    next_at: float = 0.0
    is_dialling: bool = False
    reason: str = field(default="")  # of the last failure


class DialPlan:
    """The targets and what became of them."""

    def __init__(self, rng: random.Random, *, target_peers: int) -> None:
        self._rng = rng
        self._target_peers = target_peers
        self._targets: dict[PeerId, Target] = {}
        self._connected: dict[PeerId, float] = {}  # since

    def add(self, known: KnownPeer, *, is_bootstrap: bool, now: float) -> None:
        """Want a peer from now on; more addresses for one that is wanted already."""
        target = self._targets.get(known.peer)
        if target is None:
            target = Target(known.peer, (), is_bootstrap, next_at=now)
            self._targets[known.peer] = target
        target.is_bootstrap |= is_bootstrap
        target.addresses = _merged(target.addresses, known.addresses)

    def take_due(self, now: float) -> list[Target]:
        """The targets to dial at this moment; each is then under way until it is told about."""
        due = [target for target in self._waiting() if target.next_at <= now][: self._free()]
        for target in due:
            target.is_dialling = True
        return due

    def next_at(self) -> float | None:
        """When `take_due` may have something; None: only after something has happened."""
        waiting = self._waiting() if self._free() else []
        return min((target.next_at for target in waiting), default=None)

    def joined(self, peer: PeerId, now: float) -> None:
        """A connection to the peer is up, whoever made it."""
        self._connected.setdefault(peer, now)
        target = self._targets.get(peer)
        if target is not None:
            target.is_dialling, target.reason = False, ""

    def settled(self, peer: PeerId, now: float) -> None:
        """A dial is over without a failure; `joined` says when the connection is up."""
        target = self._targets.get(peer)
        if target is not None:
            target.is_dialling = False
            target.next_at = max(target.next_at, now + FIRST_PAUSE_SECONDS)

    def left(self, peer: PeerId, now: float) -> None:
        """The last connection to the peer is gone."""
        since = self._connected.pop(peer, now)
        target = self._targets.get(peer)
        if target is not None:
            target.failures = 0 if now - since >= STABLE_SECONDS else target.failures + 1
            self._rest(target, now)

    def failed(self, peer: PeerId, reason: str, now: float) -> Target | None:
        """A dial failed; the target, with the time of the next try, or None when given up."""
        target = self._targets[peer]
        target.is_dialling = False
        target.failures += 1
        target.reason = reason
        if target.failures >= MAX_FAILURES and not target.is_bootstrap:
            del self._targets[peer]
            return None
        self._rest(target, now)
        return target

    def targets(self) -> list[Target]:
        """All targets, bootstrap peers first."""
        return sorted(self._targets.values(), key=lambda target: not target.is_bootstrap)

    def is_connected(self, peer: PeerId) -> bool:
        return peer in self._connected

    def _free(self) -> int:
        return max(0, MAX_DIALS - sum(target.is_dialling for target in self._targets.values()))

    def _waiting(self) -> list[Target]:
        """Idle targets that are wanted now, in the order in which to dial them."""
        idle = [
            target
            for target in self.targets()
            if not target.is_dialling and target.peer not in self._connected
        ]
        under_way = sum(target.is_dialling for target in self._targets.values())
        lacking = max(0, self._target_peers - len(self._connected) - under_way)
        wanted = [target for target in idle if target.is_bootstrap]
        others = sorted(
            (target for target in idle if not target.is_bootstrap),
            key=lambda target: target.next_at,
        )
        return wanted + others[:lacking]

    def _rest(self, target: Target, now: float) -> None:
        longest = MAX_BOOTSTRAP_PAUSE_SECONDS if target.is_bootstrap else MAX_PAUSE_SECONDS
        doublings = min(max(0, target.failures - 1), 20)
        pause = min(FIRST_PAUSE_SECONDS * 2.0**doublings, longest)
        target.next_at = now + pause * self._rng.uniform(1 - JITTER, 1 + JITTER)


def _merged(one: Iterable[Address], other: Iterable[Address]) -> tuple[Address, ...]:
    return tuple(dict.fromkeys([*one, *other]))
