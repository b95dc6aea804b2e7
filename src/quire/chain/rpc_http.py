"""JSON-RPC over HTTP: each call or batch is one POST."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import aiohttp

from quire.base.errors import ChainUnreachable
from quire.chain.rpc_limits import (
    BATCH_CALLS,
    CALL_SECONDS,
    CONNECT_SECONDS,
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

BUSY_STATUSES = (408, 425, 429, 500, 502, 503, 504)
READ_BYTES = 64 * 1024


class HttpRpc:
    """See `Rpc`."""

    def __init__(self, url: str, shown_url: str) -> None:
        self._url = url
        self.shown_url = shown_url
        self.tells_heads = False
        self._serial = 0
        self._session: aiohttp.ClientSession | None = None
        self._patience = Patience()

    def on_head(self, listener: Callable[[], None]) -> None:
        """Nobody calls it: a node cannot tell anything over HTTP."""

    async def call(
        self, method: str, params: Sequence[Any] = (), deadline: float | None = None
    ) -> Any:
        return result_of((await self.batch([(method, params)], deadline))[0])

    async def batch(self, calls: Sequence[Call], deadline: float | None = None) -> list[Reply]:
        if deadline is None:
            deadline = asyncio.get_running_loop().time() + CALL_SECONDS
        replies: list[Reply] = []
        for start in range(0, len(calls), BATCH_CALLS):
            attempt = partial(self._post, calls[start : start + BATCH_CALLS])
            replies += await self._patience.persist(attempt, deadline, self._name)
        return replies

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def _name(self) -> str:
        return f"The chain's node at {self.shown_url}"

    async def _post(self, calls: Sequence[Call]) -> list[Reply]:
        first = self._serial
        self._serial += len(calls)
        serials = range(first, self._serial)
        body = await self._exchange(encode_calls(serials, calls), is_repeatable(calls))
        try:
            parts = decode_message(body)
        except ChainUnreachable as error:
            raise ChainUnreachable(f"{self._name}: {error}") from None
        replies = {p.serial: p.reply for p in parts if isinstance(p, Answer)}
        if None in replies:
            return [replies[None]] * len(calls)
        if any(serial not in replies for serial in serials):
            raise ChainUnreachable(f"{self._name} left calls unanswered")
        if is_repeatable(calls) and any(asks_for_patience(reply) for reply in replies.values()):
            raise TryAgain("it has had too many calls")
        return [replies[serial] for serial in serials]

    async def _exchange(self, body: bytes, repeatable: bool) -> bytes:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
            self._session = aiohttp.ClientSession(timeout=timeout)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return await self._read(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise TryAgain(trouble_of(error)) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if repeatable:
                raise TryAgain(trouble_of(error)) from None
            raise ChainUnreachable(f"{self._name}: {trouble_of(error)}") from None

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        answer = bytearray()
        async for piece in response.content.iter_chunked(READ_BYTES):
            answer += piece
            if len(answer) > MAX_ANSWER_BYTES:
                raise ChainUnreachable(
                    f"{self._name} answers with more than {MAX_ANSWER_BYTES} bytes"
                )
        body = bytes(answer)
        is_json = body.lstrip().startswith((b"{", b"["))
        if response.status == 200 or is_json:  # some nodes put errors of calls into a status
            return body
        if response.status in BUSY_STATUSES:
            raise TryAgain(f"it answers with HTTP status {response.status}")
        raise ChainUnreachable(
            f"{self._name} answers with HTTP status {response.status}; "
            "check the address and its key or password"
        )
