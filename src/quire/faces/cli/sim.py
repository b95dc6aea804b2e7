"""quire sim: the deterministic simulator; everything after the name goes to it."""

from __future__ import annotations

import click


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sim_command(arguments: tuple[str, ...]) -> None:
    """Run the production code in a simulated world."""
    from quire.sim.main import run

    raise click.exceptions.Exit(int(run(list(arguments)) or 0))
