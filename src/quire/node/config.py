"""The configuration of a node: one struct, filled from flags, environment, file and defaults.

    flag --storage-quota 10g  >  QUIRE_STORAGE_QUOTA=10g  >  TOML storage-quota = "10g"  >  20 GiB

A name is the same everywhere; the reference's names are taken too (`reference_options.py`). A name
that does not exist is refused with the nearest one that does. Lists are given by repeating the
flag, by commas in the environment, by an array in the file.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, get_args, get_type_hints

import msgspec

from quire.base.errors import BadConfig, InputError
from quire.base.units import GIB, MIB
from quire.net.nat import RELAY_DEFAULTS
from quire.node.reference_options import (
    ALIASES,
    ENVIRONMENT_PREFIXES,
    MARKETPLACE,
    NO_MARKETPLACE,
    WITHOUT_EFFECT,
    why_without_effect,
)
from quire.node.setting import NatSetting, Setting, parse_value

ENVIRONMENT_PREFIX = "QUIRE_"
LOG_FORMATS = ("auto", "colors", "nocolors", "json", "none")
IN_FILE = "in the configuration file"
# Variables of the command line's other commands.
_OF_THE_CLIENT = ("config-file", "api", "token-file")


class NodeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of a node. Sizes in bytes, durations in seconds."""

    data_dir: Annotated[Path, Setting("path", "where everything of this node is kept", "d")] = Path(
        "~/.local/share/quire"
    )
    profile: Annotated[str, Setting("text", "network profile: a name, or a TOML file")] = "quire"
    api_bindaddr: Annotated[str, Setting("text", "address the API listens on")] = "127.0.0.1"
    api_port: Annotated[int, Setting("port", "port of the API; 0 takes a free one", "p")] = 8080
    api_cors_origin: Annotated[
        tuple[str, ...],
        Setting("list", "origin (or host[:port]) that browsers may call the API from; * is any"),
    ] = ()
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
        NatSetting, Setting("nat", "any, none, upnp, pmp or extip:<IP>: the way through a router")
    ] = NatSetting()
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
    circuit_dir: Annotated[
        Path, Setting("path", "circuits and their keys, relative to the data directory")
    ] = Path("circuits")
    circom_r1cs: Annotated[
        Path | None, Setting("path", "constraints (.r1cs) of the network's circuit")
    ] = None
    circom_wasm: Annotated[
        Path | None, Setting("path", "witness program (.wasm) of the network's circuit")
    ] = None
    circom_zkey: Annotated[
        Path | None, Setting("path", "proving key (.zkey) of the network's circuit")
    ] = None
    circom_no_zkey: Annotated[bool, Setting("flag", "make no proofs, whatever keys are here")] = (
        False
    )
    proof_samples: Annotated[
        int | None, Setting("count", "cells a proof shows; as the network has it if not given")
    ] = None
    max_slot_depth: Annotated[
        int | None, Setting("count", "levels of a slot's tree in the circuit, from the cells")
    ] = None
    max_dataset_depth: Annotated[
        int | None, Setting("count", "levels of the tree over the slots in the circuit")
    ] = None
    max_block_depth: Annotated[
        int | None, Setting("count", "levels of a block's tree in the circuit")
    ] = None
    max_cell_elements: Annotated[
        int | None, Setting("count", "field elements of a cell in the circuit")
    ] = None
    num_threads: Annotated[
        int, Setting("threads", "threads for hashing and disk; 0: as the machine suggests")
    ] = 0
    request_timeout: Annotated[
        float, Setting("duration", "how long a request waits for the network")
    ] = 30.0
    upload_idle_timeout: Annotated[
        float, Setting("duration", "an upload whose client sends nothing for so long is dropped")
    ] = 600.0
    upload_expiry: Annotated[
        float,
        Setting("duration", "how long an upload or protection that was begun waits to be resumed"),
    ] = 86400.0
    fetch_idle_timeout: Annotated[
        float, Setting("duration", "a background fetch without progress for so long fails")
    ] = 600.0
    drop_computed: Annotated[
        bool, Setting("flag", "give up blocks that a download computed, at its end; else cached")
    ] = False
    shutdown_timeout: Annotated[
        float, Setting("duration", "how long a stopping node lets uploads and downloads end")
    ] = 10.0
    log_level: Annotated[
        str, Setting("text", "trace, debug, info, notice, warn, error, fatal; LEVEL;LEVEL:topic")
    ] = "info"
    otlp_endpoint: Annotated[
        str | None, Setting("text", "OpenTelemetry collector to send spans to; http://host:4318")
    ] = None
    log_format: Annotated[str, Setting("text", ", ".join(LOG_FORMATS))] = "auto"
    log_file: Annotated[
        Path | None, Setting("path", "file to which log lines are added, besides standard error")
    ] = None
    metrics: Annotated[bool, Setting("flag", "serve metrics on an address of their own")] = False
    metrics_address: Annotated[str, Setting("text", "address of the metrics")] = "127.0.0.1"
    metrics_port: Annotated[int, Setting("port", "port of the metrics; 0 takes a free one")] = 8008


