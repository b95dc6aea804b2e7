"""Network addresses that describe themselves: `/ip4/127.0.0.1/tcp/8070/p2p/16Uiu2HA...`.

Source   multiaddr protocol table; network.md 3.6; vectors/multiaddr.json
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

from quire.base.errors import BadEncoding
from quire.formats.peer_id import decode_peer_id, encode_peer_id
from quire.formats.varint import Buffer, decode_varint, encode_varint

MAX_BYTES = 1024
MAX_COMPONENTS = 16
MAX_HOST_NAME = 254  # 253 and a final dot

_DNS_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_HOSTS = frozenset(("ip4", "ip6", "dns", "dns4", "dns6"))


@dataclass(frozen=True, slots=True)
class _Protocol:
    """`size` in bytes, None when length-prefixed; `read` makes bytes of text, `write` undoes it."""

    name: str
    code: int
    size: int | None
    read: Callable[[str], bytes]
    write: Callable[[bytes], str]


def _read_port(text: str) -> bytes:
    if not text.isascii() or not text.isdigit() or str(int(text[:6])) != text:
        raise BadEncoding(f"{text!r} is not a port")
    if int(text) > 0xFFFF:
        raise BadEncoding(f"port {text} is above 65535")
    return int(text).to_bytes(2)


def _read_ip4(text: str) -> bytes:
    try:
        return ipaddress.IPv4Address(text).packed
    except ValueError:
        raise BadEncoding(f"{text!r} is not an IPv4 address") from None


def _read_ip6(text: str) -> bytes:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise BadEncoding(f"{text!r} is not an IPv6 address") from None
    if address.scope_id is not None:
        raise BadEncoding(f"{text!r} has a zone, which means nothing to another machine")
    return address.packed


def _read_dns(text: str) -> bytes:
    if len(text) > MAX_HOST_NAME or _DNS_NAME.fullmatch(text) is None:
        raise BadEncoding(f"{text[:300]!r} is not a host name")
    return text.encode()


def _write_dns(data: bytes) -> str:
    text = data.decode("ascii", "replace")
    _read_dns(text)
    return text


_PROTOCOLS = (
    _Protocol("ip4", 0x04, 4, _read_ip4, lambda data: str(ipaddress.IPv4Address(data))),
    _Protocol("ip6", 0x29, 16, _read_ip6, lambda data: str(ipaddress.IPv6Address(data))),
    _Protocol("tcp", 0x06, 2, _read_port, lambda data: str(int.from_bytes(data))),
    _Protocol("udp", 0x0111, 2, _read_port, lambda data: str(int.from_bytes(data))),
    _Protocol("dns", 0x35, None, _read_dns, _write_dns),
    _Protocol("dns4", 0x36, None, _read_dns, _write_dns),
    _Protocol("dns6", 0x37, None, _read_dns, _write_dns),
    _Protocol("p2p", 0x01A5, None, decode_peer_id, encode_peer_id),
    _Protocol("quic-v1", 0x01CD, 0, lambda _: b"", lambda _: ""),
    _Protocol("p2p-circuit", 0x0122, 0, lambda _: b"", lambda _: ""),
)
_BY_NAME = {protocol.name: protocol for protocol in _PROTOCOLS}
_BY_CODE = {protocol.code: protocol for protocol in _PROTOCOLS}


@dataclass(frozen=True, slots=True)
class Multiaddr:
    """Pairs of protocol name and value as canonical text; the value is empty where none is."""

    components: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> Multiaddr:
        """The address of a text. `/ipfs/` is read as `/p2p/`. Raises `BadEncoding`."""
        if len(text) > MAX_BYTES:
            raise BadEncoding(f"an address of {len(text)} characters is above {MAX_BYTES}")
        parts = text.split("/")
        if parts[0] or len(parts) < 2:
            raise BadEncoding(f"the address {text!r} does not begin with /, as /ip4/1.2.3.4/tcp/80")
        components, rest = [], parts[1:]
        while rest:
            name = "p2p" if rest[0] == "ipfs" else rest[0]
            if name not in _BY_NAME:
                raise BadEncoding(f"{name!r} in the address {text!r} is not a known protocol")
            protocol = _BY_NAME[name]
            taken = 1 if protocol.size == 0 else 2
            if len(rest) < taken:
                raise BadEncoding(f"the address {text!r} ends after {name} without a value")
            value = rest[1] if taken == 2 else ""
            components.append((name, protocol.write(protocol.read(value))))
            rest = rest[taken:]
        return cls._limited(components)

    @classmethod
    def decode(cls, data: Buffer) -> Multiaddr:
        """The address of its bytes, all of them. Raises `BadEncoding`."""
        if len(data) > MAX_BYTES:
            raise BadEncoding(f"an address of {len(data)} bytes is above {MAX_BYTES}")
        components, offset = [], 0
        while offset < len(data):
            code, offset = decode_varint(data, offset)
            if code not in _BY_CODE:
                raise BadEncoding(f"address protocol {code} is not known")
            protocol = _BY_CODE[code]
            size = protocol.size
            if size is None:
                size, offset = decode_varint(data, offset)
            if size > len(data) - offset:
                raise BadEncoding(f"an address is cut short in {protocol.name}")
            value = protocol.write(bytes(data[offset : offset + size]))
            components.append((protocol.name, value))
            offset += size
        return cls._limited(components)

    @classmethod
    def _limited(cls, components: list[tuple[str, str]]) -> Multiaddr:
        if not 0 < len(components) <= MAX_COMPONENTS:
            raise BadEncoding(f"an address has {len(components)} parts, not 1 to {MAX_COMPONENTS}")
        return cls(tuple(components))

    def encode(self) -> bytes:
        parts = []
        for name, text in self.components:
            protocol = _BY_NAME[name]
            value = protocol.read(text)
            parts.append(encode_varint(protocol.code))
            if protocol.size is None:
                parts.append(encode_varint(len(value)))
            parts.append(value)
        return b"".join(parts)

    def __str__(self) -> str:
        return "".join(
            f"/{name}" if _BY_NAME[name].size == 0 else f"/{name}/{value}"
            for name, value in self.components
        )

    def value_of(self, name: str) -> str | None:
        """The value of the first component of this protocol; None when there is none."""
        return next((value for found, value in self.components if found == name), None)

    @property
    def host(self) -> str | None:
        """IP address or host name; None when the address does not begin with one."""
        name, value = self.components[0]
        return value if name in _HOSTS else None

    @property
    def peer(self) -> str | None:
        """The peer that the address ends in, as base58 text."""
        name, value = self.components[-1]
        return value if name == "p2p" else None

    def without_peer(self) -> Multiaddr:
        """The address before its final /p2p/; itself when it has none or is nothing else."""
        if self.peer is None or len(self.components) == 1:
            return self
        return Multiaddr(self.components[:-1])

    def with_peer(self, peer: str) -> Multiaddr:
        """The address ending in /p2p/ of this peer."""
        bare = self if self.peer is None else self.without_peer()
        return Multiaddr((*bare.components, ("p2p", peer)))
