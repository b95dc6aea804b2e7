"""Many clients, one publisher: those who were there first carry most of it, and are paid."""

from __future__ import annotations

import asyncio

from quire.base.units import MIB
from quire.net.memory_channel import SteadyLink
from support.cache_kit import PRICE, CacheNode, CacheTown, fetch, publish, town
from support.machine_kit import in_virtual_time

CLIENTS = 8
SIZE = 4 * MIB
FREE = MIB
SLOW, FAST = 1 * MIB, 20 * MIB  # bytes a second


def speed(one: str, other: str) -> SteadyLink:
    is_slow = "publisher" in (one.removeprefix("peer-"), other.removeprefix("peer-"))
    return SteadyLink(0.02, float(SLOW if is_slow else FAST))


async def play(it: CacheTown) -> None:
    publisher = await it.node("publisher")
    dataset = publish(publisher, SIZE)
    clients: list[CacheNode] = []
    for number in range(CLIENTS):
        client = await it.node(
            f"client-{number}", price=PRICE, free_bytes=FREE, max_price=4 * PRICE
        )
        await it.connect(client, publisher, *clients)
        clients.append(client)
        await fetch(client, dataset, 120.0)
    await asyncio.sleep(10)
    totals = [client.caching.total() for client in clients]
    taken = sum(total.taken_bytes + total.bought_bytes for total in totals)
    of_publisher = sum(client.trade(publisher).taken_bytes for client in clients)
    assert taken >= CLIENTS * SIZE
    assert of_publisher < taken / 2  # caches carry most of it
    assert sum(t.earned for t in totals) == sum(t.spent for t in totals) > 0
    assert sum(t.owed_by_us for t in totals) == 0
    hubs = [client.money for client in clients]
    billed = sum(sum(a.billed for a in money.payee.accounts()) for money in hubs)
    received = sum(sum(a.received for a in money.payee.accounts()) for money in hubs)
    promised = sum(sum(c.promised for c in money.payer.channels()) for money in hubs)
    assert billed == received == promised == sum(t.earned for t in totals)
    assert totals[0].earned > totals[-1].earned == 0  # who was there first earned, the last paid


def test_caches_carry_the_traffic_and_money_in_is_money_out() -> None:
    async def main(clock):
        async with town(clock, speed) as it:
            await play(it)

    in_virtual_time(main)
