"""quire prove: a slot of the node proves that it is there."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from quire.base.errors import EnvironmentProblem, InputError, QuireError, Refused
from quire.faces.cli.common import (
    Duration,
    dataset_of,
    is_terminal,
    json_option,
    show_json,
    with_client,
)
from quire.faces.cli.main import Context
from quire.faces.client import Client, error_of_job

POLL_SECONDS = 0.1
ENDED = ("complete", "failed", "cancelled")


@click.command()
@click.argument("cid")
@click.option("--slot", type=int, required=True, help="Number of the slot, from 0.")
@click.option("--entropy", help="What draws the cells: a hexadecimal number.")
@click.option("--challenge", help="Instead of it: the 32 bytes of the contract, in hexadecimal.")
@click.option("--host", help="Address that the proof is to be worth something to: 0x...")
@click.option("--circuit", help="Id of a circuit; the network's if not given.")
@click.option("--within", type=Duration(), help="How soon it is needed, such as 90s.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
              help="File for the proof; else it is printed.")  # fmt: skip
@json_option
@click.pass_obj
def prove_command(
    context: Context,
    cid: str,
    slot: int,
    entropy: str | None,
    challenge: str | None,
    host: str | None,
    circuit: str | None,
    within: float | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Prove that a slot of the protected dataset CID is on the node."""
    if (entropy is None) == (challenge is None):
        raise InputError("give either --entropy or --challenge")
    asked = {"entropy": entropy, "challenge": challenge, "host": host, "circuit": circuit,
             "within": None if within is None else f"{within:.3f}"}  # fmt: skip
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    path = f"/datasets/{dataset_of(context, cid)}/slots/{slot}/proofs"

    async def prove(client: Client) -> dict[str, Any]:
        job = await client.json("POST", f"{path}?{query}")
        return await _watch(client, f"{path}/{job['id']}", is_quiet=as_json)

    job = with_client(context, prove)
    if job["error"] is not None:
        raise error_of_job(job["error"])
    if job["proof"] is None:
        raise Refused(f"the proof was not made: {job['reason']}")
    text = json.dumps(job["proof"], indent=2) + "\n"
    if output is not None:
        write_whole(output, text)
    if as_json:
        show_json(job)
    elif output is None:
        click.echo(text, nl=False)
    else:
        click.echo(f"slot {slot} is proved, in {job['seconds']:.2f} s: {output}", err=True)


async def _watch(client: Client, path: str, *, is_quiet: bool) -> dict[str, Any]:
    """Until the proof is there; a person sees what is being done whenever that changes."""
    said = ""
    try:
        while True:
            job: dict[str, Any] = await client.json("GET", path)
            if job["state"] in ENDED:
                return job
            if job["reason"] != said and is_terminal() and not is_quiet:
                said = job["reason"]
                click.echo(f"{job['state']}: {said}", err=True)
            await asyncio.sleep(POLL_SECONDS)
    except asyncio.CancelledError:
        with suppress(QuireError):
            await client.json("DELETE", path)  # nobody waits for it any more
        raise


def write_whole(path: Path, text: str) -> None:
    """A file that appears whole or not at all. Raises EnvironmentProblem."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_text(text, "utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise EnvironmentProblem(f"{path} cannot be written: {error.strerror}") from None
