"""A client as a process that can be killed: purchases on a real chain, journal in a real file.

    python -m support.purchase_child DIRECTORY URL ACCOUNT [STATE]

Prints a line of JSON for each state that a purchase comes into, just after it is durable. With
STATE it stops there, as if time stood still, until it is killed. "buy" on its input buys.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.base.rng import system_rng
from quire.base.waits import Waits
from quire.chain.abi import address_text
from quire.chain.deployment import ADDRESSES
from quire.chain.dev_accounts import dev_account
from quire.chain.evm.opening import MarketSettings, open_market
from quire.chain.wallet import Wallet
from quire.market.purchase import Purchase
from quire.services.market_feed import MarketFeed
from quire.services.purchasing import PurchasePorts, Purchases
from quire.store.journal_file import open_journal
from support.purchase_kit import BID, RootStore, dataset

MARKETPLACE = address_text(ADDRESSES["Marketplace"])


async def main(directory: Path, url: str, account: int, stop_at: str) -> None:
    clock = SystemClock()
    events = EventBus(clock)
    wallet = Wallet(dev_account(account).key)
    chain = await open_market(MarketSettings(url, MARKETPLACE), wallet, clock)
    events.listen(lambda event: print(event.kind, event.message, file=sys.stderr, flush=True))
    journal = open_journal(directory / "market.db", clock)

    async def manifest(*_: object) -> object:
        return dataset()

    purchases = Purchases(
        PurchasePorts(
            market=chain.market,
            journal=journal,
            store=RootStore(),  # type: ignore[arg-type]
            fetches=SimpleNamespace(manifest=manifest),  # type: ignore[arg-type]
            protections=SimpleNamespace(),  # type: ignore[arg-type]
            events=events,
            waits=Waits(clock),
            clock=clock,
            rng=system_rng(),
        )
    )

    def told(key: str, _before: Purchase | None, now: Purchase) -> None:
        line = {"key": key, "state": now.at, "withdrawn": now.is_withdrawn, "error": now.error}
        print(json.dumps(line), flush=True)
        if now.at == stop_at and not now.is_withdrawn:
            os.kill(os.getpid(), signal.SIGSTOP)

    purchases.listen(told)
    feed = MarketFeed(chain.market, journal, events, clock)
    feed.listen(purchases.hear)
    await purchases.start()
    await feed.start()
    print(json.dumps({"ready": True}), flush=True)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        assert line == b"buy\n"
        await purchases.buy(dataset().manifest_cid, BID)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), (*sys.argv, "")[4]))
