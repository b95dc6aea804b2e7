"""The configuration of a node: one struct, filled from flags, environment, file and defaults.

    flag --storage-quota 10g  >  QUIRE_STORAGE_QUOTA=10g  >  TOML storage-quota = "10g"  >  20 GiB

A name is the same everywhere; a name that does not exist is refused with the nearest one that does.
Lists are given by repeating the flag, by commas in the environment, by an array in the file.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, get_args, get_type_hints

import msgspec

from quire.base.errors import BadConfig, InputError
from quire.base.units import GIB, MIB, parse_duration, parse_size
from quire.net.nat import RELAY_DEFAULTS

ENVIRONMENT_PREFIX = "QUIRE_"
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class Setting(msgspec.Struct, frozen=True):
    """How one field is written by people. `kind`: text, path, size, duration, port, count, flag,
    list."""

    kind: str
    help: str
    short: str = ""


class NodeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of a node. Sizes in bytes, durations in seconds."""

    data_dir: Annotated[Path, Setting("path", "where everything of this node is kept", "d")] = Path(
        "~/.local/share/quire"
    )
    profile: Annotated[str, Setting("text", "network profile: a name, or a TOML file")] = "quire"
    api_bindaddr: Annotated[str, Setting("text", "address the API listens on")] = "127.0.0.1"
    api_port: Annotated[int, Setting("port", "port of the API; 0 takes a free one", "p")] = 8080
    api_cors_origin: Annotated[
        str | None, Setting("text", "origin that browsers may call the API from; * is any")
    ] = None
    api_token_file: Annotated[
        Path | None, Setting("path", "file with the token that API calls must carry")
    ] = None
    listen: Annotated[
        tuple[str, ...], Setting("list", "multiaddress to listen on for peers", "i")
    ] = ("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1")
    bootstrap: Annotated[
        tuple[str, ...],
        Setting("list", "first peers: multiaddress with /p2p/, or spr: text", "b"),
    ] = ()
    nat: Annotated[
        str, Setting("text", "any, none, upnp or extip:<IP>: the way through a router")
    ] = "any"
    relay_server: Annotated[
        bool, Setting("flag", "forward for peers that nobody reaches, within limits")
    ] = False
    relay_reservations: Annotated[
        int, Setting("count", "peers that a relay forwards for at most")
    ] = RELAY_DEFAULTS.reservations
    relay_circuits: Annotated[
        int, Setting("count", "connections that a relay forwards at once at most")
    ] = RELAY_DEFAULTS.circuits
    relay_circuit_bytes: Annotated[
        int, Setting("size", "bytes a relayed connection may carry, in each direction")
    ] = RELAY_DEFAULTS.circuit_bytes
    relay_circuit_time: Annotated[
        float, Setting("duration", "how long a relayed connection may last")
    ] = RELAY_DEFAULTS.circuit_seconds
    no_profile_bootstrap: Annotated[
        bool, Setting("flag", "do not use the bootstrap records of the network profile")
    ] = False
    net_privkey: Annotated[Path, Setting("path", "network key, relative to the data directory")] = (
        Path("key")
    )
    agent_string: Annotated[str | None, Setting("text", "what peers are told this program is")] = (
        None
    )
    mdns: Annotated[bool, Setting("flag", "find peers on the local network")] = False
    max_peers: Annotated[int, Setting("count", "connections to peers at most")] = 160
    storage_quota: Annotated[int, Setting("size", "bytes the node may keep", "q")] = 20 * GIB
    block_ttl: Annotated[
        float, Setting("duration", "how long a dataset is kept; 0 is for ever", "t")
    ] = 30 * 86400.0
    block_mi: Annotated[
        float, Setting("duration", "how often datasets past their time are collected")
    ] = 600.0
    block_mn: Annotated[
        int, Setting("count", "how many datasets one step of a collection deletes at most")
    ] = 1000
    scrub_rate: Annotated[
        int, Setting("size", "bytes read again each second to find damage; 0 is never")
    ] = 4 * MIB
    request_timeout: Annotated[
        float, Setting("duration", "how long a request waits for the network")
    ] = 30.0
    upload_idle_timeout: Annotated[
        float, Setting("duration", "an upload whose client sends nothing for so long is dropped")
    ] = 600.0
    upload_expiry: Annotated[
        float, Setting("duration", "how long an upload that was begun waits to be resumed")
    ] = 86400.0
    fetch_idle_timeout: Annotated[
        float, Setting("duration", "a background fetch without progress for so long fails")
    ] = 600.0
    shutdown_timeout: Annotated[
        float, Setting("duration", "how long a stopping node lets uploads and downloads end")
    ] = 10.0
    log_level: Annotated[
        str, Setting("text", "trace, debug, info, notice, warn, error, fatal; LEVEL;LEVEL:topic")
    ] = "info"
    otlp_endpoint: Annotated[
        str | None, Setting("text", "OpenTelemetry collector to send spans to; http://host:4318")
    ] = None
    log_format: Annotated[str, Setting("text", "text or json")] = "text"


