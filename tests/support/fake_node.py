"""A chain's node on this machine that answers as a test says: JSON-RPC over HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

# What a call is answered with: a result; raised: an error object, silence, or a lost connection.
Answers = Callable[[str, list[Any]], Any]


class ErrorObject(Exception):
    """Becomes `error` in the answer."""

    def __init__(self, error: object) -> None:
        super().__init__(str(error))
        self.error = error


class Silence(Exception):
    """The call is never answered."""


class HangUp(Exception):
    """The connection ends in place of an answer."""


class FakeNode:
    """`raw`: in place of an answer, exactly this text. `status`: of every HTTP answer."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.url = ""
        self.asked: list[tuple[str, list[Any]]] = []
        self.batches: list[int] = []
        self.connections = 0
        self.authorization: str | None = None
        self.raw: str | None = None
        self.status = 200
        self.sockets: list[web.WebSocketResponse] = []

    async def tell(self, subscription: str, result: object) -> None:
        params = {"subscription": subscription, "result": result}
        text = json.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": params})
        for socket in self.sockets:
            await socket.send_str(text)

    async def drop(self) -> None:
        for socket in self.sockets:
            await socket.close()
        self.sockets.clear()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.connections += 1
        self.authorization = request.headers.get("Authorization")
        if self.status != 200 and self.raw is None:
            return web.Response(status=self.status, text="no")
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._serve_socket(request)
        message = await request.json()
        try:
            body = self.raw if self.raw is not None else self._reply(message)
        except Silence:
            await asyncio.Event().wait()
        except HangUp:
            assert request.transport is not None
            request.transport.abort()
            body = ""
        return web.Response(text=body, content_type="application/json", status=self.status)

    async def _serve_socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            try:
                reply = self._reply(json.loads(message.data))
                await socket.send_str(self.raw if self.raw is not None else reply)
            except Silence:
                continue
            except HangUp:
                await socket.close()
        return socket

    def _reply(self, message: Any) -> str:
        calls = message if isinstance(message, list) else [message]
        self.batches.append(len(calls))
        replies = [self._one(call) for call in calls]
        return json.dumps(replies if isinstance(message, list) else replies[0])

    def _one(self, call: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((call["method"], call["params"]))
        try:
            outcome = {"result": self.answers(call["method"], call["params"])}
        except ErrorObject as error:
            outcome = {"error": error.error}
        return {"jsonrpc": "2.0", "id": call["id"], **outcome}


@asynccontextmanager
async def fake_node(answers: Answers) -> AsyncIterator[FakeNode]:
    node = FakeNode(answers)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", node.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    node.url = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield node
    finally:
        await node.drop()
        await runner.cleanup()
