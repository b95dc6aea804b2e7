"""quire circuit: keys for storage proofs, made for tests, shown, and checked. Needs no node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from quire.base.errors import BadKey
from quire.base.rng import system_rng
from quire.base.units import format_size
from quire.dataset.circuit import OWN, CircuitParameters, parse_circuit_id
from quire.faces.cli.circuit_options import circuit_options, places_of
from quire.faces.cli.common import json_option, show_json
from quire.faces.cli.progress import progress
from quire.services.circuit_check import check_circuit
from quire.services.circuit_files import UNSAFE, CircuitFiles, CircuitPlaces, file_hash
from quire.services.circuit_setup import DEFAULT_SEED, set_up_circuit


@click.group()
def circuit_command() -> None:
    """Circuits and keys of storage proofs."""


@circuit_command.command("setup")
@click.option("--samples", type=int, help="Cells that a proof shows; as the network has it.")
@click.option("--max-slot-depth", type=int, help="Levels from a cell to its slot root.")
@click.option("--max-dataset-depth", type=int, help="Levels from a slot root to the dataset's.")
@click.option("--max-block-depth", type=int, help="Levels from a cell to its block's digest.")
@click.option("--max-cell-elements", type=int, help="Field elements of a cell.")
@click.option("--seed", default=DEFAULT_SEED, show_default=True,
              help="The same seed gives the same key; who knows it can forge proofs.")  # fmt: skip
@circuit_options
@json_option
def setup(
    samples: int | None,
    max_slot_depth: int | None,
    max_dataset_depth: int | None,
    max_block_depth: int | None,
    max_cell_elements: int | None,
    seed: str,
    data_dir: Path | None,
    circuit_dir: Path | None,
    profile: str | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Make an UNSAFE key for tests, of a circuit that binds the host."""
    places = places_of(data_dir, circuit_dir, profile, config_file)
    network = places.default
    parameters = CircuitParameters(
        OWN,
        network.samples if samples is None else samples,
        network.max_slot_depth if max_slot_depth is None else max_slot_depth,
        network.max_dataset_depth if max_dataset_depth is None else max_dataset_depth,
        network.block_depth if max_block_depth is None else max_block_depth,
        network.cell_elements if max_cell_elements is None else max_cell_elements,
    )
    click.secho(UNSAFE, err=True, fg="red", bold=True)
    with progress("setting up", None, is_quiet=as_json, counts="points") as report:
        set_up_circuit(
            places.directory,
            parameters,
            seed,
            lambda what, done, total: report(done, what, total=total),
        )
    found = _info(places, places.find(parameters))
    if as_json:
        show_json(found)
    else:
        _show_info(found)


@circuit_command.command("info")
@click.argument("circuit", required=False)
@circuit_options
@json_option
def info(
    circuit: str | None,
    data_dir: Path | None,
    circuit_dir: Path | None,
    profile: str | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Show the circuits that there are keys for, or one of them."""
    places = places_of(data_dir, circuit_dir, profile, config_file)
    wanted = places.every() if circuit is None else [parse_circuit_id(circuit)]
    found = [_info(places, places.find(parameters)) for parameters in wanted]
    if as_json:
        show_json({"directory": str(places.directory), "circuits": found})
        return
    if not found:
        click.echo(f"there are no keys in {places.directory}; the network's circuit is "
                   f"{places.default.id}")  # fmt: skip
    for each in found:
        _show_info(each)


@circuit_command.command("check")
@click.argument("circuit", required=False)
@circuit_options
@json_option
def check(
    circuit: str | None,
    data_dir: Path | None,
    circuit_dir: Path | None,
    profile: str | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Look at everything of a circuit's key: hashes, shape, constraints, points, a proof."""
    places = places_of(data_dir, circuit_dir, profile, config_file)
    parameters = places.default if circuit is None else parse_circuit_id(circuit)
    files = places.find(parameters)
    found = []
    seed = system_rng().randbytes(32)
    for finding in check_circuit(files, places.published(parameters), seed):
        found.append({"what": finding.what, "good": not finding.problem,
                      "problem": finding.problem})  # fmt: skip
        if not as_json:
            said = f"NO: {finding.problem}" if finding.problem else "yes"
            click.echo(f"{finding.what}: {said}")
    if as_json:
        show_json({"circuit": parameters.id, "unsafe": files.is_development, "findings": found})
    elif files.is_development:
        click.secho(UNSAFE, err=True, fg="red", bold=True)
    if not all(each["good"] for each in found):
        raise BadKey(f"the key of circuit {parameters.id} is not fit for use")


def _info(places: CircuitPlaces, files: CircuitFiles) -> dict[str, Any]:
    """What is known of a circuit without opening its key."""
    parameters, zkey = files.parameters, files.zkey
    published = places.published(parameters)
    return {
        "id": parameters.id,
        "samples": parameters.samples,
        "publicInputs": parameters.public_count,
        "bindsHost": parameters.binds_host,
        "networks": parameters == places.default,
        "zkey": None if zkey is None else str(zkey),
        "zkeyBytes": None if zkey is None else zkey.stat().st_size,
        "keyHash": None if zkey is None else file_hash(zkey).hex(),
        "publishedKeyHash": None if published is None else published.hex(),
        "r1cs": None if files.r1cs is None else str(files.r1cs),
        "wasm": None if files.wasm is None else str(files.wasm),
        "seed": None if files.note is None else files.note.seed,
        "unsafe": files.is_development,
        "warning": UNSAFE if files.is_development else "",
    }


_ROWS: tuple[tuple[str, Callable[[dict[str, Any]], object]], ...] = (
    ("samples", lambda found: found["samples"]),
    ("host", lambda found: "bound into the proof" if found["bindsHost"] else "not bound"),
    ("key", lambda found: found["zkey"] or "none"),
    ("size", lambda found: found["zkeyBytes"] and format_size(found["zkeyBytes"])),
    ("SHA-256", lambda found: found["keyHash"]),
    ("published", lambda found: found["publishedKeyHash"]),
    ("program", lambda found: found["wasm"]),
)


def _show_info(found: dict[str, Any]) -> None:
    click.echo(found["id"] + ("  (the network's)" if found["networks"] else ""))
    for label, read in _ROWS:
        if (value := read(found)) is not None:
            click.echo(f"  {label:<10} {value}")
    if found["publishedKeyHash"] not in (None, found["keyHash"]):
        click.secho("  THIS IS NOT THE KEY THAT THE NETWORK PUBLISHES", fg="red", bold=True)
    if found["unsafe"]:
        click.secho(f"  {UNSAFE}", fg="red", bold=True)
