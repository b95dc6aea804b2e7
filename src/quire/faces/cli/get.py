"""quire get: a dataset becomes a file. What is kept under the final name has been verified here,
against the CID or under the key, whatever the node said."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import click

from quire.base.clock import SystemClock
from quire.base.errors import BadCid, InputError, IntegrityError, NotFound, QuireError
from quire.base.ranges import RangeSet
from quire.base.units import format_rate, format_size
from quire.faces.cli.common import (
    Duration,
    json_option,
    show_json,
    target_of,
    timeout_option,
    with_client,
)
from quire.faces.cli.draft import Draft, discard, draft_of, note_of
from quire.faces.cli.draft_shape import shape_of
from quire.faces.cli.keyring_options import keyring_options, open_keyring, place_of
from quire.faces.cli.main import Context
from quire.faces.cli.progress import progress
from quire.faces.cli.tree_get import get_from_tree
from quire.faces.cli.verifier import Verifier
from quire.faces.client import Client
from quire.faces.patience import Patience
from quire.faces.remote import PlainRemote, Remote, open_remote
from quire.formats.cap import Cap, LiteralCap, parse_cap
from quire.formats.cid import Cid

PATIENCE_SECONDS = 60.0
CID_LETTERS = 40  # no CID is shorter
ANSWER_SECONDS = 5.0  # that the node gets beyond the timeout it was told


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes of the file, and how many of them were there from an earlier attempt."""

    size: int
    resumed_bytes: int = 0


@click.command()
@click.argument("cid", metavar="CID|CAP|NAME")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File or directory to write; else stdout.",
)
@click.option("--patience", type=Duration(), default=PATIENCE_SECONDS, show_default="1m",
              help="How long to go on trying when nothing more comes.")  # fmt: skip
