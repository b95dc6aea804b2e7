"""Encryption, decryption and sealing as clients do them, beside the bare primitives of this run."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from benchmarks.processes import REPEATS, middle
from benchmarks.report import Row
from quire.base.units import MIB
from quire.dataset.envelope.header import Header
from quire.dataset.envelope.records import BLOCK_BYTES, RECORD_BYTES
from quire.dataset.envelope.seal import Sealer
from quire.flow.decrypt import EncryptedContent
from quire.flow.encrypt import Encryption, convergent_key, encrypted
from quire.formats.cap import Suite
from quire.formats.cid import manifest_cid_of

SIZE_BYTES = 256 * MIB
_KEY = bytes(32)


def encryption() -> list[Row]:
    """256 MiB in memory, pieces of 1 MiB; MB/s of time that passes."""
    data = os.urandom(SIZE_BYTES)
    rows = []
    for suite in Suite:
        cipher = (AESGCM if suite is Suite.AES_256_GCM else ChaCha20Poly1305)(_KEY)
        plan = Encryption.of(_KEY, suite, Header(len(data)))
        made = asyncio.run(_joined(encrypted(plan, _content(data))))
        name = suite.name.lower().replace("_", "-")
        bare, ours, opened = [], [], []
        for _ in range(REPEATS):
            bare.append(_rate(lambda cipher=cipher: _bare(cipher, data)))
            ours.append(_rate(lambda plan=plan: asyncio.run(_encrypt(plan, data))))
            opened.append(_rate(lambda plan=plan, made=made: asyncio.run(_decrypt(plan, made))))
        limit, words = middle(bare), f"bare {name} over the same records, one core"
        rows.append(Row(f"encrypt {name}", middle(ours), "MB/s", limit, words, "≥ 0.5"))
        rows.append(Row(f"decrypt {name}", middle(opened), "MB/s", limit, words, "≥ 0.5"))
    return [*rows, *_others(data)]


def _others(data: bytes) -> list[Row]:
    sealer = Sealer(_KEY, len(data))
    sealed, bare, keys = [], [], []
    for _ in range(REPEATS):
        bare.append(_rate(lambda: _bare_chacha(data)))
        sealed.append(_rate(lambda: _seal(sealer, data)))
        keys.append(_rate(lambda: asyncio.run(_convergent(data))))
    return [
        Row("seal", middle(sealed), "MB/s", middle(bare), "bare ChaCha20 by blocks", "≥ 0.7"),
        Row(
            "convergent key, BLAKE3", middle(keys), "MB/s", detail="one pass more over the content"
        ),
    ]


def _rate(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return SIZE_BYTES / 1e6 / (time.perf_counter() - started)


def _content(data: bytes) -> Callable[[int], AsyncGenerator[bytes, None]]:
    async def content(start: int) -> AsyncGenerator[bytes, None]:
        for begin in range(start, len(data), MIB):
            yield data[begin : begin + MIB]

    return content


async def _joined(pieces: AsyncGenerator[bytes, None]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def _encrypt(plan: Encryption, data: bytes) -> None:
    async for _ in encrypted(plan, _content(data)):
        pass


async def _decrypt(plan: Encryption, made: bytes) -> None:
    async def read(start: int, stop: int) -> AsyncGenerator[bytes, None]:
        for begin in range(start, stop, MIB):
            yield made[begin : min(begin + MIB, stop)]

    cap = plan.read_cap(manifest_cid_of(bytes(32)))
    content = await EncryptedContent.open(cap, len(made), read)
    async for _ in content.read(0, content.size, read):
        pass


async def _convergent(data: bytes) -> None:
    await convergent_key(_content(data)(0), len(data), _KEY, Suite.AES_256_GCM, is_padded=False)


def _bare(cipher: AESGCM | ChaCha20Poly1305, data: bytes) -> None:
    view = memoryview(data)
    for number, begin in enumerate(range(0, len(data), RECORD_BYTES)):
        cipher.encrypt(number.to_bytes(12), view[begin : begin + RECORD_BYTES], _KEY)


def _bare_chacha(data: bytes) -> None:
    view = memoryview(data)
    for number, begin in enumerate(range(0, len(data), BLOCK_BYTES)):
        cipher = Cipher(algorithms.ChaCha20(_KEY, number.to_bytes(16)), None).encryptor()
        cipher.update(view[begin : begin + BLOCK_BYTES])


def _seal(sealer: Sealer, data: bytes) -> None:
    blocks = 16
    for first in range(0, len(data) // BLOCK_BYTES, blocks):
        begin = first * BLOCK_BYTES
        sealer.blocks(first, memoryview(data)[begin : begin + blocks * BLOCK_BYTES])
