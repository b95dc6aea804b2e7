"""A file is sent in a way that survives lost connections, restarts of the node, and the end of this
very command: what has been begun is remembered by the file's path, size and time, with the key that
it is encrypted with."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from quire.base.clock import SystemClock
from quire.base.errors import InputError, NotFound, QuireError
from quire.base.units import format_size
from quire.dataset.envelope.records import BLOCK_BYTES
from quire.faces.cli.note import decode_note, encode_note
from quire.faces.cli.progress import Report
from quire.faces.client import Client, UploadState
from quire.faces.encrypting import content_of_file, new_file_key
from quire.faces.patience import PASSING, Patience
from quire.flow.encrypt import Encryption, encrypted
from quire.kernels.cipher import KEY_BYTES

MEMORY_SECONDS = 7 * 86_400.0  # the node has forgotten the upload long before


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sent, under which names. `manner`: how it is encrypted, in words; `plan` makes
    it so with a file key, and is None when the file goes as it is."""

    path: Path
    filename: str | None
    mimetype: str | None
    patience_seconds: float
    manner: str = "plain"
    plan: Callable[[bytes], Encryption] | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of it; `resumed_bytes` were sent by an earlier command."""

    cid: str
    size: int
    resumed_bytes: int
    plan: Encryption | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """An upload that an earlier command began."""

    upload_id: str
    file_key: bytes = field(repr=False)


class Memory:
    """The upload of one file that has begun, in a small file that is locked while it is sent."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def recall(self) -> Begun | None:
        if self._path is None:
            return None
        try:
            data = self._path.read_bytes()
            upload_id, key = decode_note(data, "upload"), decode_note(data, "key")
            file_key = bytes.fromhex(key or "")
        except (OSError, ValueError):
            return None
        if upload_id is None or len(file_key) != KEY_BYTES:
            return None
        return Begun(upload_id, file_key)

    def note(self, begun: Begun) -> None:
        """Without a place to write, only a later command cannot go on."""
        if self._path is None:
            return
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(encode_note("upload", begun.upload_id, key=begun.file_key.hex()))

    def forget(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)


async def send_file(client: Client, order: Order, source: BinaryIO, report: Report) -> Sent:
    """Send a file; goes on after every failure that may pass, for `patience_seconds` at most.

    Raises what the node answers, and InputError when the file changes meanwhile."""
    before = os.fstat(source.fileno())
    with _memory(order, before, client.url) as memory:
        patience = Patience(order.patience_seconds, SystemClock().monotonic)
        begun = memory.recall()
        state = None if begun is None else await _known(client, begun.upload_id)
        file_key = new_file_key() if begun is None or state is None else begun.file_key
        load = _Load(order, source, before.st_size, file_key)
        if begun is None or state is None:
            upload_id = await client.begin_upload(
                load.size,
                filename=order.filename,
                mimetype=order.mimetype,
                block_size=None if load.plan is None else BLOCK_BYTES,
            )
            begun, state = Begun(upload_id, file_key), UploadState(0, None)
            memory.note(begun)
        resumed = state.offset
        note = f"resumed at {format_size(resumed)}" if resumed else ""
        while state.cid is None:
            patience.gained(state.offset)
            try:
                async with patience.connection(partial(_tell, report, note)) as moved:
                    pieces = load.pieces(state.offset, moved)
                    rest = load.size - state.offset
                    state = await client.send(begun.upload_id, state.offset, pieces, rest)
            except QuireError as error:
                if not isinstance(error, PASSING):
                    await _give_up(client, begun.upload_id, memory)
                await patience.after(error)
                note = f"again: {error.message}"
                state = await _ask(client, begun.upload_id, patience)
        after = os.fstat(source.fileno())
        memory.forget()
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise InputError(f"{order.path} changed while it was sent; put it again")
        return Sent(state.cid, before.st_size, resumed, load.plan)


class _Load:
    """The bytes that are sent of a file: its own, or their ciphertext."""

    def __init__(self, order: Order, source: BinaryIO, size: int, file_key: bytes) -> None:
        self._content = content_of_file(source)
        self.plan = None if order.plan is None else order.plan(file_key)
        self.size = size if self.plan is None else self.plan.dataset_bytes

    async def pieces(self, offset: int, sent: Callable[[int], None]) -> AsyncGenerator[bytes, None]:
        """From `offset` on; `sent` is told how far it is."""
        if self.plan is None:
            found = self._content(offset)
        else:
            found = encrypted(self.plan, self._content, offset)
        async with aclosing(found):
            async for piece in found:
                yield piece
                offset += len(piece)
                sent(offset)


async def _give_up(client: Client, upload_id: str, memory: Memory) -> None:
    """Leave nothing at a node that will not take this file, as far as it answers."""
    memory.forget()
    with suppress(QuireError):
        await client.end_upload(upload_id)


async def _known(client: Client, upload_id: str) -> UploadState | None:
    try:
        return await client.upload_state(upload_id)
    except NotFound:
        return None


async def _ask(client: Client, upload_id: str, patience: Patience) -> UploadState:
    """How far the upload is, as soon as the node answers."""
    while True:
        try:
            async with patience.connection():
                return await client.upload_state(upload_id)
        except NotFound:
            raise
        except QuireError as error:
            await patience.after(error)


def _tell(report: Report, note: str, done: int) -> None:
    report(done, note)


@contextmanager
def _memory(order: Order, status: os.stat_result, url: str) -> Iterator[Memory]:
    """The memory of this file, ours alone; another command that sends the same file has none."""
    key = [str(order.path.absolute()), status.st_size, status.st_mtime_ns, url]
    key += [order.filename, order.mimetype, order.manner]
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    try:
        home = state_home()
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        _tidy(home)
        lock = os.open(home / f"{name}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        yield Memory(None)
        return
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield Memory(None)
            return
        yield Memory(home / f"{name}.json")
    finally:
        os.close(lock)


def state_home() -> Path:
    """Where begun uploads are remembered (XDG base directories)."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "quire" / "uploads"


def _tidy(home: Path) -> None:
    """Forget what no node remembers."""
    old = SystemClock().now() - MEMORY_SECONDS
    for path in home.iterdir():
        with suppress(OSError):
            if path.stat().st_mtime < old:
                path.unlink()