@timeout_option
@keyring_options
@json_option
@click.pass_obj
def get_command(
    context: Context,
    cid: str,
    output: Path | None,
    patience: float,
    timeout: float | None,
    keyring: Path | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Download the dataset that CID, a read capability or @NAME names, from this node or through it
    from the network; - reads the name from standard input. What a capability names is decrypted
    here. NAME alone is the newest thing that was put under it, by the catalogue of your key ring.
    A download to a file that broke off is resumed by the same command.

    A directory is restored to -o DIR, or CID/path/in/it alone.
    """
    if output is None and as_json:
        raise InputError("--json and the data would both go to standard output; give -o FILE")
    target, path = _target_of(context, cid, keyring, passphrase_file)
    if isinstance(target, LiteralCap):
        write_literal(target, path, output, as_json=as_json)
        return
    if get_from_tree(context, target, path, output, timeout, as_json=as_json):
        return
    clock = SystemClock()
    started = clock.monotonic()

    async def download(client: Client) -> Received:
        remote = await open_remote(client, target, timeout)
        if output is None:
            return await _to_stdout(remote)
        with draft_of(output, remote.source.cid) as (file, draft):
            # Who says how long the network may be asked does not want to wait much longer.
            most = patience if timeout is None else min(patience, timeout + ANSWER_SECONDS)
            trying = Patience(most, clock.monotonic)
            receiving = _Receiving(remote, trying, is_quiet=as_json)
            received = await receiving.to_file(file, draft)
            file.flush()
            os.fsync(file.fileno())
            draft.replace(output)
            note_of(draft).unlink(missing_ok=True)
        return received

    received = with_client(context, download)
    seconds = clock.monotonic() - started
    if as_json:
        facts: dict[str, Any] = {
            "cid": str(target if isinstance(target, Cid) else target.cid),
            "bytes": received.size,
            "resumedBytes": received.resumed_bytes,
            "seconds": round(seconds, 3),
        }
        show_json(facts | {"output": str(output), "verified": True})
    elif output is not None:
        rate = format_rate((received.size - received.resumed_bytes) / seconds)
        resumed = received.resumed_bytes
        before = f", {format_size(resumed)} of it from before" if resumed else ""
        click.echo(f"{output}: {format_size(received.size)} verified{before}, {rate}", err=True)


def _target_of(
    context: Context, text: str, keyring: Path | None, passphrase_file: Path | None
) -> tuple[Cid | Cap, str]:
    """As `target_of`, and by names in the user's catalogue. Raises BadCid, BadCap, NotFound,
    InputError."""
    try:
        return target_of(context, text)
    except BadCid:
        name, _, path = text.partition("/")
        # A CID with a slip in it is not looked for: that might ask for a passphrase.
        is_cid = len(name) >= CID_LETTERS and name.isalnum()
        if is_cid or text[:1] in ("@", "-") or not place_of(keyring).exists():
            raise
    entries = open_keyring(keyring, passphrase_file).catalogue()
    found = [entry for entry in entries if entry.name == name]
    if not found:
        raise NotFound(f"{name!r} is no CID and no capability, and your key ring has no such name")
    if len(found) > 1 and found[-2].at == found[-1].at:
        raise InputError(
            f"two things were put as {name!r} in the same second; say which one by its "
            "capability: quire keyring list --caps"
        )
    return parse_cap(found[-1].cap), path.strip("/")


def write_literal(cap: LiteralCap, path: str, output: Path | None, *, as_json: bool) -> None:
    """The content is in the capability: nobody is asked."""
    if path:
        raise InputError(f"a literal capability holds a few bytes and no {path!r}")
    if output is None:
        sys.stdout.buffer.write(cap.content)
        return
    try:
        output.write_bytes(cap.content)
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}") from None
    if as_json:
        show_json({"cid": None, "bytes": len(cap.content), "output": str(output), "verified": True})


async def _to_stdout(remote: Remote) -> Received:
    """Of a plain dataset the bytes are checked at the end, of an encrypted one before they go."""
    is_plain = isinstance(remote, PlainRemote)
    verifier = Verifier(remote.source.cid, remote.source.manifest) if is_plain else None
    async with aclosing(remote.content(0, remote.size)) as pieces:
        async for piece in pieces:
            if verifier is not None:
                verifier.add(piece)
            sys.stdout.buffer.write(piece)
    if verifier is not None:
        verifier.finish()
    return Received(remote.size)


class _Receiving:
    """The missing blocks of one file, run by run, as often as the connection breaks."""

    def __init__(self, remote: Remote, patience: Patience, *, is_quiet: bool) -> None:
        self._source = remote.source
        self._shape = shape_of(remote)
        self._patience = patience
        self._is_quiet = is_quiet

    async def to_file(self, file: BinaryIO, path: Path) -> Received:
        """Raises IntegrityError, and leaves nothing, when it is not what the CID names."""
        draft = Draft(file, self._source, self._shape)
        good = await draft.proved()
        resumed = self._bytes_of(good)
        with progress("get", draft.size, is_quiet=self._is_quiet) as report:
            note = f"resumed with {format_size(resumed)}" if resumed else ""
            while missing := RangeSet([(0, self._shape.block_count)]).minus(good):
                self._patience.gained(self._bytes_of(good))
                wanted = next(iter(missing))
                try:
                    async with self._patience.connection(lambda n: report(n, note)) as moved:
                        await self._run(file, good, wanted, moved)
                except NotFound:
                    raise
                except QuireError as error:
                    await self._patience.after(error)
        file.truncate(draft.size)
        if not self._shape.is_right():
            discard(path)
            raise IntegrityError(f"the bytes received are not those of {self._source.cid}")
        return Received(draft.size, resumed)

    async def _run(
        self,
        file: BinaryIO,
        good: RangeSet,
        wanted: tuple[int, int],
        received: Callable[[int], None],
    ) -> None:
        """Receive the blocks [start, stop); those that have come whole are added to `good`."""
        start, stop = wanted
        block_size = self._source.manifest.block_size
        last = min(stop * block_size, self._source.manifest.original_size)
        held = bytearray()
        at = start
        file.seek(self._shape.span(start, stop)[0])
        done = self._bytes_of(good)
        async with aclosing(self._source.stream(start * block_size, last)) as pieces:
            async for piece in pieces:
                held += piece
                whole = len(held) // block_size
                is_end = at * block_size + len(held) == last
                take = len(held) if is_end else whole * block_size
                received(min(self._shape.size, done + len(held)))
                if not take or (whole < 16 and not is_end):
                    continue
                data = bytes(memoryview(held)[:take])
                del held[:take]
                file.write(self._shape.received(at, data))
                count = -(-take // block_size)
                good.add(at, at + count)
                at += count
                done = self._bytes_of(good)
                self._patience.gained(done)

    def _bytes_of(self, blocks: RangeSet) -> int:
        """Of the file."""
        spans = (self._shape.span(low, high) for low, high in blocks)
        return sum(high - low for low, high in spans)
