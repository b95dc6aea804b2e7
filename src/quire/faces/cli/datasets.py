"""quire ls, rm, stat: what the node holds."""

from __future__ import annotations

from typing import Any

import click

from quire.base.errors import UnknownDataset
from quire.base.units import format_size, format_time
from quire.faces.cli.common import (
    dataset_of,
    json_option,
    show_json,
    timeout_option,
    with_client,
)
from quire.faces.cli.main import Context
from quire.faces.cli.tree_list import list_tree


@click.command()
@click.argument("path", required=False, metavar="[CID|CAP[/PATH]]")
@click.option("-r", "--recursive", is_flag=True, help="Of a directory: everything below.")
@timeout_option
@json_option
@click.pass_obj
def ls_command(
    context: Context, path: str | None, recursive: bool, timeout: float | None, as_json: bool
) -> None:
    """List the datasets of the node, or what the directory CID or CAP holds."""
    if path is not None:
        list_tree(context, path, timeout, is_recursive=recursive, as_json=as_json)
        return
    found = with_client(context, lambda client: client.json("GET", "/datasets"))
    if as_json:
        show_json(found)
        return
    for item in found["content"]:
        manifest = item["manifest"]
        size, until = format_size(manifest["datasetSize"]), _until(item["expiresAt"])
        name = manifest["filename"] or ""
        click.echo(f"{item['cid']}  {size:>11}  {until:<11}  {name}".rstrip())


def _until(expires_at: float | None) -> str:
    """Until when a dataset is kept, as a day."""
    if expires_at is None:
        return "for ever"
    return format_time(expires_at)[:10] if expires_at else "not kept"


@click.command()
@click.argument("cids", nargs=-1, required=True, metavar="CID...")
@json_option
@click.pass_obj
def rm_command(context: Context, cids: tuple[str, ...], as_json: bool) -> None:
    """Delete datasets from the node; other nodes keep what they have."""
    names = [dataset_of(context, text) for text in cids]
    for name in names:
        path = f"/data/{name}"
        there = with_client(context, lambda client, p=path: client.json("GET", f"{p}/exists"))  # type: ignore[misc]
        if not there["has"]:
            raise UnknownDataset(f"{name} is not on this node", cid=str(name))
        with_client(context, lambda client, p=path: client.json("DELETE", p))  # type: ignore[misc]
    if as_json:
        show_json({"deleted": [str(name) for name in names]})


@click.command()
@click.argument("cid")
@json_option
@click.pass_obj
def stat_command(context: Context, cid: str, as_json: bool) -> None:
    """Show what the node holds of the dataset CID."""
    name = dataset_of(context, cid)
    found = with_client(context, lambda client: client.json("GET", f"/datasets/{name}"))
    if as_json:
        show_json(found)
        return
    for label, value in _rows(found):
        click.echo(f"{label:<10} {value}")


def _rows(found: dict[str, Any]) -> list[tuple[str, object]]:
    manifest = found["manifest"]
    state = "complete" if found["complete"] else "partial"
    kept = ", ".join(f"{r['kind']} {r['name']}".strip() for r in found["roots"]) or "nothing"
    return [
        ("cid", found["cid"]),
        ("tree", manifest["treeCid"]),
        ("name", manifest["filename"] or "-"),
        ("type", manifest["mimetype"] or "-"),
        ("size", f"{format_size(manifest['datasetSize'])} ({manifest['datasetSize']} bytes)"),
        ("blocks", f"{found['presentBlocks']} of {found['totalBlocks']}, {state}"),
        ("kept by", kept),
    ]
