"""Quire for programs: what the command line does, as one class.

    from quire import Client

    async with Client() as client:
        caps = await client.put("holiday.jpg")
        async for piece in client.get(caps.read):
            ...

Contents are encrypted in this process; the node sees ciphertext. `client.node` is the API of the
node itself.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from quire.base.errors import InputError
from quire.dataset.envelope.header import Header
from quire.dataset.envelope.records import BLOCK_BYTES
from quire.faces.client import Client as NodeClient
from quire.faces.encrypting import (
    Caps,
    content_of_bytes,
    content_of_file,
    convergent_plan,
    machine_suite,
    new_file_key,
    random_plan,
)
from quire.faces.keyring import Keyring, default_keyring
from quire.faces.remote import Remote, open_remote
from quire.faces.sdk_files import Content, Encrypt, KeptFiles, Target
from quire.flow.encrypt import ContentFrom, Spooled, encrypted
from quire.formats.cap import Cap, LiteralCap, is_cap_text, parse_cap
from quire.formats.cid import Cid
from quire.formats.varint import Buffer

DEFAULT_URL = "http://127.0.0.1:8080"
_ENCRYPT = ("random", "convergent", "none")


class Client(KeptFiles):
    """A client of one node. Errors are those of `quire.base.errors`."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        token: str | None = None,
        keyring: Path | None = None,
        passphrase: str | None = None,
    ) -> None:
        """keyring: for convergent keys; that of the user if not given. passphrase: when locked."""
        self.node = NodeClient(url, token=token)
        self._keyring = keyring
        self._passphrase = passphrase

    async def __aenter__(self) -> Self:
        await self.node.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.node.__aexit__(kind, error, trace)

    async def put(
        self,
        content: Content,
        *,
        encrypt: Encrypt = "random",
        name: str | None = None,
        media_type: str | None = None,
        is_padded: bool = True,
    ) -> Caps:
        """Store a content; durable at the node on return.

        content    a path (str or Path), bytes, or pieces of bytes
        encrypt    "random": under a key of its own; "convergent": under one that follows from the
                   content and the key ring, so that equal contents are stored once; "none"
        is_padded  hide the length, at the cost of some percent

        Returns  the capabilities; of "none" the CID alone
        Raises   InputError, QuotaExceeded, NodeUnreachable, …
        """
        if encrypt not in _ENCRYPT:
            raise InputError(f"encrypt={encrypt!r} is not one of {', '.join(_ENCRYPT)}")
        if isinstance(content, bytes):
            source, size = content_of_bytes(content), len(content)
        elif isinstance(content, str | Path):
            file, size = _opened(Path(content))
            name = Path(content).name if name is None else name
            with file:
                how = (encrypt, name, media_type, is_padded)
                return await self._put_known(content_of_file(file), size, *how)
        else:
            return await self._put_stream(content, encrypt, name, media_type, is_padded)
        return await self._put_known(source, size, encrypt, name, media_type, is_padded)

    async def get(
        self,
        target: Target,
        *,
        start: int = 0,
        end: int | None = None,
        timeout_seconds: float | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """The bytes [start, end) of what a read capability or CID names. Encrypted content is
        authentic; of a plain dataset every block was proved against the CID.

        Raises   BadCap, BadCid  no such text; the capability does not read
                 WrongKey        it does not fit; nothing but the first block was asked for
                 InputError      the range is outside the content
        """
        found = parsed(target)
        if isinstance(found, LiteralCap):
            size = len(found.content)
            stop = checked_end(start, end, size)
            yield found.content[start:stop]
            return
        remote = await open_remote(self.node, found, timeout_seconds)
        stop = checked_end(start, end, remote.size)
        pieces = remote.verified(start, stop)
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece

    async def open(self, target: Target, *, timeout_seconds: float | None = None) -> Remote:
        """What a read capability or CID names: its size, name and media type, without its content.
        Raises as `get`."""
        found = parsed(target)
        if isinstance(found, LiteralCap):
            raise InputError("a literal capability has neither name nor type")
        return await open_remote(self.node, found, timeout_seconds)

    async def _put_known(
        self,
        content: ContentFrom,
        size: int,
        encrypt: Encrypt,
        name: str | None,
        media_type: str | None,
        is_padded: bool,
    ) -> Caps:
        if encrypt == "none":
            text = await self.node.put(content(0), size=size, filename=name, mimetype=media_type)
            return Caps(None, None, None, Cid.parse(text))
        if encrypt == "convergent":
            secret = self._ring().keys.convergence
            plan = await convergent_plan(content, size, secret, is_padded=is_padded)
        else:
            plan = random_plan(Header(size, name, media_type), is_padded=is_padded)
        text = await self.node.put(
            encrypted(plan, content), size=plan.dataset_bytes, block_size=BLOCK_BYTES
        )
        return Caps.of(plan.read_cap(Cid.parse(text)))

    async def _put_stream(
        self,
        pieces: AsyncIterable[Buffer],
        encrypt: Encrypt,
        name: str | None,
        media_type: str | None,
        is_padded: bool,
    ) -> Caps:
        if encrypt == "none":
            whole = (bytes(piece) async for piece in pieces)
            text = await self.node.put(whole, filename=name, mimetype=media_type)
            return Caps(None, None, None, Cid.parse(text))
        if encrypt == "convergent":
            raise InputError("a convergent key is made of the whole content: give a path or bytes")
        with tempfile.TemporaryFile(prefix="quire-put-") as file:
            spool = Spooled(
                new_file_key(),
                machine_suite(),
                name,
                media_type,
                is_padded=is_padded,
                file=cast(BinaryIO, file),
            )
            plan = await spool.take(pieces)
            text = await self.node.put(
                spool.ciphertext(plan), size=plan.dataset_bytes, block_size=BLOCK_BYTES
            )
        return Caps.of(plan.read_cap(Cid.parse(text)))

    def _ring(self) -> Keyring:
        path = default_keyring() if self._keyring is None else self._keyring
        return Keyring.open(path, self._ask)

    def _ask(self) -> str:
        if self._passphrase is None:
            raise InputError("the key ring is locked: give Client(passphrase=…)")
        return self._passphrase


def _opened(path: Path) -> tuple[BinaryIO, int]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    return file, os.fstat(file.fileno()).st_size


def parsed(target: Target) -> Cid | Cap:
    """Raises   BadCap, BadCid"""
    if isinstance(target, str):
        return parse_cap(target) if is_cap_text(target) else Cid.parse(target)
    return target


def checked_end(start: int, end: int | None, size: int) -> int:
    """Raises   InputError  [start, end) is not inside `size` bytes"""
    stop = size if end is None else end
    if not 0 <= start <= stop <= size:
        raise InputError(f"bytes {start} to {stop} are not inside the {size} of the content")
    return stop