def settings() -> dict[str, Setting]:
    """The settings by the name that people write (`storage-quota`), in order."""
    hints = get_type_hints(NodeConfig, include_extras=True)
    return {
        _written(field): next(a for a in get_args(hints[field])[1:] if isinstance(a, Setting))
        for field in NodeConfig.__struct_fields__
    }


def load_config(
    flags: Mapping[str, object],
    environment: Mapping[str, str],
    file: Path | None,
) -> NodeConfig:
    """Merge the sources; `flags` holds only what was given, by written name.

    Raises   BadConfig  an unknown name, a value of the wrong shape, a file that cannot be read
    """
    merged: dict[str, object] = {}
    for origin, values in (
        ("in the configuration file", {} if file is None else _read_file(file)),
        ("in the environment", _from_environment(environment)),
        ("on the command line", flags),
    ):
        for name, value in values.items():
            merged[name.replace("-", "_")] = _parse(name, value, origin)
    config = msgspec.convert(merged, NodeConfig, dec_hook=_path)
    _check(config)
    return msgspec.structs.replace(config, data_dir=config.data_dir.expanduser())


def default_text(name: str) -> str:
    """The default of a setting for help texts; empty when there is none."""
    value = getattr(NodeConfig(), name.replace("-", "_"))
    if isinstance(value, tuple):
        return " ".join(value)
    return "" if value is None or value is False else str(value)


def _read_file(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise BadConfig(f"configuration file {file} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"configuration file {file} is not valid TOML: {error}") from None


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """QUIRE_STORAGE_QUOTA -> storage-quota; names that belong to the client are passed over."""
    not_ours = {"config-file", "api", "token-file"}
    found = {
        name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("_", "-"): value
        for name, value in environment.items()
        if name.startswith(ENVIRONMENT_PREFIX)
    }
    return {name: value for name, value in sorted(found.items()) if name not in not_ours}


def _parse(name: str, value: object, origin: str) -> object:
    known = settings()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else f"; the settings are {', '.join(known)}"
        raise BadConfig(f"there is no setting {name!r} ({origin}){hint}")
    try:
        return _PARSERS[known[name].kind](value)
    except (InputError, ValueError) as error:
        raise BadConfig(f"{name} = {value!r} ({origin}): {error}") from None


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


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE + _FALSE:
        return value.lower() in _TRUE
    raise ValueError("true or false is needed")


def _list(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        raise ValueError("a list of texts is needed")
    return tuple(_text(part) for part in value)


_PARSERS = {
    "text": _text,
    "path": lambda value: str(value) if isinstance(value, Path) else _text(value),
    "size": _size,
    "duration": _duration,
    "port": lambda value: _whole(0, 65535, value),
    "count": lambda value: _whole(1, 100_000, value),
    "flag": _flag,
    "list": _list,
}


def _path(kind: type, value: object) -> object:
    return Path(str(value)) if kind is Path else value


def _written(field: str) -> str:
    return field.replace("_", "-")


def _check(config: NodeConfig) -> None:
    if config.log_format not in ("text", "json"):
        raise BadConfig(f"log-format is {config.log_format!r}; it is text or json")
    if not config.listen:
        raise BadConfig("listen is empty; a node needs at least one address, or nobody reaches it")
    for name in (
        "block_mi",
        "request_timeout",
        "upload_idle_timeout",
        "fetch_idle_timeout",
        "upload_expiry",
    ):
        if getattr(config, name) <= 0:
            raise BadConfig(f"{_written(name)} is 0; it must be a positive duration")
