"""quire node: run a node until it is told to stop. Its options are in `node_options.py`."""

from __future__ import annotations

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from quire import __version__
from quire.base.heap import use_few_heaps
from quire.faces.cli.common import json_option
from quire.faces.cli.node_options import NodeCommand, given, node_options
from quire.faces.metrics import MetricsFace
from quire.faces.rest.server import RestFace
from quire.node.build import build_node
from quire.node.config import NodeConfig
from quire.node.config_load import load_config
from quire.node.lifecycle import Face, Lifecycle
from quire.node.state_file import node_state


@click.command(cls=NodeCommand)
@click.version_option(__version__, prog_name="quire")
@click.option("--config-file", type=click.Path(path_type=Path), envvar="QUIRE_CONFIG_FILE",
              help="TOML file with settings.")  # fmt: skip
@json_option
def node_command(config_file: Path | None, as_json: bool, **values: object) -> None:
    """Run a node. Every option can also be given as QUIRE_<NAME> or in the configuration file."""

    def warn(text: str) -> None:
        click.echo(f"quire: {text}", err=True)

    use_few_heaps()
    asyncio.run(_run(load_config(given(values), os.environ, config_file, warn=warn), as_json))


node_command.params[:0] = node_options()


async def _run(config: NodeConfig, as_json: bool) -> None:
    if config.num_threads:
        pool = ThreadPoolExecutor(config.num_threads, thread_name_prefix="quire")
        asyncio.get_running_loop().set_default_executor(pool)
    node = await build_node(config)
    try:
        face = RestFace(node)
    except BaseException:
        await node.abandon()
        raise
    faces: list[Face] = [MetricsFace(node)] if config.metrics else []
    lifecycle = Lifecycle(node, [*faces, face])

    def tell() -> None:
        state = node_state(node)
        if as_json:
            click.echo(json.dumps(state))
        else:
            click.echo(f"API      {state['api']}\npeer id  {state['peerId']}", err=True)

    await lifecycle.run_until_signal(tell)
