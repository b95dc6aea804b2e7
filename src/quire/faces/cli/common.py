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
from quire.formats.cap import Cap, DatasetCap, LiteralCap, is_cap_text, parse_cap
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


def target_of(context: Context, text: str) -> tuple[Cid | Cap, str]:
    """What a user wrote for a dataset, or for a path in one: `CID`, a capability, `@name` (looked
    up at the node) or `-` (read from standard input), and behind it `/path`.

    Raises BadCid, BadCap, NotFound.
    """
    if text == "-":
        text = sys.stdin.readline().strip()
    if not text.startswith("@"):
        return parse_target(text)
    name, slash, path = text[1:].partition("/")
    found = with_client(context, lambda client: client.json("GET", f"/names/{name}"))
    return parse_target(f"{found['cid']}{slash}{path}")


def parse_target(text: str) -> tuple[Cid | Cap, str]:
    """`CID`, `CID/path/within` or the same with a capability -> CID or capability, and path. Raises
    BadCid, BadCap."""
    name, _, path = text.partition("/")
    return (parse_cap(name) if is_cap_text(name) else Cid.parse(name)), path.strip("/")


def dataset_of(context: Context, text: str) -> Cid:
    """The CID that a user means, by itself, its capability or its name; a key stays here. Raises
    BadCid, BadCap, NotFound, InputError."""
    return dataset_and_cap(context, text)[0]


def dataset_and_cap(context: Context, text: str) -> tuple[Cid, DatasetCap | None]:
    """The same, and the capability if one was given."""
    target, path = target_of(context, text)
    if path:
        raise InputError(f"a dataset is wanted here, not {path!r} in it")
    if isinstance(target, LiteralCap):
        raise InputError("a literal capability holds its content: no node has a dataset of it")
    return (target, None) if isinstance(target, Cid) else (target.cid, target)


def show_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))


def is_terminal() -> bool:
    """Whether a person watches standard error."""
    return sys.stderr.isatty()
