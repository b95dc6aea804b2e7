"""Limits of talking to a chain's node, and what went wrong with a connection in words."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp

from quire.base.units import MIB
from quire.chain.rpc_message import Call

MAX_ANSWER_BYTES = 16 * MIB
BATCH_CALLS = 100
CALL_SECONDS = 30.0
CONNECT_SECONDS = 10.0
HEARTBEAT_SECONDS = 30.0  # a WebSocket that does not answer a ping for so long is dead

# Safe to repeat: they only read, or the chain takes them once (a signed transaction).
_REPEATABLE = ("eth_", "net_", "web3_")


def is_repeatable(calls: Sequence[Call]) -> bool:
    return all(method.startswith(_REPEATABLE) for method, _ in calls)


def trouble_of(error: Exception) -> str:
    """In words without the address, whose path or user may be a secret."""
    if isinstance(error, aiohttp.ClientResponseError):  # of a WebSocket's handshake too
        return f"it answers with HTTP status {error.status}"
    if isinstance(error, aiohttp.ClientConnectorError) and error.strerror:
        return error.strerror
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"the connection was lost ({type(error).__name__})"
