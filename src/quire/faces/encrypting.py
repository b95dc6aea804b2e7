"""How clients encrypt: which suite, which key, and the capabilities that come of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO

from quire.base.clock import SystemClock
from quire.base.rng import system_rng
from quire.base.units import MIB
from quire.dataset.envelope.derive import repair_of, verify_of
from quire.dataset.envelope.header import Header
from quire.flow.encrypt import ContentFrom, Encryption, convergent_key
from quire.formats.cap import LiteralCap, ReadCap, RepairCap, Suite, VerifyCap
from quire.formats.cid import Cid
from quire.kernels.cipher import KEY_BYTES, fastest_suite

READ_BYTES = 1 * MIB


@dataclass(frozen=True, slots=True)
class Caps:
    """What names a content that was put. A literal has the first only, a plain dataset none."""

    read: ReadCap | LiteralCap | None
    repair: RepairCap | None
    verify: VerifyCap | None
    cid: Cid | None

    @classmethod
    def of(cls, read: ReadCap | LiteralCap) -> Caps:
        if isinstance(read, LiteralCap):
            return cls(read, None, None, None)
        return cls(read, repair_of(read), verify_of(read), read.cid)

    def texts(self) -> dict[str, str | None]:
        """As they are shown in JSON."""
        return {
            "cap": None if self.read is None else self.read.text,
            "repairCap": None if self.repair is None else self.repair.text,
            "verifyCap": None if self.verify is None else self.verify.text,
            "cid": None if self.cid is None else str(self.cid),
        }


@cache
def machine_suite() -> Suite:
    """The suite that this machine is quicker with."""
    return fastest_suite(SystemClock().monotonic)


def new_file_key() -> bytes:
    return system_rng().randbytes(KEY_BYTES)


def random_plan(header: Header, *, is_padded: bool, file_key: bytes | None = None) -> Encryption:
    """Under a key of its own; `file_key`: to go on with an upload that has begun."""
    key = new_file_key() if file_key is None else file_key
    return Encryption.of(key, machine_suite(), header, is_padded=is_padded)


async def convergent_plan(
    content: ContentFrom, content_bytes: int, secret: bytes, *, is_padded: bool
) -> Encryption:
    """Under the key that follows from content and secret; neither name nor type is kept. The suite
    is the same on every machine."""
    suite = Suite.AES_256_GCM
    key = await convergent_key(content(0), content_bytes, secret, suite, is_padded=is_padded)
    header = Header(content_bytes)
    return Encryption.of(key, suite, header, is_padded=is_padded, is_convergent=True)


def content_of_file(source: BinaryIO) -> ContentFrom:
    """A file that is read from any place on."""

    async def content(start: int) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        source.seek(start)
        while piece := await loop.run_in_executor(None, source.read, READ_BYTES):
            yield piece

    return content


def content_of_bytes(data: bytes) -> ContentFrom:
    async def content(start: int) -> AsyncGenerator[bytes, None]:
        if data[start:]:
            yield data[start:]

    return content
