"""quire node: run a node until it is told to stop. Its options are made from the settings."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import click

from quire.faces.cli.common import json_option
from quire.faces.rest.server import RestFace
from quire.node.build import build_node
from quire.node.config import NodeConfig, default_text, load_config, settings
from quire.node.lifecycle import Lifecycle
from quire.node.state_file import node_state


def _options() -> list[click.Option]:
    """One option for each setting, under the setting's name. A flag that is not given is absent,
    so that environment and file count."""
    options = []
    for name, setting in settings().items():
        names = [f"--{name}"] + ([f"-{setting.short}"] if setting.short else [])
        default = default_text(name)
        text = setting.help + (f" [{default}]" if default else "")
        if setting.kind == "flag":
            options.append(click.Option(names, is_flag=True, default=None, help=text))
        elif setting.kind == "list":
            options.append(click.Option(names, multiple=True, help=f"{text}; may be repeated"))
        else:
            options.append(click.Option(names, help=text, metavar=setting.kind.upper()))
    return options


@click.command()
@click.option("--config-file", type=click.Path(path_type=Path), envvar="QUIRE_CONFIG_FILE",
              help="TOML file with settings.")  # fmt: skip
@json_option
def node_command(config_file: Path | None, as_json: bool, **values: object) -> None:
    """Run a node. Every option can also be given as QUIRE_<NAME> or in the configuration file."""
    flags = {
        name.replace("_", "-"): value for name, value in values.items() if value not in (None, ())
    }
    asyncio.run(_run(load_config(flags, os.environ, config_file), as_json))


node_command.params[:0] = _options()


async def _run(config: NodeConfig, as_json: bool) -> None:
    node = await build_node(config)
    try:
        face = RestFace(node)
    except BaseException:
        await node.store.close()
        raise
    lifecycle = Lifecycle(node, [face])

    def tell() -> None:
        state = node_state(node)
        if as_json:
            click.echo(json.dumps(state))
        else:
            click.echo(f"API      {state['api']}\npeer id  {state['peerId']}", err=True)

    await lifecycle.run_until_signal(tell)
