"""Which networks a provider is in, so that replicas of one chunk are not all lost, or all Sybils,
in one.

An IPv4 address counts as its /24, an IPv6 address as its /48, a host name as itself. Addresses that
are not of the public network (loopback, private, link-local, shared) count as none: everybody on
one machine or behind one router has them, and nobody reaches us by them from outside. An address
through a relay counts as the relay's: providers behind one relay are lost together.

Source   point.md 5.2, 2
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

from quire.base.errors import BadEncoding
from quire.formats.multiaddr import Multiaddr

Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

PREFIX_BITS = {4: 24, 6: 48}


def networks_of(addresses: Iterable[str]) -> tuple[str, ...]:
    """Each network of these multiaddresses once, as text; those that do not parse count as none."""
    found: dict[str, None] = {}
    for text in addresses:
        if (network := _network(text)) is not None:
            found[network] = None
    return tuple(found)


def public_ips(addresses: Iterable[str]) -> list[Ip]:
    """The public IP addresses of these multiaddresses, in order."""
    places = (_place(text) for text in addresses)
    return [place for place in places if place is not None and not isinstance(place, str)]


def _network(text: str) -> str | None:
    place = _place(text)
    if place is None or isinstance(place, str):
        return place
    return str(ipaddress.ip_network((place, PREFIX_BITS[place.version]), strict=False))


@lru_cache(maxsize=4096)
def _place(text: str) -> Ip | str | None:
    """A public IP address, or the name of a host; None for everything else. An IPv4 address written
    as IPv6 is the IPv4 address."""
    try:
        host = Multiaddr.parse(text).host
    except BadEncoding:
        return None
    if host is None:
        return None
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        name = host.rstrip(".").lower()
        return None if name == "localhost" or name.endswith(".localhost") else name
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip if ip.is_global and not ip.is_multicast else None
