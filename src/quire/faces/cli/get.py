"""quire get: a dataset becomes a file. What is kept under the final name has been verified here,
against the CID, whatever the node said."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import click

from quire.base.clock import SystemClock
from quire.base.errors import InputError, IntegrityError, NotFound, QuireError
from quire.base.ranges import RangeSet
from quire.base.units import format_rate, format_size
from quire.faces.cli.common import (
    Duration,
    json_option,
    resolve,
    show_json,
    timeout_option,
    with_client,
)
from quire.faces.cli.draft import DIGEST_BYTES, Draft, discard, draft_of, note_of
from quire.faces.cli.main import Context
from quire.faces.cli.progress import progress
from quire.faces.cli.tree_get import get_from_tree
from quire.faces.cli.verifier import Verifier, root_of
from quire.faces.client import Client
from quire.faces.patience import Patience
from quire.formats.cid import Cid
from quire.kernels.hashing import sha256_blocks

PATIENCE_SECONDS = 60.0
ANSWER_SECONDS = 5.0  # that the node gets beyond the timeout it was told


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes of the file, and how many of them were there from an earlier attempt."""

    size: int
    resumed_bytes: int = 0


@click.command()
@click.argument("cid")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File or directory to write; else stdout.",
)
@click.option("--patience", type=Duration(), default=PATIENCE_SECONDS, show_default="1m",
              help="How long to go on trying when nothing more comes.")  # fmt: skip
@timeout_option
@json_option
@click.pass_obj
def get_command(
    context: Context,
    cid: str,
    output: Path | None,
    patience: float,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Download the dataset CID, from this node or through it from the network. A download to a file
    that broke off is resumed by the same command.

    A directory is restored to -o DIR, or CID/path/in/it alone.
    """
    if output is None and as_json:
        raise InputError("--json and the data would both go to standard output; give -o FILE")
    cid = resolve(context, cid)
    if get_from_tree(context, cid, output, timeout, as_json=as_json):
        return
    name = Cid.parse(cid)
    clock = SystemClock()
    started = clock.monotonic()

    async def download(client: Client) -> Received:
        verifier = Verifier(name, await client.manifest(name, timeout_seconds=timeout))
        if output is None:
            return await _to_stdout(client, name, verifier, timeout)
        with draft_of(output, name) as (file, path):
            # Who says how long the network may be asked does not want to wait much longer.
            most = patience if timeout is None else min(patience, timeout + ANSWER_SECONDS)
            trying = Patience(most, clock.monotonic)
            receiving = _Receiving(client, name, timeout, trying, is_quiet=as_json)
            received = await receiving.to_file(file, path, verifier)
            file.flush()
            os.fsync(file.fileno())
            path.replace(output)
            note_of(path).unlink(missing_ok=True)
        return received

    received = with_client(context, download)
    seconds = clock.monotonic() - started
    if as_json:
        facts: dict[str, Any] = {
            "cid": str(name),
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


async def _to_stdout(
    client: Client, cid: Cid, verifier: Verifier, timeout: float | None
) -> Received:
    received = 0
    async with client.get(str(cid), timeout_seconds=timeout) as download:
        async for piece in download.pieces():
            verifier.add(piece)
            sys.stdout.buffer.write(piece)
            received += len(piece)
    if received != download.size:
        raise IntegrityError(f"the node sent {received} of {download.size} bytes of {cid}")
    verifier.finish()
    return Received(received)


class _Receiving:
    """The missing blocks of one file, run by run, as often as the connection breaks."""

    def __init__(
        self,
        client: Client,
        cid: Cid,
        timeout: float | None,
        patience: Patience,
        *,
        is_quiet: bool,
    ) -> None:
        self._client = client
        self._cid = cid
        self._timeout = timeout
        self._patience = patience
        self._is_quiet = is_quiet

    async def to_file(self, file: BinaryIO, path: Path, verifier: Verifier) -> Received:
        """Raises IntegrityError, and leaves nothing, when it is not what the CID names."""
        draft = Draft(file, self._cid, verifier.manifest)
        good = await draft.proved(self._client)
        resumed = _bytes_of(good, draft)
        with progress("get", draft.size, is_quiet=self._is_quiet) as report:
            note = f"resumed with {format_size(resumed)}" if resumed else ""
            while missing := RangeSet([(0, draft.manifest.original_block_count)]).minus(good):
                self._patience.gained(_bytes_of(good, draft))
                start, stop = next(iter(missing))
                try:
                    async with self._patience.connection(lambda n: report(n, note)) as moved:
                        await self._run(draft, good, (start, stop), moved)
                except NotFound:
                    raise
                except QuireError as error:
                    await self._patience.after(error)
        file.truncate(draft.size)
        if root_of(bytes(draft.digests)) != draft.manifest.original_tree_cid.digest:
            discard(path)
            raise IntegrityError(f"the bytes received are not those of {self._cid}")
        return Received(draft.size, resumed)

    async def _run(
        self,
        draft: Draft,
        good: RangeSet,
        wanted: tuple[int, int],
        received: Callable[[int], None],
    ) -> None:
        """Receive the blocks [start, stop); those that have come whole are added to `good`."""
        start, stop = wanted
        block_size = draft.manifest.block_size
        last = min(stop * block_size, draft.size)
        held = bytearray()
        at = start
        draft.file.seek(start * block_size)
        done = _bytes_of(good, draft)
        async with self._client.get(
            str(self._cid), start=start * block_size, stop=last, timeout_seconds=self._timeout
        ) as download:
            if download.size != last - start * block_size:
                raise IntegrityError(f"the node answered another range of {self._cid}")
            async for piece in download.pieces():
                held += piece
                done += len(piece)
                whole = len(held) // block_size
                is_end = at * block_size + len(held) == last
                take = len(held) if is_end else whole * block_size
                if not take or (whole < 16 and not is_end):
                    continue
                data = bytes(memoryview(held)[:take])
                del held[:take]
                draft.file.write(data)
                leaves = sha256_blocks(data, block_size)
                draft.digests[at * DIGEST_BYTES : at * DIGEST_BYTES + len(leaves)] = leaves
                good.add(at, at + len(leaves) // DIGEST_BYTES)
                at += len(leaves) // DIGEST_BYTES
                self._patience.gained(done)
                received(done)


def _bytes_of(blocks: RangeSet, draft: Draft) -> int:
    return min(draft.size, blocks.count() * draft.manifest.block_size)
