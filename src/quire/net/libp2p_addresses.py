"""Addresses on their way to the sockets: names resolved, unusable ones left out, ports probed."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Sequence

from quire.base.errors import BadConfig, BadEncoding, PortInUse
from quire.formats.multiaddr import Multiaddr
from quire.net.transport import Address

_FAMILY = {"dns": socket.AF_UNSPEC, "dns4": socket.AF_INET, "dns6": socket.AF_INET6}


async def usable(addresses: Sequence[Address]) -> list[Address]:
    """The addresses that can be dialled, without /p2p, host names resolved, in order, each once."""
    found: dict[Address, None] = {}
    for text in addresses:
        with contextlib.suppress(BadEncoding):
            for address in await _resolved(Multiaddr.parse(text).without_peer()):
                if is_dialable(address) or is_circuit(address):
                    found[str(address)] = None
    return list(found)


def is_dialable(address: Multiaddr) -> bool:
    """Whether it is an IP address with TCP or QUIC and nothing else."""
    names = tuple(name for name, _ in address.components)
    return names[:1] in (("ip4",), ("ip6",)) and names[1:] in (("tcp",), ("udp", "quic-v1"))


def is_circuit(address: Multiaddr) -> bool:
    """Whether it leads through a relay: a dialable address, whose peer it is, /p2p-circuit."""
    if len(address.components) < 2 or address.components[-1][0] != "p2p-circuit":
        return False
    relay = Multiaddr(address.components[:-1])
    return relay.peer is not None and is_dialable(relay.without_peer())


async def _resolved(address: Multiaddr) -> list[Multiaddr]:
    name, host = address.components[0]
    if name not in _FAMILY:
        return [address]
    try:
        infos = await asyncio.get_running_loop().getaddrinfo(
            host, None, family=_FAMILY[name], type=socket.SOCK_STREAM
        )
    except (OSError, UnicodeError):  # the latter for names that cannot be encoded
        return []
    rest = "".join(
        f"/{key}/{value}" if value else f"/{key}" for key, value in address.components[1:]
    )
    kinds = {socket.AF_INET: "ip4", socket.AF_INET6: "ip6"}
    return [
        Multiaddr.parse(f"/{kinds[family]}/{where[0]}{rest}")
        for family, _, _, _, where in infos
        if family in kinds
    ]


def check_free(text: Address) -> None:
    """Find out whether a TCP port is free.

    libp2p shares its listening ports among all processes of a user, so that two nodes on one port
    would go unnoticed and take turns.

    Raises   PortInUse  another program listens there
             BadConfig  not an address of this machine, not TCP or QUIC, or not allowed
    """
    try:
        address = Multiaddr.parse(text)
    except BadEncoding as error:
        raise BadConfig(f"cannot listen on {text!r}: {error.message}") from None
    if not is_dialable(address):
        raise BadConfig(
            f"cannot listen on {text}: write /ip4/IP/tcp/PORT or /ip4/IP/udp/PORT/quic-v1"
        )
    (kind, host), (protocol, port) = address.components[:2]
    if protocol != "tcp":
        return
    family = socket.AF_INET if kind == "ip4" else socket.AF_INET6
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(f"cannot listen on {text}: the port is taken") from None
            raise BadConfig(f"cannot listen on {text}: {error.strerror}") from None
