"""Everything a test needs to talk to a local chain as one account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from quire.base.clock import SystemClock
from quire.chain.clock import RpcChainClock
from quire.chain.dev_accounts import dev_account
from quire.chain.dev_chain import DevChain
from quire.chain.fees import FeeSettings
from quire.chain.heads import Heads
from quire.chain.outgoing import Transaction
from quire.chain.rpc import Rpc, connect
from quire.chain.sender import Sender
from quire.chain.wallet import Wallet

RECIPIENT = b"\x99" * 20
PAY = Transaction(RECIPIENT, value=5)


@dataclass(frozen=True, slots=True)
class Access:
    rpc: Rpc
    heads: Heads
    clock: RpcChainClock
    sender: Sender


@asynccontextmanager
async def access(
    chain: DevChain,
    account: int = 0,
    *,
    url: str | None = None,
    fees: FeeSettings = FeeSettings(),  # noqa: B008
    depth: int = 0,
) -> AsyncIterator[Access]:
    rpc = connect(url or chain.url)
    heads = Heads(rpc, poll_seconds=0.05)
    await heads.start()
    wallet = Wallet(dev_account(account).key)
    sender = Sender(rpc, heads, wallet, await chain.chain_id(), fees, depth=depth)
    await sender.start()
    try:
        yield Access(rpc, heads, RpcChainClock(heads, SystemClock()), sender)
    finally:
        await sender.stop()
        await heads.stop()
        await rpc.close()
