"""quire doctor: checks the surroundings, and the node when one answers."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import click

from quire.base.errors import EnvironmentProblem, NodeUnreachable
from quire.faces.cli.common import json_option, show_json, with_client
from quire.faces.cli.main import Context
from quire.faces.client import Client

_MARK = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}


@click.command()
@click.option("--data-dir", help="Data directory to examine; the default one if not given.")
@click.option("--config-file", type=click.Path(path_type=Path), help="TOML file with settings.")
@json_option
@click.pass_obj
def doctor_command(
    context: Context, data_dir: str | None, config_file: Path | None, as_json: bool
) -> None:
    """Find out what keeps a node from running well. Exit code 7 when there is a problem."""
    findings = _of_node(context)
    if findings is None:
        findings = _of_surroundings(data_dir, config_file, context.api)
    if as_json:
        show_json({"findings": findings})
    else:
        for finding in findings:
            remedy = f"  -> {finding['remedy']}" if finding["remedy"] else ""
            click.echo(
                f"{_MARK[finding['state']]}  {finding['check']}: {finding['message']}{remedy}"
            )
    if any(finding["state"] == "problem" for finding in findings):
        raise click.exceptions.Exit(EnvironmentProblem.exit)


def _of_node(context: Context) -> list[dict[str, Any]] | None:
    """What the node that answers at the API finds; None when none does."""

    async def ask(client: Client) -> Any:
        return await client.json("GET", "/doctor")

    try:
        answer = with_client(context, ask)
    except NodeUnreachable:
        return None
    findings: list[dict[str, Any]] = answer["findings"]
    reached = {"check": "API", "state": "ok", "message": f"{context.api} answers", "remedy": ""}
    return [*findings, reached]


def _of_surroundings(
    data_dir: str | None, config_file: Path | None, api: str
) -> list[dict[str, Any]]:
    import msgspec

    from quire.node.config_load import load_config
    from quire.node.doctor import examine
    from quire.node.doctor_chain import examine_settings

    flags = {} if data_dir is None else {"data-dir": data_dir}
    config = load_config(flags, os.environ, config_file)
    examined = [*examine(config, is_running=False), *asyncio.run(examine_settings(config))]
    findings = [msgspec.to_builtins(finding) for finding in examined]
    missing = {
        "check": "API",
        "state": "warning",
        "message": f"no node answers at {api}",
        "remedy": NodeUnreachable.hint,
    }
    return [*findings, missing]
