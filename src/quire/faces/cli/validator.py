"""quire validator: what the node's validator watches and has marked."""

from __future__ import annotations

import click

from quire.base.units import format_time
from quire.faces.cli.common import json_option, show_json, with_client
from quire.faces.cli.main import Context


@click.command()
@json_option
@click.pass_obj
def validator_command(context: Context, as_json: bool) -> None:
    """Show how many slots the node validates, what it has marked, and when it looks again."""
    found = with_client(context, lambda client: client.json("GET", "/validator"))
    if as_json:
        show_json(found)
        return
    share = ""
    if found["groups"]:
        share = f", group {found['groupIndex']} of {found['groups']}"
    if found["slotsLeftOut"]:
        share += f"; {found['slotsLeftOut']} more are not watched (validator-max-slots)"
    click.echo(f"watches {found['slots']} slots{share}")
    if not found["ready"]:
        click.echo("slots that were filled before the start are still being looked for")
    click.echo(
        f"marked {found['marked']} missing proofs in {found['transactions']} transactions; "
        f"{found['beaten']} were marked by others first"
    )
    click.echo(
        f"looked at {found['windows']} periods, {found['windowsMissed']} went by unseen; "
        f"period {found['period']} from {format_time(found['nextWindowAt'])} on"
    )
