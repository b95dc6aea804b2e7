"""Entry of the command `quire`: global options, lazy commands, errors in words, exit codes."""

from __future__ import annotations

import importlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from quire import __version__
from quire.base.errors import Bug, InputError, QuireError

DEFAULT_API = "http://127.0.0.1:8080"
EXIT_INTERRUPTED = 130

# command -> module of this package that holds it
COMMANDS = {
    "node": "node",
    "put": "put",
    "get": "get",
    "ls": "datasets",
    "rm": "datasets",
    "stat": "datasets",
    "fetch": "fetch",
    "cap": "cap",
    "keyring": "keyring",
    "backup": "backup",
    "restore": "backup",
    "protect": "protect",
    "slots": "protect",
    "slot": "slot",
    "rebuild": "rebuild",
    "prove": "prove",
    "verify": "verify",
    "circuit": "circuit",
    "chain": "chain",
    "request": "request",
    "purchases": "purchases",
    "offer": "offer",
    "sales": "sales",
    "jobs": "job_list",
    "aggregators": "aggregators",
    "bond": "bond",
    "channels": "channels",
    "providers": "providers",
    "uploads": "uploads",
    "renew": "uploads",
    "release": "uploads",
    "leases": "leases",
    "key": "key",
    "pin": "retention",
    "unpin": "retention",
    "ttl": "retention",
    "name": "retention",
    "unname": "retention",
    "names": "retention",
    "why-kept": "retention",
    "why-full": "retention",
    "collect": "retention",
    "scrub": "check",
    "fsck": "check",
    "validator": "validator",
    "caching": "caching",
    "plan": "plan",
    "why": "insight",
    "peers": "insight",
    "id": "insight",
    "events": "insight",
    "top": "top",
    "doctor": "doctor",
    "sim": "sim",
}


@dataclass(frozen=True, slots=True)
class Context:
    """The global options: which node, and the file with its token."""

    api: str
    token_file: Path | None


class LazyGroup(click.Group):
    """Loads a command's module when the command is called, so that `quire ls` starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"quire.faces.cli.{COMMANDS[cmd_name]}")
        command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="quire")
@click.option(
    "--api",
    default=DEFAULT_API,
    envvar="QUIRE_API",
    show_default=True,
    help="URL of the node to talk to.",
)
@click.option("--token-file", type=click.Path(path_type=Path), envvar="QUIRE_TOKEN_FILE",
              help="File with the token of the API.")  # fmt: skip
@click.pass_context
def quire(ctx: click.Context, api: str, token_file: Path | None) -> None:
    """Quire: durable, decentralised storage."""
    ctx.obj = Context(api, token_file)


def run() -> None:
    """Run the command line and end the process with the exit code of what happened."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    as_json = "--json" in arguments
    try:
        # A command that ends with a code of its own raises Exit; click returns that code.
        code = quire.main(args=arguments, prog_name="quire", standalone_mode=False)
    except QuireError as error:
        return _fail(error, as_json)
    except click.exceptions.Abort:
        return EXIT_INTERRUPTED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        if not as_json:
            error.show()
            return error.exit_code
        return _fail(InputError(error.format_message()), as_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0


def _fail(error: QuireError, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps(error.as_dict()), err=True)
    else:
        click.echo(f"quire: {error.message}", err=True)
        if error.hint:
            click.echo(f"       {error.hint}", err=True)
    if isinstance(error, Bug):
        import traceback

        traceback.print_exception(error)
    return error.exit


if __name__ == "__main__":
    run()
