"""Where the settings of a node come from: flags, environment, file and defaults.

    flag --storage-quota 10g  >  QUIRE_STORAGE_QUOTA=10g  >  TOML storage-quota = "10g"  >  20 GiB

A name is the same everywhere; the reference's names are taken too (`reference_options.py`). A name
that does not exist is refused with the nearest one that does. Lists are given by repeating the
flag, by commas in the environment, by an array in the file.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from quire.base.errors import BadConfig, InputError
from quire.node.config import LOG_FORMATS, NodeConfig, settings, written_name
from quire.node.reference_options import (
    ALIASES,
    ENVIRONMENT_PREFIXES,
    WITHOUT_EFFECT,
    why_without_effect,
)
from quire.node.setting import parse_value

ENVIRONMENT_PREFIX = "QUIRE_"
# Variables of other commands, and of the embedded chain.
_OF_THE_CLIENT = ("config-file", "api", "token-file", "anvil")


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
        ("in the configuration file", {} if file is None else _read_file(file)),
        ("in the environment", _from_environment(environment)),
        ("on the command line", flags),
    ):
        merged |= _one_source(values, origin, warn or (lambda _: None))
    config = msgspec.convert(merged, NodeConfig, dec_hook=_custom)
    _check(config)
    return msgspec.structs.replace(config, data_dir=config.data_dir.expanduser())


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
            raise BadConfig(f"{written_name(name)} is 0; it must be a positive duration")
    _check_chain(config)


def _check_chain(config: NodeConfig) -> None:
    if config.eth_private_key is not None and config.eth_keystore is not None:
        raise BadConfig("eth-private-key and eth-keystore both name the account's key; give one")
    if (config.eth_keystore is None) != (config.eth_password_file is None):
        raise BadConfig("eth-keystore and eth-password-file belong together; give both or none")
    groups, index = config.validator_groups, config.validator_group_index
    if index >= (groups or 1):
        raise BadConfig(
            f"validator-group-index is {index}; with "
            + (f"{groups} groups it is below {groups}" if groups else "no validator-groups it is 0")
        )
