"""Whether others can reach a node: what was tested, by whom, and what the node announces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

ReachStatus: TypeAlias = Literal["unknown", "public", "private", "relayed"]
Gateway: TypeAlias = Literal["off", "searching", "not-found", "not-public", "found"]


@dataclass(frozen=True, slots=True)
class AddressCheck:
    """A peer's last attempt to connect to one of our addresses."""

    address: str
    server: str  # the peer that tried
    at: float  # unix seconds
    problem: str  # empty when it worked


@dataclass(frozen=True, slots=True)
class PortMapping:
    """A port that a router forwards to us, asked for by UPnP."""

    local: str
    external: str


@dataclass(frozen=True, slots=True)
class RelayUse:
    """A peer that forwards connections to us, and the address others dial for that."""

    peer: str
    address: str


@dataclass(frozen=True, slots=True)
class Reachability:
    """All that is known at one moment. Addresses are multiaddress texts without the final /p2p.

    `status` is "public" when a test from outside succeeded, "private" when all failed, "relayed"
    when it is private and a relay forwards to it, "unknown" before any test: on a private network,
    where nobody can see us from outside, it stays so.
    """

    status: ReachStatus
    announced: tuple[str, ...]  # what others are told, the best first
    verified: tuple[str, ...] = ()
    observed: tuple[str, ...] = ()  # where peers say that they see us
    gateway: Gateway = "off"
    mappings: tuple[PortMapping, ...] = ()
    relays: tuple[RelayUse, ...] = ()
    upgraded: tuple[str, ...] = ()  # peers met through a relay and now connected directly
    not_upgraded: tuple[str, ...] = ()  # those with whom that did not work
    checks: tuple[AddressCheck, ...] = ()
    testers: int = 0  # connected peers that can test our addresses
    relay_offers: int = 0  # connected peers that would relay


def reachability_of(facts: Mapping[str, Any]) -> Reachability:
    """The facts as the swarm tells them; keys are the fields."""
    return Reachability(
        status=facts["status"],
        announced=tuple(facts["announced"]),
        verified=tuple(facts["verified"]),
        observed=tuple(facts["observed"]),
        gateway=facts["gateway"],
        mappings=tuple(PortMapping(*pair) for pair in facts["mappings"]),
        relays=tuple(RelayUse(*pair) for pair in facts["relays"]),
        upgraded=tuple(facts["upgraded"]),
        not_upgraded=tuple(facts["not_upgraded"]),
        checks=tuple(
            AddressCheck(address, server, at, problem or "")
            for address, server, at, problem in facts["checks"]
        ),
        testers=facts["testers"],
        relay_offers=facts["relay_offers"],
    )


def describe(reach: Reachability) -> str:
    """The status in one sentence."""
    if reach.status == "public":
        return f"others reach this node at {', '.join(reach.verified)}"
    if reach.status == "relayed":
        return f"others reach this node through {len(reach.relays)} relays only"
    if reach.status == "private":
        return "nobody reaches this node from outside"
    return "nobody has tested from outside whether this node can be reached"
