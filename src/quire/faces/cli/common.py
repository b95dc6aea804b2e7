"""What the commands share: the `--json` flag, a connected client, output, durations as options."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from quire.base.errors import InputError
from quire.base.units import parse_duration, parse_size
from quire.faces.cli.main import Context
from quire.faces.client import Client
from quire.formats.cid import Cid

T = TypeVar("T")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Duration(click.ParamType[float]):
    """A duration such as 30s, 10m, 1.5h; a bare number is seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            return value if isinstance(value, float) else parse_duration(str(value))
        except InputError as error:
            self.fail(error.message, param, ctx)


class Amount(click.ParamType[int]):
    """Tokens in their smallest unit: a whole number, with or without commas."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        digits = str(value).replace(",", "").replace("_", "")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 78):
            self.fail(f"{value!r} is not a whole number of the token's smallest unit", param, ctx)
        return int(digits)


class Size(click.ParamType[int]):
    """Bytes, such as 500m, 20GiB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return value if isinstance(value, int) else parse_size(str(value))
        except InputError as error:
            self.fail(error.message, param, ctx)


timeout_option = click.option(
    "--timeout",
    type=Duration(),
    help="How long the network may be asked, such as 5s. The node's setting if not given.",
)


def with_client(context: Context, call: Callable[[Client], Awaitable[T]]) -> T:
    """Run `call` with a client of the node that the global options name."""
    token = None
    if context.token_file is not None:
        try:
            token = context.token_file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"token file {context.token_file}: {error}") from None

    async def connected() -> T:
        async with Client(context.api, token=token) as client:
            return await call(client)

    return asyncio.run(connected())


def resolve(context: Context, text: str) -> str:
    """What a user wrote for a dataset, or for a path in one: `@name` is looked up at the node, and
    the CID stands in its place. Raises NotFound."""
    name, slash, path = text.partition("/")
    if not name.startswith("@"):
        return text
    route = f"/names/{name[1:]}"
    found = with_client(context, lambda client: client.json("GET", route))
    return f"{found['cid']}{slash}{path}"


def dataset_of(context: Context, text: str) -> Cid:
    """The CID that a user means, or the name of. Raises BadCid, NotFound."""
    return Cid.parse(resolve(context, text))


def show_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))


def is_terminal() -> bool:
    """Whether a person watches standard error."""
    return sys.stderr.isatty()
