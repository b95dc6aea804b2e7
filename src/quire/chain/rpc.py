"""Access to the node of a chain: JSON-RPC calls over WebSocket or HTTP.

    rpc = connect("ws://127.0.0.1:8545")
    chain_id = quantity(await rpc.call("eth_chainId"), "chain id")

A call is repeated over new connections until its deadline. So every method must be safe to repeat;
a signed transaction is. Methods of other namespaces than those of `rpc_retry` are sent once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv6Address
from typing import Any, Protocol
from urllib.parse import urlsplit

from quire.base.errors import BadConfig
from quire.chain.rpc_http import HttpRpc
from quire.chain.rpc_message import Call, Reply
from quire.chain.rpc_ws import WebSocketRpc


class Rpc(Protocol):
    """One node of a chain. `deadline` in monotonic seconds; by default CALL_SECONDS from now."""

    @property
    def shown_url(self) -> str:
        """Scheme, host and port: what may stand in messages."""

    @property
    def tells_heads(self) -> bool:
        """Whether `on_head` listeners are called. Otherwise new blocks have to be asked for."""

    def on_head(self, listener: Callable[[], None]) -> None:
        """Have it called when there may be a new block: told by the node, or missed meanwhile."""

    async def call(
        self, method: str, params: Sequence[Any] = (), deadline: float | None = None
    ) -> Any:
        """Raises RpcRefused and ChainUnreachable."""

    async def batch(self, calls: Sequence[Call], deadline: float | None = None) -> list[Reply]:
        """Results in the order of the calls; in place of a result, an RpcRefused that was not
        raised. Raises ChainUnreachable."""

    async def close(self) -> None: ...


def connect(url: str) -> Rpc:
    """A client for the URL; the connection is made with the first call. User and password may
    stand in the URL. Raises BadConfig."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        if host is not None and ":" in host:
            IPv6Address(host)
    except ValueError:
        host = port = None
        parts = urlsplit("")
    if parts.scheme not in ("ws", "wss", "http", "https") or not host or not host.isprintable():
        raise BadConfig(
            "the address of the chain's node must begin with ws://, wss://, http:// or https:// "
            "and name a host, as ws://127.0.0.1:8545"
        )
    name = f"[{host}]" if ":" in host else host
    shown = f"{parts.scheme}://{name}" + (f":{port}" if port else "")
    if parts.scheme in ("ws", "wss"):
        return WebSocketRpc(url, shown)
    return HttpRpc(url, shown)
