"""Options of the commands that look for circuits and keys without a node."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from quire.node.config_load import load_config
from quire.node.profile import load_profile
from quire.node.proving import circuit_places
from quire.services.circuit_files import CircuitPlaces

F = TypeVar("F", bound=Callable[..., Any])

_DIRECTORY = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)
_OPTIONS = (
    click.option("--data-dir", "-d", type=_DIRECTORY, help="Data directory of a node."),
    click.option("--circuit-dir", type=_DIRECTORY, help="Where the circuits are, if elsewhere."),
    click.option("--profile", help="Network profile: a name, or a TOML file."),
    click.option("--config-file", type=_FILE, envvar="QUIRE_CONFIG_FILE",
                 help="TOML file with the settings of a node."),
)  # fmt: skip


def circuit_options(command: F) -> F:
    """Adds them; the command takes `data_dir`, `circuit_dir`, `profile` and `config_file`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def places_of(
    data_dir: Path | None, circuit_dir: Path | None, profile: str | None, config_file: Path | None
) -> CircuitPlaces:
    """Where a node with these settings would look; environment and file count. Raises BadConfig."""
    given = {"data-dir": data_dir, "circuit-dir": circuit_dir, "profile": profile}
    flags = {name: str(value) for name, value in given.items() if value is not None}
    if circuit_dir is not None:
        flags["circuit-dir"] = str(circuit_dir.absolute())
    config = load_config(flags, os.environ, config_file, warn=lambda _: None)
    return circuit_places(config, load_profile(config.profile))
