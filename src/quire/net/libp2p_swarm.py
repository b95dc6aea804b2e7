"""The asyncio side of the Rust swarm: commands that wait for their answer, events in batches.

A command carries a number, and the event that answers it resolves one future. Events of channels go
to the channel; the rest goes to whoever made this object, in the order in which things happened.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakValueDictionary

from quire._core import Frame, NetNode
from quire.base.errors import (
    BadConfig,
    BadEncoding,
    Busy,
    DeadlineExceeded,
    PeerGone,
    PeerRefused,
    PeerSilent,
    PortInUse,
    ProtocolMismatch,
    QuireError,
)
from quire.net.libp2p_channel import Libp2pChannel
from quire.net.transport import Address, PeerId

BATCH_EVENTS = 256
JOIN_SECONDS = 2.0

_ERRORS: dict[str, type[QuireError]] = {
    "silent": PeerSilent,
    "refused": PeerRefused,
    "gone": PeerGone,
    "mismatch": ProtocolMismatch,
    "in-use": PortInUse,
    "address": BadConfig,
    "full": Busy,
}


class Swarm:
    """A running `NetNode`. `handlers` take the events that are not about commands or channels."""

    def __init__(self, node: NetNode, handlers: Mapping[str, Callable[..., None]]) -> None:
        self.node = node
        self._loop = asyncio.get_running_loop()
        self._next_op = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._opening: dict[int, tuple[PeerId, str, int]] = {}
        self._finding: dict[int, Callable[[PeerId, tuple[Address, ...]], None]] = {}
        self._channels: WeakValueDictionary[int, Libp2pChannel] = WeakValueDictionary()
        self._stopped: asyncio.Future[None] = self._loop.create_future()
        self._handlers: dict[str, Callable[..., None]] = {
            "message": self._on_message,
            "writable": self._on_writable,
            "ended": self._on_ended,
            "done": self._on_done,
            "opened": self._on_opened,
            "failed": self._on_failed,
            "provider": self._on_provider,
            "stopped": self._on_stopped,
            **handlers,
        }
        self._loop.add_reader(node.fd, self._drain)

    async def stop(self, deadline: float) -> None:
        """Close everything, wait for it until `deadline`, then end the threads."""
        self.node.stop(max(0.0, deadline - self._loop.time()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._stopped
        self._loop.remove_reader(self.node.fd)
        self.node.join(JOIN_SECONDS)
        for channel in list(self._channels.values()):
            channel.break_off("this node stopped")
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(PeerGone("this node stopped"))

    async def ask(
        self, begin: Callable[[int], None], deadline: float, what: str, peer: PeerId = ""
    ) -> Any:
        """Give a command and wait for its answer; a late answer is dropped.

        Raises   the error that the answer stands for, its message beginning with `what`
                 PeerSilent        no answer by `deadline`, from `peer`
                 DeadlineExceeded  the same, where no single peer is to blame
                 BadEncoding       a peer id, address or protocol name that is none
        """
        self._next_op += 1
        op = self._next_op
        future = self._waiting[op] = self._loop.create_future()
        try:
            begin(op)
            async with asyncio.timeout_at(deadline):
                return await future
        except ValueError as error:
            raise BadEncoding(f"{what}: {error}") from None
        except TimeoutError:
            if peer:
                raise PeerSilent(f"{what}: no answer in time", peer=peer) from None
            raise DeadlineExceeded(f"{what}: no end in time") from None
        except QuireError as error:
            facts = {"peer": peer} if peer else {}
            raise type(error)(f"{what}: {error.message}", **facts) from None
        finally:
            del self._waiting[op]
            self._opening.pop(op, None)
            self._finding.pop(op, None)
            self.node.forget(op)

    async def open(
        self, peer: PeerId, protocol: str, max_message_bytes: int, deadline: float
    ) -> Libp2pChannel:
        """A channel to a connected peer; errors as the port has them."""

        def begin(op: int) -> None:
            self._opening[op] = (peer, protocol, max_message_bytes)
            self.node.open(
                op, peer, protocol, max_message_bytes, max(0.001, deadline - self._loop.time())
            )

        channel = await self.ask(begin, deadline, f"cannot open {protocol} with {peer}", peer)
        assert isinstance(channel, Libp2pChannel)
        return channel

    async def find_providers(
        self, key: bytes, deadline: float, on_found: Callable[[PeerId, tuple[Address, ...]], None]
    ) -> None:
        """Search until done or `deadline`; the same provider may be found several times."""

        def begin(op: int) -> None:
            self._finding[op] = on_found
            self.node.find_providers(op, key)

        with contextlib.suppress(DeadlineExceeded):
            await self.ask(begin, deadline, f"cannot search for {key.hex()}")

    def accept(self, number: int, peer: PeerId, protocol: str, max_bytes: int) -> Libp2pChannel:
        """The channel object of a new stream."""
        channel = Libp2pChannel(self.node, number, peer, protocol, max_bytes)
        self._channels[number] = channel
        return channel

    # ---- events ----

    def _drain(self) -> None:
        for kind, number, *rest in self.node.drain(BATCH_EVENTS):
            self._handlers[kind](number, *rest)

    def _on_message(self, number: int, frame: Frame) -> None:
        channel = self._channels.get(number)
        if channel is not None:
            channel.deliver(frame)

    def _on_writable(self, number: int) -> None:
        channel = self._channels.get(number)
        if channel is not None:
            channel.resume()

    def _on_ended(self, number: int, how: str, reason: str) -> None:
        channel = self._channels.get(number)
        if channel is not None:
            channel.end(how, reason)

    def _on_done(self, op: int, value: int) -> None:
        future = self._waiting.get(op)
        if future is not None and not future.done():
            future.set_result(value)

    def _on_opened(self, op: int, number: int) -> None:
        future = self._waiting.get(op)
        if future is not None and not future.done():
            future.set_result(self.accept(number, *self._opening[op]))
        else:
            self.node.reset(number)

    def _on_failed(self, op: int, failure: str, reason: str) -> None:
        future = self._waiting.get(op)
        if future is not None and not future.done():
            future.set_exception(_ERRORS[failure](reason))

    def _on_provider(self, op: int, peer: PeerId, addresses: list[Address]) -> None:
        found = self._finding.get(op)
        if found is not None:
            found(peer, tuple(addresses))

    def _on_stopped(self, _: int) -> None:
        if not self._stopped.done():
            self._stopped.set_result(None)
