"""A node that listens and dials: multistream, Noise, mplex, identify, block exchange."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from cryptography.exceptions import InvalidTag

from support.reference.bytes_ import Malformed, blob, fields, first_blob, lp, read_lp
from support.reference.content import Content
from support.reference.engine import Engine, Habits, Partner
from support.reference.identity import Key, peer_id_of
from support.reference.messages import decode
from support.reference.mplex import Mplex, MplexStream
from support.reference.multistream import Refused, answer, select
from support.reference.noise import SecureStream, secure

NOISE, MPLEX, IDENTIFY = "/noise", "/mplex/6.7.0", "/ipfs/id/1.0.0"
MOST_MESSAGE = 100 << 20
MOST_STREAMS = 100
READING_SECONDS = 0.05
FAILURES = (Malformed, Refused, OSError, EOFError, InvalidTag, ValueError)


class Connection:
    """One upgraded connection to a peer."""

    def __init__(self, peer: str, stream: SecureStream, node: ReferenceNode) -> None:
        self.peer = peer
        self.identified: dict[int, list[int | bytes]] = {}
        self.refusals: list[str] = []  # protocols that the peer asked for and did not get
        self._stream = stream
        self._node = node
        self._own: MplexStream | None = None
        self._opening: asyncio.Task[None] | None = None
        self._waiting: list[bytes] = []
        self._inbound = 0
        self.muxer = Mplex(stream, self._serve)

    async def run(self) -> None:
        """Until the connection ends."""
        loop = asyncio.get_running_loop()
        partner = Partner(self.send, self.close, active_at=loop.time())
        extra = [loop.create_task(self._identify()), loop.create_task(self._reset_idle())]
        self._node.engine.joined(self.peer, partner)
        try:
            await self.muxer.run()
        except FAILURES as problem:
            self._node.problems.append(f"{self.peer}: {problem!r}")
        finally:
            for task in (*extra, self._opening):
                if task is not None:
                    task.cancel()
            self._node.engine.left(self.peer)
            self.close()

    def close(self) -> None:
        self._stream.close()

    def send(self, message: bytes) -> None:
        """A message of the block exchange on our own stream, opened with the first one."""
        self.send_raw(lp(message))

    def send_raw(self, data: bytes) -> None:
        """Any bytes in place of a message."""
        if self._own is not None and not self._own.was_reset:
            self._own.write(data)
            return
        self._waiting.append(data)
        if self._opening is None or self._opening.done():
            self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        stream = self.muxer.open()
        try:
            for protocol in self._node.engine.habits.protocols:
                with contextlib.suppress(Refused):
                    await select(stream, protocol)
                    break
            else:
                return
            self._own = stream
            for data in self._waiting:
                stream.write(data)
            self._waiting.clear()
            await self._read_messages(stream)
        except FAILURES:
            self._own = None
            stream.reset()

    async def _serve(self, stream: MplexStream) -> None:
        protocols = [IDENTIFY, *self._node.engine.habits.protocols]
        try:
            protocol = await answer(stream, protocols)
        except EOFError:
            self.refusals.append("a protocol that is not spoken")
            return
        if protocol == IDENTIFY:
            stream.write(lp(self._node.identify_message()))
            stream.close()
            return
        self._inbound += 1
        try:
            if self._inbound > MOST_STREAMS:
                stream.reset()
            else:
                await self._read_messages(stream)
        finally:
            self._inbound -= 1

    async def _read_messages(self, stream: MplexStream) -> None:
        """The read loop, with the reference's pauses."""
        loop, habits = asyncio.get_running_loop(), self._node.engine.habits
        resumed = loop.time()
        while True:
            data = await read_lp(stream, MOST_MESSAGE)
            self._node.received.append(data)
            self._node.engine.take(self.peer, decode(data))
            if loop.time() - resumed > READING_SECONDS:
                await asyncio.sleep(habits.pause_seconds)
                resumed = loop.time()

    async def _identify(self) -> None:
        """A peer that resets the stream loses the connection, one that refuses does not."""
        stream = self.muxer.open()
        try:
            await select(stream, IDENTIFY)
            self.identified = fields(await read_lp(stream, 64 << 10))
            if peer_id_of(first_blob(self.identified, 1)) != self.peer:
                self.close()
        except Refused:
            return
        except FAILURES:
            self.close()

    async def _reset_idle(self) -> None:
        idle, loop = self._node.engine.habits.idle_seconds, asyncio.get_running_loop()
        while True:
            await asyncio.sleep(idle / 4)
            for stream in self.muxer.streams():
                if loop.time() - stream.used_at > idle:
                    stream.reset()
            if self._own is not None and self._own.was_reset:
                self._own = None


class ReferenceNode:
    """One node of the reference on loopback. Content may change while it runs."""

    def __init__(self, habits: Habits | None = None) -> None:
        self.key = Key()
        self.content = Content()
        self.engine = Engine(self.content, habits or Habits())
        self.connections: dict[str, Connection] = {}
        self.problems: list[str] = []
        self.received: list[bytes] = []  # every message of the block exchange
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def peer_id(self) -> str:
        return self.key.peer_id

    @property
    def address(self) -> str:
        assert self._server is not None
        return f"/ip4/127.0.0.1/tcp/{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))
        for connection in list(self.connections.values()):
            connection.close()

    async def dial(self, port: int) -> str:
        """Connect to a node on loopback; its peer id."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        stream = _Plain(reader, writer)
        await select(stream, NOISE)
        secured = await secure(reader, writer, self.key, dials=True)
        await select(secured, MPLEX)
        return self._connected(secured).peer

    def identify_message(self) -> bytes:
        protocols = [IDENTIFY, *self.engine.habits.protocols]
        return (
            blob(1, self.key.public)
            + b"".join(blob(3, protocol.encode()) for protocol in protocols)
            + blob(5, b"ipfs/0.1.0")
            + blob(6, b"Codex")
        )

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(30):
                await answer(_Plain(reader, writer), [NOISE])
                secured = await secure(reader, writer, self.key, dials=False)
                await answer(secured, [MPLEX])
        except (*FAILURES, TimeoutError) as problem:
            self.problems.append(f"upgrade: {problem!r}")
            writer.close()
            return
        self._connected(secured)

    def _connected(self, stream: SecureStream) -> Connection:
        peer = peer_id_of(stream.remote_public)
        connection = self.connections[peer] = Connection(peer, stream, self)
        task = asyncio.get_running_loop().create_task(connection.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._gone(connection))
        return connection

    def _gone(self, connection: Connection) -> None:
        if self.connections.get(connection.peer) is connection:
            del self.connections[connection.peer]


class _Plain:
    """A TCP connection before Noise."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def readexactly(self, count: int) -> bytes:
        return await self._reader.readexactly(count)

    def write(self, data: bytes) -> None:
        self._writer.write(data)


@contextlib.asynccontextmanager
async def running(*nodes: ReferenceNode) -> AsyncIterator[None]:
    """Nodes that are stopped at the end."""
    for node in nodes:
        await node.start()
    try:
        yield
    finally:
        for node in nodes:
            await node.stop()