@cache
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
    *,
    warn: Callable[[str], None] | None = None,
) -> NodeConfig:
    """Merge the sources; `flags` holds only what was given, by written name.

    warn     told, in one line each, of options of the reference that have no effect here
    Raises   BadConfig  an unknown name, a value of the wrong shape, a file that cannot be read
    """
    merged: dict[str, object] = {}
    for origin, values in (
        (IN_FILE, {} if file is None else _read_file(file)),
        ("in the environment", _from_environment(environment)),
        ("on the command line", flags),
    ):
        merged |= _one_source(values, origin, warn or (lambda _: None))
    config = msgspec.convert(merged, NodeConfig, dec_hook=_custom)
    _check(config)
    return msgspec.structs.replace(config, data_dir=config.data_dir.expanduser())


def default_text(name: str) -> str:
    """The default of a setting for help texts; empty when there is none."""
    value = getattr(NodeConfig(), name.replace("-", "_"))
    if isinstance(value, tuple):
        return " ".join(value)
    return "" if value is None or value is False else str(value)


def _one_source(
    values: Mapping[str, object], origin: str, warn: Callable[[str], None]
) -> dict[str, object]:
    """The settings of one source by field name, the reference's names resolved."""
    found: dict[str, object] = {}
    given: dict[str, str] = {}
    for written, value in values.items():
        name = ALIASES.get(written, written)
        if name in WITHOUT_EFFECT:
            warn(why_without_effect(name))
            continue
        if name in MARKETPLACE and origin == IN_FILE:  # read only with its sub-command
            warn(f"{name} ({origin}) has no effect here: {NO_MARKETPLACE}")
            continue
        if name in MARKETPLACE:
            raise BadConfig(f"{written} ({origin}): {NO_MARKETPLACE}")
        if name in given:
            raise BadConfig(
                f"{written} and {given[name]} are the same setting ({origin}); give it once"
            )
        given[name] = written
        found[name.replace("-", "_")] = _parse(name, value, origin)
    return found


def _read_file(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise BadConfig(f"configuration file {file} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"configuration file {file} is not valid TOML: {error}") from None


def _from_environment(environment: Mapping[str, str]) -> dict[str, object]:
    """QUIRE_STORAGE_QUOTA -> storage-quota; where it is not set, CODEX_STORAGE_QUOTA counts.

    Of the other prefixes only names that are settings are taken: other programs use them too.
    """
    found: dict[str, object] = {}
    for prefix in reversed(ENVIRONMENT_PREFIXES):
        found |= {
            ALIASES.get(name, name): value
            for name, value in _with_prefix(environment, prefix).items()
            if name in _known_names()
        }
    ours = _with_prefix(environment, ENVIRONMENT_PREFIX)
    named = {ALIASES.get(name, name) for name in ours}
    found = {name: value for name, value in found.items() if name not in named}
    return found | {name: value for name, value in ours.items() if name not in _OF_THE_CLIENT}


def _with_prefix(environment: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {
        name.removeprefix(prefix).lower().replace("_", "-"): environment[name]
        for name in sorted(environment)
        if name.startswith(prefix)
    }


def _known_names() -> frozenset[str]:
    return frozenset((*settings(), *ALIASES, *WITHOUT_EFFECT))


def _parse(name: str, value: object, origin: str) -> object:
    known = settings()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else f"; the settings are {', '.join(known)}"
        raise BadConfig(f"there is no setting {name!r} ({origin}){hint}")
    try:
        return parse_value(known[name].kind, value)
    except (InputError, ValueError) as error:
        raise BadConfig(f"{name} = {value!r} ({origin}): {error}") from None


def _custom(kind: type, value: object) -> object:
    return Path(str(value)) if kind is Path else value


def _written(field: str) -> str:
    return field.replace("_", "-")


def _check(config: NodeConfig) -> None:
    if config.log_format not in LOG_FORMATS:
        raise BadConfig(f"log-format is {config.log_format!r}; it is one of {LOG_FORMATS}")
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
