"""What becomes of replicas after they were signed: audits, renewal, expiry, repair, money.

Source   point.md 6.7, scenarios 7 to 9
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from quire.base.errors import DiskFull
from quire.formats.replica import ReplicaAnswer, ReplicaRequest
from quire.formats.replica_answers import AuditAnswer
from quire.formats.replica_asking import AuditRequest
from quire.point.link import At
from support.retail_town import MIB, Keeper, RetailTown, TownNode, play

HOUR, DAY = 3600, 86400


def held(client: TownNode, key: str) -> int:
    """Replicas of the chunk with the fewest."""
    return min(client.uploads.status(key).replicas)


async def watch_held(client: TownNode, key: str, least: int) -> None:
    """For ever: at no instant there are fewer."""
    while True:
        assert held(client, key) >= least
        await asyncio.sleep(10)


async def until(fact: Callable[[], bool], seconds: float) -> None:
    """Wait in virtual time."""
    async with asyncio.timeout(seconds):
        while not fact():
            await asyncio.sleep(1)


def test_a_term_is_renewed_an_hour_before_its_end_and_nothing_is_sent_again() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(3)
        client = await town.client()
        file = await client.encrypt(MIB)
        key = await client.put(file, redundancy=2, seconds=2 * HOUR)
        status = await client.until_safe(key)
        began, end = town.clock.now(), status.expires_at
        watching = asyncio.create_task(watch_held(client, key, 2))
        taken = [keeper.taken for keeper in keepers]
        first = {link.link_id for link in status.links}
        await asyncio.sleep(0.9 * HOUR)
        assert not any("RENEWING" in event.kind for event in client.events)
        await until(lambda: client.uploads.status(key).expires_at > end, 0.2 * HOUR)
        renewed = next(e.at for e in client.events if e.kind == "link.RENEWING")
        assert abs(renewed - (end - HOUR)) < 120
        status = client.uploads.status(key)
        assert {link.link_id for link in status.links} == first
        assert status.expires_at == end + 2 * HOUR
        assert [keeper.taken for keeper in keepers] == taken
        await asyncio.sleep(3 * HOUR)  # through the end of the first term
        assert town.clock.now() > began + 2 * HOUR
        assert held(client, key) == 2
        paid = sum(keeper.paid(client) for keeper in keepers)
        assert client.uploads.status(key).paid == paid  # by terms that are long over, too
        watching.cancel()

    play(scene)


def test_a_term_that_is_not_renewed_ends_and_the_provider_deletes_a_day_later() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(2)
        client = await town.client()
        file = await client.encrypt(MIB)
        key = await client.put(file, redundancy=2, seconds=2 * HOUR, is_autorenewed=False)
        status = await client.until_safe(key)
        await until(lambda: bool(client.said("upload.degraded")), 2.1 * HOUR)
        (event,) = [e for e in client.events if e.kind == "upload.degraded"]
        assert abs(event.at - status.expires_at) < 60
        assert Counter(x.state for x in client.uploads.status(key).links) == {"EXPIRED": 2}
        assert all(stored_bytes(keeper) for keeper in keepers)  # in grace
        await asyncio.sleep(DAY + HOUR)
        assert not any(stored_bytes(keeper) for keeper in keepers)
        assert len(client.uploads.status(key).links) == 2  # nothing new was begun

    play(scene)


def stored_bytes(keeper: Keeper) -> int:
    """Of sealed blocks at a provider."""
    return keeper.parts.store.space().quota_used_bytes


def test_who_becomes_too_dear_is_replaced_before_his_term_ends() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(4)
        client = await town.client()
        file = await client.encrypt(MIB)
        size = 1_081_616
        budget = 2 * (size * 2 * HOUR * 2 + size)  # twice the price of now, for two replicas
        key = await client.put(file, redundancy=2, seconds=2 * HOUR, budget=budget)
        status = await client.until_safe(key)
        dear = {link.peer for link in status.links}
        for keeper in keepers:
            if keeper.peer in dear:
                await raise_price(keeper)
        watching = asyncio.create_task(watch_held(client, key, 2))
        await until(lambda: client.uploads.status(key).expires_at > status.expires_at, 3 * HOUR)
        assert town.clock.now() < status.expires_at + 60
        after = client.uploads.status(key)
        peers = {link.peer for link in after.links if link.state in ("SIGNED", "RENEWING")}
        assert held(client, key) == 2
        assert not peers & dear
        watching.cancel()

    play(scene)


async def raise_price(keeper: Keeper) -> None:
    keeper.settings = replace(keeper.settings, price_byte_second=1000)
    await keeper.stop()
    await keeper.start()


def test_a_provider_that_lost_the_data_is_found_by_audits_and_replaced() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(4)
        client = await town.client()
        file = await client.encrypt(MIB)
        key = await client.put(file, redundancy=2, seconds=30 * DAY)
        status = await client.until_safe(key)
        liar = next(k for k in keepers if k.peer == status.links[0].peer)

        def forge(request: ReplicaRequest, answer: ReplicaAnswer) -> ReplicaAnswer:
            if isinstance(request.body, AuditRequest) and isinstance(answer.body, AuditAnswer):
                run = answer.body.runs[0]
                bad = replace(run, data=bytes(len(run.data)))
                return replace(answer, body=replace(answer.body, runs=(bad, *answer.body.runs[1:])))
            return answer

        liar.forge = forge
        paid = liar.paid(client)
        await until(lambda: bool(client.said("upload.degraded")), 5 * HOUR)
        await client.until_safe(key)
        after = client.uploads.status(key)
        assert [x.state for x in after.links if x.peer == liar.peer] == ["LOST"]
        assert held(client, key) == 2
        assert liar.paid(client) == paid
        assert liar.asked["AuditRequest"] == 3
        await asyncio.sleep(10)
        reader = await town.client("reader")
        assert await reader.read(file.cap) == file.content

    play(scene)


def test_a_replica_is_made_anew_from_another_when_the_ciphertext_is_gone() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(4)
        client = await town.client()
        file = await client.encrypt(MIB)
        key = await client.put(file, redundancy=2, seconds=30 * DAY)
        status = await client.until_safe(key)
        await client.call(lambda: client.parts.store.delete(file.cap.cid))
        dead = next(k for k in keepers if k.peer == status.links[0].peer)
        dead.kill()
        await until(lambda: bool(client.said("upload.degraded")), DAY)
        await client.until_safe(key, 2 * HOUR)
        assert client.said("upload.repair")
        after = client.uploads.status(key)
        assert held(client, key) == 2
        assert {x.state for x in after.links if x.peer == dead.peer} == {"LOST"}
        await asyncio.sleep(10)
        reader = await town.client("reader")
        assert await reader.read(file.cap) == file.content

    play(scene)


def test_an_empty_wallet_pauses_and_a_deposit_goes_on() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(5)
        client = await town.client(tokens=0, deposit=0)
        town.chain.mint(client.account, 0)
        file = await client.encrypt(MIB)
        key = await client.put(file, redundancy=5, seconds=2 * HOUR)
        await until(lambda: client.uploads.status(key).state == "PAUSED", 120)
        assert "FUNDS" in client.uploads.status(key).words
        assert client.said("upload.paused")
        bill = 1_081_616 * (2 * HOUR + 1)
        town.chain.mint(client.account, 2 * bill)
        await client.deposit(2 * bill)
        await client.call(client.uploads.funds_came)
        await until(lambda: held(client, key) >= 2, 300)
        await asyncio.sleep(120)
        assert held(client, key) == 2
        town.chain.mint(client.account, 10**15)
        await client.deposit(10**15)
        status = await client.until_safe(key)
        assert client.said("upload.resumed")
        bills = {link.peer: link.paid for link in status.links}
        assert {k.peer: k.paid(client) for k in keepers} == bills
        assert len(bills) == 5

    play(scene)


def test_a_full_disk_pauses_and_room_goes_on() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(3)
        client = await town.client()
        file = await client.encrypt(4 * MIB)
        key = await client.put(file, redundancy=2, seconds=2 * HOUR, chunk_blocks=8)
        is_full = True

        async def full(_: object) -> None:
            if is_full:
                raise DiskFull("no space is left on the disk")

        await asyncio.sleep(0.01)
        client.journal.before = full
        await asyncio.sleep(45)
        assert held(client, key) < 2
        is_full = False
        await client.until_safe(key, 300)
        assert {link.state for link in client.uploads.status(key).links} == {"SIGNED"}
        paid = client.uploads.status(key).paid
        assert sum(keeper.paid(client) for keeper in keepers) == paid

    play(scene)


def test_released_replicas_are_dropped_and_cost_nothing_more() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(3)
        client = await town.client()
        file = await client.encrypt(MIB)
        key = await client.put(file, redundancy=3, seconds=30 * DAY)
        await client.until_safe(key)
        paid = sum(k.paid(client) for k in keepers)
        await client.call(lambda: client.uploads.release(key))
        await asyncio.sleep(DAY + HOUR)
        assert client.uploads.status(key).state == "RELEASED"
        assert {x.state for x in client.uploads.status(key).links} == {"RELEASED"}
        assert sum(k.paid(client) for k in keepers) == paid
        assert not any(stored_bytes(keeper) for keeper in keepers)

    play(scene)


def test_a_long_term_is_paid_by_the_day_after_an_audit() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(1)
        client = await town.client()
        file = await client.encrypt(MIB)
        key = await client.put(file, redundancy=1, seconds=3 * DAY)
        await client.until_safe(key)
        size = client.uploads.status(key).size_bytes
        assert keepers[0].paid(client) == size * (DAY + 1)
        await asyncio.sleep(DAY + 2 * HOUR)
        assert keepers[0].paid(client) == size * (2 * DAY + 1)
        await asyncio.sleep(DAY)
        assert keepers[0].paid(client) == size * (3 * DAY + 1)
        assert keepers[0].asked["AuditRequest"] > 40
        assert client.uploads.status(key).links[0].state == At.SIGNED.value

    play(scene)


def test_putting_a_file_again_wants_the_more_of_both() -> None:
    async def scene(town: RetailTown) -> None:
        await town.providers(4)
        client = await town.client()
        file = await client.encrypt(MIB)
        key = await client.put(file, redundancy=2, seconds=2 * HOUR, is_autorenewed=False)
        first = await client.until_safe(key)
        assert await client.put(file, redundancy=3, seconds=DAY, is_autorenewed=False) == key
        status = await client.until_safe(key)
        assert status.redundancy == 3
        later = first.expires_at + DAY // 2
        await until(lambda: client.uploads.status(key).expires_at >= later, 60)
        assert len(client.uploads.status(key).links) == 3

    play(scene)
