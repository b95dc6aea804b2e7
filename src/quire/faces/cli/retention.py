"""Why things are kept: quire pin, unpin, ttl, why-kept, name, unname, names, collect, why-full."""

from __future__ import annotations

from typing import Any

import click

from quire.base.units import format_size, format_time
from quire.faces.cli.common import Duration, dataset_of, json_option, show_json, with_client
from quire.faces.cli.main import Context


def _show_roots(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    click.echo(found["words"])
    for root in found["roots"]:
        click.echo(f"  {root['kind']:<9} {root['words']}")


def _path_with_time(path: str, seconds: float | None) -> str:
    return path if seconds is None else f"{path}?for={seconds:.6f}"


@click.command()
@click.argument("cid")
@click.option("--for", "seconds", type=Duration(), help="How long, such as 30d; for ever if not.")
@json_option
@click.pass_obj
def pin_command(context: Context, cid: str, seconds: float | None, as_json: bool) -> None:
    """Keep the dataset CID (or @name), whatever its time to live."""
    path = f"/datasets/{dataset_of(context, cid)}/pin"
    path = _path_with_time(path, seconds)
    _show_roots(with_client(context, lambda client: client.json("PUT", path)), as_json)


@click.command()
@click.argument("cid")
@json_option
@click.pass_obj
def unpin_command(context: Context, cid: str, as_json: bool) -> None:
    """Take the pin of the dataset CID away; says what still keeps it."""
    path = f"/datasets/{dataset_of(context, cid)}/pin"
    _show_roots(with_client(context, lambda client: client.json("DELETE", path)), as_json)


@click.command()
@click.argument("cid")
@click.argument("duration", type=Duration(), metavar="DURATION")
@json_option
@click.pass_obj
def ttl_command(context: Context, cid: str, duration: float, as_json: bool) -> None:
    """Let the dataset CID live for DURATION from now, such as 30d; 0 is for ever."""
    path = _path_with_time(f"/datasets/{dataset_of(context, cid)}/ttl", duration)
    _show_roots(with_client(context, lambda client: client.json("PUT", path)), as_json)


@click.command(name="why-kept")
@click.argument("cid")
@json_option
@click.pass_obj
def why_kept_command(context: Context, cid: str, as_json: bool) -> None:
    """Say why the dataset CID is kept, until when, and what happens then."""
    path = f"/datasets/{dataset_of(context, cid)}/roots"
    _show_roots(with_client(context, lambda client: client.json("GET", path)), as_json)


@click.command()
@click.argument("name")
@click.argument("cid")
@json_option
@click.pass_obj
def name_command(context: Context, name: str, cid: str, as_json: bool) -> None:
    """Let NAME name the dataset CID, which is kept as long as it has the name. Wherever a CID is
    expected, @NAME will do."""
    target = {"cid": str(dataset_of(context, cid))}
    path = f"/names/{name.removeprefix('@')}"
    found = with_client(context, lambda client: client.json("PUT", path, body=target))
    if as_json:
        show_json(found)
    elif found["was"] not in (None, found["cid"]):
        click.echo(f"@{found['name']} names {found['cid']} now; before, {found['was']}")


@click.command()
@click.argument("name")
@json_option
@click.pass_obj
def unname_command(context: Context, name: str, as_json: bool) -> None:
    """Forget NAME; says what it named."""
    path = f"/names/{name.removeprefix('@')}"
    found = with_client(context, lambda client: client.json("DELETE", path))
    if as_json:
        show_json(found)
    else:
        click.echo(found["cid"])


@click.command()
@json_option
@click.pass_obj
def names_command(context: Context, as_json: bool) -> None:
    """List the names."""
    found = with_client(context, lambda client: client.json("GET", "/names"))
    if as_json:
        show_json(found)
        return
    for item in found["names"]:
        click.echo(f"{item['cid']}  @{item['name']}")


@click.command()
@click.option("--dry-run", is_flag=True, help="Only show what would go, and why.")
@json_option
@click.pass_obj
def collect_command(context: Context, dry_run: bool, as_json: bool) -> None:
    """Delete now what nothing keeps any more."""
    method = "GET" if dry_run else "POST"
    found = with_client(context, lambda client: client.json(method, "/collection"))
    if as_json:
        show_json(found)
        return
    for item in found["datasets"]:
        ended = f"ended {format_time(item['endedAt'])}" if item["endedAt"] else "no root"
        size = format_size(item["size"])
        click.echo(f"{item['cid']}  {size:>11}  {ended}  {item['filename'] or ''}".rstrip())
    for cid in found["held"]:
        click.echo(f"{cid}  is being read or fetched: it goes afterwards")
    count = len(found["datasets"]) if dry_run else found["deleted"]
    more = " and more" if dry_run and found["more"] else ""
    most = "" if found["exact"] else "at most "
    verb = "would go" if dry_run else "went"
    click.echo(f"{count} datasets{more} {verb}: {most}{format_size(found['freedBytes'])}", err=True)


@click.command(name="why-full")
@json_option
@click.pass_obj
def why_full_command(context: Context, as_json: bool) -> None:
    """Say where the bytes are: by reason, and what is not given back yet."""
    found = with_client(context, lambda client: client.json("GET", "/usage"))
    if as_json:
        show_json(found)
        return
    for share in found["kept"]:
        size = format_size(share["bytes"])
        click.echo(f"{share['kind']:<10} {size:>11}  {share['datasets']} datasets")
    for line in found["words"]:
        click.echo(line)
