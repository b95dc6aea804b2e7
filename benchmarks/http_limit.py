"""The limit for HTTP: the same server stack without a store. Runs as its own process.

POST / only hashes the blocks of the body; GET /?size=N sends from memory. Prints its port.
"""

from __future__ import annotations

import asyncio
import os

from aiohttp import web

from benchmarks.data import BLOCK_BYTES, PIECE_BYTES
from quire.kernels.hashing import merkle_root, sha256_blocks

MEMORY = memoryview(os.urandom(256 * PIECE_BYTES))  # as cold in the caches as a dataset is


async def hash_only(request: web.Request) -> web.Response:
    digests = bytearray()
    held = bytearray()
    async for piece in request.content.iter_any():
        held += piece
        if len(held) >= PIECE_BYTES:
            whole = len(held) // BLOCK_BYTES * BLOCK_BYTES
            digests += sha256_blocks(memoryview(held)[:whole], BLOCK_BYTES)
            held = held[whole:]
    if held:
        digests += sha256_blocks(held, BLOCK_BYTES)
    return web.Response(text=merkle_root(digests).hex())


async def from_memory(request: web.Request) -> web.StreamResponse:
    size = int(request.query["size"])
    response = web.StreamResponse(headers={"Content-Length": str(size)})
    await response.prepare(request)
    sent = 0
    while sent < size:
        start = sent % len(MEMORY)
        take = min(int(request.query.get("piece", PIECE_BYTES)), size - sent, len(MEMORY) - start)
        await response.write(MEMORY[start : start + take])
        sent += take
    await response.write_eof()
    return response


async def main() -> None:
    app = web.Application(client_max_size=0)
    app.router.add_post("/", hash_only)
    app.router.add_get("/", from_memory)
    runner = web.AppRunner(
        app, access_log=None, read_bufsize=int(os.environ.get("READ", PIECE_BYTES))
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
