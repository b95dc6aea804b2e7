"""A directory as a plain page for people: no scripts, every name escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from aiohttp import web

from quire.base.units import format_size
from quire.formats.directory import DIRECTORY, SYMLINK, Entry

PAGE_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    " allow-downloads allow-top-navigation-by-user-activation",
    "Referrer-Policy": "no-referrer",
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}"
    "td{padding:.1rem 1rem .1rem 0}td+td{text-align:right;font-variant-numeric:tabular-nums}"
)


def listing_page(
    base: str, path: str, entries: Sequence[Entry], after: str | None, headers: dict[str, str]
) -> web.Response:
    """`base` is the URL path of the top directory, without a slash at its end; `after` is the name
    after which more entries follow."""
    here = base + "/" + _quoted(path)
    rows = []
    if path:
        rows.append(_row(base + "/" + _quoted(path.rpartition("/")[0]), "..", ""))
    for entry in entries:
        name, size = entry.name, format_size(entry.size)
        if entry.kind == DIRECTORY:
            name, size = name + "/", ""
        elif entry.kind == SYMLINK:
            name, size = f"{name} → {entry.text}", ""
        rows.append(_row(base + "/" + _quoted(entry.path), name, size))
    if after is not None:
        rows.append(_row(f"{here}?after={quote(after, safe='')}", "more …", ""))
    title = escape("/" + path)
    body = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f"<style>{_STYLE}</style><h1>{title}</h1>"
        f'<p><a href="{escape(here)}?format=tar">as a tar archive</a></p>'
        f"<table>{''.join(rows)}</table></html>"
    )
    return web.Response(body=body.encode(), headers=headers | PAGE_HEADERS)


def _row(link: str, name: str, size: str) -> str:
    return f'<tr><td><a href="{escape(link)}">{escape(name)}</a></td><td>{size}</td></tr>\n'


def _quoted(path: str) -> str:
    return quote(path, safe="/")
