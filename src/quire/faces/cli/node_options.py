"""The options of `quire node`, made from the settings, in the reference's syntax too.

--name value   --name=value   --name:value   -n value   -n:value   --flag   --flag=false
"""

from __future__ import annotations

import re
from typing import Any

import click

from quire.node.config import default_text, settings
from quire.node.reference_options import (
    ALIASES,
    SHORT,
    SUB_COMMANDS,
    WITHOUT_EFFECT,
)
from quire.node.setting import Setting

_LONG = re.compile(r"--([a-z][a-z0-9-]*)(?:([:=])(.*))?", re.DOTALL)
_SHORT = re.compile(r"-([a-z])[:=](.*)", re.DOTALL)


class NodeCommand(click.Command):
    """A command whose arguments may be written as the reference's are."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _plain(args))


def _plain(args: list[str]) -> list[str]:
    """The arguments in click's syntax."""
    flags = {name for name, setting in settings().items() if setting.kind == "flag"}
    known = {*settings(), *ALIASES, *WITHOUT_EFFECT, "config-file"}
    plain: list[str] = []
    for arg in args:
        long, short = _LONG.fullmatch(arg), _SHORT.fullmatch(arg)
        name = long[1] if long else arg
        if arg in SUB_COMMANDS:
            plain += SUB_COMMANDS[arg]
        elif long and name in flags:
            plain.append(f"--{name}={long[3] if long[2] else 'true'}")
        elif long and long[2] and name in known:
            plain.append(f"--{name}={long[3]}")
        elif short:
            plain += [f"-{short[1]}", short[2]]
        else:
            plain.append(arg)
    return plain


def node_options() -> list[click.Option]:
    """One option for each setting, and the reference's. One that is not given is absent, so that
    environment and file count."""
    shown = {name: _option(name, setting) for name, setting in settings().items()}
    hidden = [_hidden(alias, settings()[name].kind == "list") for alias, name in ALIASES.items()]
    hidden += [_hidden(name, False) for name in WITHOUT_EFFECT]
    return [*shown.values(), *hidden]


def _option(name: str, setting: Setting) -> click.Option:
    names = [f"--{name}"] + ([f"-{setting.short}"] if setting.short else [])
    default = default_text(name)
    text = setting.help + (f" [{default}]" if default else "")
    if setting.kind == "flag":
        return click.Option(names, metavar="[BOOL]", help=text)
    if setting.kind == "list":
        return click.Option(names, multiple=True, help=f"{text}; may be repeated")
    return click.Option(names, help=text, metavar=setting.kind.upper())


def _hidden(name: str, is_list: bool) -> click.Option:
    names = [f"--{name}"] + ([f"-{SHORT[name]}"] if name in SHORT else [])
    return click.Option(names, multiple=is_list, hidden=True)


def given(values: dict[str, Any]) -> dict[str, object]:
    """The options that were given, by written name."""
    return {
        name.replace("_", "-"): value for name, value in values.items() if value not in (None, ())
    }
