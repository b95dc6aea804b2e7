"""Can others reach this node, and if not, which one setting changes that? Pure."""

from __future__ import annotations

from collections.abc import Sequence

from quire.base.errors import BadEncoding
from quire.formats.multiaddr import Multiaddr
from quire.net.reachability import Reachability
from quire.node.finding import Finding

CHECK = "reachability"


def examine_reach(reach: Reachability, listen: Sequence[str], nat: str) -> Finding:
    """The finding for what is known; `listen`: addresses of the sockets, `nat`: the setting."""
    doors = [door for door in map(_door, listen) if door is not None]
    if not doors:
        return Finding(
            CHECK,
            "ok",
            "the node listens on this machine only, and nobody else is meant to reach it",
            "to take part in a network start it with --listen /ip4/0.0.0.0/tcp/8070",
        )
    if reach.status == "public":
        way = _mapped(reach)
        return Finding(CHECK, "ok", f"others reach this node at {_join(reach.verified)}{way}")
    if reach.status == "unknown":
        return _untested(reach)
    failed = "; ".join(f"{c.address}: {c.problem}" for c in reach.checks if c.problem)
    message = f"{_ports(doors)} is not reachable from outside ({failed})"
    if reach.status == "relayed":
        relays = _join([use.peer for use in reach.relays])
        message += f"; until then peers reach you through relay {relays}"
    else:
        message += "; only peers that this node dials itself can exchange data with it"
        message += (
            ", and none of them relays"
            if not reach.relay_offers
            else f", and the relay has not answered yet ({reach.relay_offers} asked)"
        )
    return Finding(CHECK, "warning", message, _remedy(reach, doors, nat))


def _untested(reach: Reachability) -> Finding:
    if reach.testers and reach.observed:
        return Finding(CHECK, "ok", "peers are testing this node's addresses; ask again soon")
    if reach.testers:
        return Finding(
            CHECK, "ok", "all connected peers are on the local network, where the node is reachable"
        )
    return Finding(
        CHECK,
        "warning",
        "no connected peer can test whether this node is reachable from outside",
        "start it with --bootstrap and the address of a node on the internet",
    )


def _remedy(reach: Reachability, doors: list[tuple[str, str, str]], nat: str) -> str:
    forward = f"forward {_ports(doors)} to {doors[0][0]} in your router"
    if nat.startswith("extip"):
        return f"{forward}, or correct --nat {nat}: nothing arrives at that address"
    if reach.gateway == "found":
        return f"{forward}: it agreed to do so by UPnP, but nothing arrives"
    if reach.gateway == "not-public":
        return (
            "your router is itself behind another one, so that forwarding does not help: ask the "
            "provider for a public address, or rely on relays"
        )
    if reach.gateway == "off":
        return f"start with --nat upnp, or {forward}"
    outside = next((_host(address) for address in reach.observed), "") or "<external address>"
    return f"{forward} (it does not answer UPnP), or start with --nat extip:{outside}"


def _mapped(reach: Reachability) -> str:
    if any(mapping.external in reach.verified for mapping in reach.mappings):
        return ", which the router forwards because it was asked to by UPnP"
    return ""


def _door(text: str) -> tuple[str, str, str] | None:
    """Host, protocol and port of an address that is not loopback."""
    try:
        address = Multiaddr.parse(text)
    except BadEncoding:
        return None
    host = address.host or ""
    if host.startswith("127.") or host in ("::1", ""):
        return None
    for protocol in ("tcp", "udp"):
        port = address.value_of(protocol)
        if port:
            return host, protocol.upper(), port
    return None


def _host(text: str) -> str:
    try:
        return Multiaddr.parse(text).host or ""
    except BadEncoding:
        return ""


def _ports(doors: list[tuple[str, str, str]]) -> str:
    return " and ".join(dict.fromkeys(f"{protocol} {port}" for _, protocol, port in doors))


def _join(texts: Sequence[str]) -> str:
    return ", ".join(texts)
