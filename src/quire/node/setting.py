"""How one setting is written by people, and how what they wrote becomes a value."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path

import msgspec

from quire.base.units import parse_duration, parse_size
from quire.chain.abi import address_text, parse_address
from quire.net.nat import NAT_MODES

RAY = "ray:"
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class Setting(msgspec.Struct, frozen=True):
    """How one field is written by people. `kind` is a key of PARSERS."""

    kind: str
    help: str
    short: str = ""


class NatSetting(msgspec.Struct, frozen=True):
    """How the node gets an address that others can dial.

    `address` is the router's external address with `extip`; with `any` and `pmp` it is that of
    the router to ask, or empty for the default one.
    """

    mode: str = "any"
    address: str = ""

    def __str__(self) -> str:
        return f"{self.mode}:{self.address}" if self.address else self.mode


def parse_value(kind: str, value: object) -> object:
    """The value of a setting of this kind. Raises `InputError` or ValueError in words."""
    return PARSERS[kind](value)


def parse_flag(value: object) -> bool:
    """`true`, `yes`, `on`, `1`, or the opposite."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE + _FALSE:
        return value.lower() in _TRUE
    raise ValueError("true or false is needed")


def parse_nat(value: object) -> NatSetting:
    """`any`, `none`, `upnp`, `pmp`, `extip:<IP>`; `any` and `pmp` may name the router's address."""
    if isinstance(value, NatSetting):
        return value
    mode, colon, address = _text(value).partition(":")
    mode = mode.lower()
    if mode not in NAT_MODES:
        raise ValueError("any, none, upnp, pmp or extip:<IP> is needed")
    if mode == "extip" and not address:
        raise ValueError("extip needs the external address: extip:203.0.113.7")
    if colon and mode in ("none", "upnp"):
        raise ValueError(f"{mode} takes no address")
    if colon:
        try:
            address = str(ipaddress.ip_address(address.strip()))
        except ValueError:
            raise ValueError(f"{address!r} is not an IP address") from None
    return NatSetting(mode, address)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text is needed")
    return value


def _size(value: object) -> int:
    return value if type(value) is int and value >= 0 else parse_size(_text(value))


def _duration(value: object) -> float:
    if type(value) in (int, float) and value >= 0:  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    return parse_duration(_text(value))


def _whole(low: int, high: int, value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"a whole number from {low} to {high} is needed")
    return value


def _share(value: object) -> float:
    try:
        share = float(value) if isinstance(value, str | float | int) else 0.0
    except ValueError:
        share = 0.0
    if not 0.0 < share < 1.0:
        raise ValueError("a number between 0 and 1 is needed, such as 0.99")
    return share


def _threads(value: object) -> int:
    count = _whole(0, 1024, value)
    if count == 1:
        raise ValueError("0 (as the machine suggests) or at least 2 is needed")
    return count


def _workers(value: object) -> str:
    text = _text(value)
    host, _, port = text.removeprefix(RAY).rpartition(":")
    is_address = bool(host) and "/" not in host and port.isdigit() and 0 < int(port) < 65536
    if text == "local" or (text.startswith(RAY) and (is_address or text == f"{RAY}auto")):
        return text
    raise ValueError("local, ray:HOST:PORT or ray:auto is needed")


def _list(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        raise ValueError("a list of texts is needed")
    return tuple(_text(part) for part in value)


PARSERS: dict[str, Callable[[object], object]] = {
    "text": _text,
    "path": lambda value: str(value) if isinstance(value, Path) else _text(value),
    "size": _size,
    "duration": _duration,
    "port": lambda value: _whole(0, 65535, value),
    "count": lambda value: _whole(1, 100_000, value),
    "threads": _threads,
    "share": _share,
    "whole": lambda value: _whole(0, 1 << 62, value),
    "groups": lambda value: _whole(2, 65535, value),
    "address": lambda value: address_text(parse_address(_text(value))),
    "flag": parse_flag,
    "list": _list,
    "nat": parse_nat,
    "workers": _workers,
}
