"""Static files over HTTP, the ceiling of what a store could do: two well-known servers.

    python -m benchmarks.static_app aiohttp DIRECTORY    PUT writes a file, GET sends it (sendfile)
    python -m benchmarks.static_app uvicorn DIRECTORY    the same as an ASGI application

Prints its port. An upload is answered when the file is on the disk (fdatasync), as a store's is.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

PIECE_BYTES = 1 << 20


async def _save(path: Path, pieces: AsyncIterator[bytes]) -> None:
    with path.open("wb", buffering=0) as file:
        held, size = [], 0
        async for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size >= PIECE_BYTES:
                await asyncio.to_thread(file.writelines, held)
                held, size = [], 0
        file.writelines(held)
        await asyncio.to_thread(os.fdatasync, file.fileno())


async def run_aiohttp(directory: Path, listener: socket.socket) -> None:
    from aiohttp import web

    async def put(request: web.Request) -> web.Response:
        await _save(directory / request.match_info["name"], request.content.iter_any())
        return web.Response(text=request.match_info["name"])

    async def get(request: web.Request) -> web.FileResponse:
        return web.FileResponse(directory / request.match_info["name"])

    app = web.Application(client_max_size=0)
    app.router.add_put("/{name}", put)
    app.router.add_get("/{name}", get)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    await asyncio.Event().wait()


def asgi_app(directory: Path) -> Callable[..., Awaitable[None]]:
    async def body(receive: Callable[[], Awaitable[dict[str, Any]]]) -> AsyncIterator[bytes]:
        while True:
            message = await receive()
            yield message.get("body", b"")
            if not message.get("more_body"):
                return

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        path = directory / str(scope["path"]).strip("/")
        if scope["method"] == "PUT":
            await _save(path, body(receive))
            length, pieces = len(path.name), [path.name.encode()]
        else:
            length, pieces = path.stat().st_size, []
        headers = [(b"content-length", str(length).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if not pieces:
            with path.open("rb", buffering=0) as file:
                while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"".join(pieces)})

    return app


async def run_uvicorn(directory: Path, listener: socket.socket) -> None:
    import uvicorn

    app = asgi_app(directory)
    config = uvicorn.Config(app, log_level="error", lifespan="off", access_log=False)
    await uvicorn.Server(config).serve([listener])


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    run = {"aiohttp": run_aiohttp, "uvicorn": run_uvicorn}[sys.argv[1]]
    asyncio.run(run(Path(sys.argv[2]), listener))


if __name__ == "__main__":
    main()
