"""JSON-RPC over one WebSocket that is made anew whenever it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp

from quire.base.errors import ChainUnreachable, RpcRefused
from quire.chain.rpc_limits import (
    CALL_SECONDS,
    CONNECT_SECONDS,
    HEARTBEAT_SECONDS,
    MAX_ANSWER_BYTES,
    is_repeatable,
    trouble_of,
)
from quire.chain.rpc_message import (
    Answer,
    Call,
    Reply,
    asks_for_patience,
    decode_message,
    encode_calls,
    result_of,
)
from quire.chain.rpc_retry import Patience, TryAgain


class WebSocketRpc:
    """See `Rpc`. Calls are in flight at the same time; answers may come in any order."""

    def __init__(self, url: str, shown_url: str) -> None:
        self._url = url
        self.shown_url = shown_url
        self.tells_heads = True
        self._listeners: list[Callable[[], None]] = []
        self._session: aiohttp.ClientSession | None = None
        self._link: _Link | None = None
        self._turn = asyncio.Lock()
        self._patience = Patience()

    def on_head(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    async def call(
        self, method: str, params: Sequence[Any] = (), deadline: float | None = None
    ) -> Any:
        return result_of((await self.batch([(method, params)], deadline))[0])

    async def batch(self, calls: Sequence[Call], deadline: float | None = None) -> list[Reply]:
        if deadline is None:
            deadline = asyncio.get_running_loop().time() + CALL_SECONDS

        async def attempt() -> list[Reply]:
            link = await self._connected()
            try:
                replies = await link.ask(calls)
            except TryAgain as lost:
                if is_repeatable(calls):
                    raise
                raise ChainUnreachable(f"{self._name}: {lost}") from None
            if is_repeatable(calls) and any(asks_for_patience(reply) for reply in replies):
                raise TryAgain("it has had too many calls")
            return replies

        return await self._patience.persist(attempt, deadline, self._name)

    async def close(self) -> None:
        if self._link is not None:
            await self._link.close()
        if self._session is not None:
            await self._session.close()

    @property
    def _name(self) -> str:
        return f"The chain's node at {self.shown_url}"

    async def _connected(self) -> _Link:
        async with self._turn:
            if self._link is None or self._link.is_lost:
                self._link = await self._connect()
            if self._listeners and not self._link.is_subscribed:
                await self._subscribe(self._link)
            return self._link

    async def _connect(self) -> _Link:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                socket = await self._session.ws_connect(
                    self._url, max_msg_size=MAX_ANSWER_BYTES, heartbeat=HEARTBEAT_SECONDS
                )
        except aiohttp.WSServerHandshakeError as error:
            if error.status in (401, 403, 404):
                raise ChainUnreachable(
                    f"{self._name} answers with HTTP status {error.status}; "
                    "check the address and its key or password"
                ) from None
            raise TryAgain(trouble_of(error)) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TryAgain(trouble_of(error)) from None
        return _Link(socket, self.shown_url, self._tell_listeners)

    async def _subscribe(self, link: _Link) -> None:
        reply = (await link.ask([("eth_subscribe", ["newHeads"])]))[0]
        link.is_subscribed = True
        self.tells_heads = not isinstance(reply, RpcRefused)
        self._tell_listeners()  # there may have been blocks while nobody told of them

    def _tell_listeners(self) -> None:
        for listener in self._listeners:
            listener()


class _Link:
    """One connection. Lost once, it stays lost."""

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        shown_url: str,
        on_notice: Callable[[], None],
    ) -> None:
        self.is_lost = False
        self.is_subscribed = False
        self._socket = socket
        self._shown_url = shown_url
        self._on_notice = on_notice
        self._serial = 0
        self._asked: dict[int, asyncio.Future[Reply]] = {}
        self._reader = asyncio.get_running_loop().create_task(
            self._read(), name=f"chain-rpc {shown_url}"
        )

    async def ask(self, calls: Sequence[Call]) -> list[Reply]:
        """Raises TryAgain when the connection is lost meanwhile."""
        loop = asyncio.get_running_loop()
        asked: dict[int, asyncio.Future[Reply]] = {}
        try:
            for call in calls:
                if self.is_lost:
                    raise TryAgain("the connection was lost")
                self._serial += 1
                asked[self._serial] = self._asked[self._serial] = loop.create_future()
                await self._socket.send_str(encode_calls([self._serial], [call]).decode())
            return [await future for future in asked.values()]
        except (aiohttp.ClientError, OSError) as error:
            raise TryAgain(trouble_of(error)) from None
        finally:
            for serial, future in asked.items():
                self._asked.pop(serial, None)
                if not future.cancel() and not future.cancelled():
                    future.exception()  # looked at, also where another one was raised before

    async def close(self) -> None:
        self._reader.cancel()
        await asyncio.wait([self._reader])
        await self._socket.close()

    async def _read(self) -> None:
        end: Exception = TryAgain("the connection was closed")
        try:
            async for message in self._socket:
                if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                    break
                for part in decode_message(message.data):
                    if isinstance(part, Answer):
                        self._answer(part)
                    else:
                        self._on_notice()
        except ChainUnreachable as error:
            end = ChainUnreachable(f"The chain's node at {self._shown_url}: {error}")
        finally:
            if self._socket.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
                end = ChainUnreachable(
                    f"The chain's node at {self._shown_url} answers with more than "
                    f"{MAX_ANSWER_BYTES} bytes"
                )
            self.is_lost = True
            for future in self._asked.values():
                if not future.done():
                    future.set_exception(end)
            self._on_notice()  # so that whoever waits for blocks asks, and connects anew

    def _answer(self, answer: Answer) -> None:
        if answer.serial is None:  # it did not understand one of them, and does not say which
            for future in self._asked.values():
                if not future.done():
                    future.set_result(answer.reply)
            return
        asked = self._asked.get(answer.serial)
        if asked is not None and not asked.done():
            asked.set_result(answer.reply)
