"""quire put --retail: the file is also kept as sealed replicas at paid providers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from quire.base.errors import InputError
from quire.faces.cli.common import Duration, with_client
from quire.faces.cli.main import Context
from quire.faces.cli.uploads import EXIT_NOT_KEPT, show_upload, watch_upload
from quire.faces.client import Client
from quire.faces.encrypting import Caps
from quire.faces.replicas import KeepTerms, Replicas
from quire.formats.cap import ReadCap

F = TypeVar("F", bound=Callable[..., Any])

COPIES = 3
TERM_SECONDS = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Keep:
    """What `--retail` and its options say. `waits`: until every replica is signed for."""

    terms: KeepTerms
    waits: bool


def keep_options(command: F) -> F:
    """`--retail` and what goes with it."""
    options = [
        click.option("--retail", is_flag=True,
                     help="Have it kept as sealed replicas at paid providers, too."),
        click.option("--copies", type=click.IntRange(1, 32), default=COPIES, show_default=True,
                     help="With --retail: replicas of each part."),
        click.option("--for", "term", type=Duration(), default=TERM_SECONDS, show_default="30d",
                     help="With --retail: for how long, until it is renewed."),
        click.option("--budget", type=click.IntRange(min=0),
                     help="With --retail: most tokens that one term of all replicas may cost."),
        click.option("--no-autorenew", is_flag=True,
                     help="With --retail: let it end with its term."),
        click.option("--wait", "waits", is_flag=True,
                     help="With --retail: end when every replica is signed for."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def keep_of(
    *, retail: bool, copies: int, term: float, budget: int | None, no_autorenew: bool, waits: bool
) -> Keep | None:
    """None without --retail. Raises InputError for options that need it."""
    if retail:
        return Keep(KeepTerms(copies, int(term), not no_autorenew, budget), waits)
    if budget is not None or no_autorenew or waits:
        raise InputError("--budget, --no-autorenew and --wait go with --retail")
    return None


def keep(context: Context, caps: Caps, wanted: Keep, facts: dict[str, Any] | None) -> None:
    """Order replicas of what was put; tells the upload's id, and how it goes when it is waited for.
    With `facts` nothing is printed: the upload is added to them, None as long as there is none.

    Raises   Exit  it was waited for and released instead
    """
    if not isinstance(caps.read, ReadCap):
        raise InputError("a literal capability holds its content: there is nothing to keep")
    cap = caps.read
    found = {} if facts is None else facts
    found["upload"] = None

    async def order(client: Client) -> dict[str, Any]:
        return await Replicas(client).put(cap, wanted.terms)

    upload = found["upload"] = with_client(context, order)
    if wanted.waits:
        upload = found["upload"] = watch_upload(context, upload["id"], is_quiet=facts is not None)
    if facts is None and wanted.waits:
        show_upload(upload)
    elif facts is None:
        click.echo(f"upload {upload['id']}; quire uploads --watch follows it", err=True)
    if wanted.waits and upload["state"] != "UPLOADED":
        raise click.exceptions.Exit(EXIT_NOT_KEPT)
