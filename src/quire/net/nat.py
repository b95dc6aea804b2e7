"""How a node deals with the router in front of it, and what it gives to peers that need a relay."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from quire.base.errors import BadConfig
from quire.base.units import MIB

NAT_MODES = ("any", "none", "upnp", "pmp", "extip")


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """What a relay gives at most. A circuit joins two peers; its bytes count in each direction."""

    reservations: int = 128
    circuits: int = 32
    circuit_bytes: int = 256 * MIB
    circuit_seconds: float = 30 * 60.0


RELAY_DEFAULTS = RelayLimits()


def nat_for_swarm(mode: str, address: str, listen: Sequence[str]) -> str:
    """What the swarm is to do: "none", "upnp" or the external IP address.

    A node that listens on loopback only needs no way through a router, so that none is asked.

    Raises   BadConfig  a mode that does not exist or is not supported, an address that is none
    """
    if mode == "extip":
        try:
            return str(ipaddress.ip_address(address))
        except ValueError:
            raise BadConfig(
                f"nat is extip:{address}, which is no IP address; write extip:203.0.113.7"
            ) from None
    if mode == "pmp":
        raise BadConfig(
            "nat is pmp, and NAT-PMP is not supported; use upnp if the router has it, or forward "
            "the port in the router and say nat = extip:<its external address>"
        )
    if mode not in NAT_MODES:
        raise BadConfig(f"nat is {mode!r}; it is any, none, upnp or extip:<IP>")
    is_local = all(text.startswith(("/ip4/127.", "/ip6/::1/")) for text in listen)
    return "none" if mode == "none" or is_local else "upnp"
