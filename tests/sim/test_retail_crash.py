"""Processes that are killed in every state: the same links go on, nothing is paid twice.

Source   point.md 6.7, scenarios 10 and 11
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from quire.base.events import Event
from quire.formats.replica import ReplicaAnswer, ReplicaRequest
from quire.formats.replica_asking import SignRequest
from quire.point.link import At, LinkState
from support.retail_town import MIB, Keeper, RetailTown, TownNode, play

HOUR = 3600
WINDOW, TOLD = 8, 64  # blocks under way, and blocks acked that were not written down yet
BEFORE_SIGNED = [
    At.CREATED,
    At.ESTABLISH_PAYMENT_CHANNEL,
    At.AGREED,
    At.ENCRYPTING,
    At.ENCRYPTED,
    At.SENDING_SEGMENT_MAP,
    At.SENDING_DATA,
    At.DATA_RECEIVED,
    At.ASKING_FOR_SIGNATURE,
    At.PAYING,
    At.SIGNED,
]


def links_of(client: TownNode) -> dict[bytes, LinkState]:
    found = client.uploads.links.machines.states().values()
    return {link.order.link_id: link for link in found}


def kill_at(client: TownNode, kind: str, count: int, seconds: float) -> asyncio.Event:
    """Kill the node a moment after the n-th event of a kind; set when it is dead."""
    dead, left = asyncio.Event(), count
    loop = asyncio.get_running_loop()

    def kill() -> None:
        client.kill()
        dead.set()

    def hear(event: Event) -> None:
        nonlocal left
        left -= event.kind == kind
        if not left and event.kind == kind:
            loop.call_later(seconds, kill)

    client.parts.ground.shared.events.listen(hear)
    return dead


async def check_after(client: TownNode, keepers: list[Keeper], key: str) -> None:
    status = await client.until_safe(key, 1200)
    links = links_of(client).values()
    places = Counter((link.order.chunk, link.order.peer) for link in links)
    assert set(places.values()) == {1}
    assert {link.at for link in links} == {At.SIGNED}
    owed = sum(link.terms[0].bill(0).amount for link in links)
    assert sum(keeper.paid(client) for keeper in keepers) == owed == status.paid


@pytest.mark.parametrize("at", BEFORE_SIGNED)
@pytest.mark.parametrize(("count", "seconds"), [(1, 0.0), (2, 0.003), (5, 0.02)])
def test_a_client_killed_in_any_state_goes_on_with_the_same_links(
    at: At, count: int, seconds: float
) -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(3)
        client = await town.client()
        file = await client.encrypt(3 * MIB)
        town.slow_down(50e6)
        dead = kill_at(client, f"link.{at}", count, seconds)
        key = await client.put(file, redundancy=2, seconds=HOUR, chunk_blocks=16)
        async with asyncio.timeout(60):
            await dead.wait()
        before, taken = set(await client.links_in_journal()), [keeper.taken for keeper in keepers]
        sending = sum(taken)
        await asyncio.sleep(3)
        await client.start()
        assert before <= set(links_of(client))
        await check_after(client, keepers, key)
        blocks = sum(link.order.blocks for link in links_of(client).values())
        assert sum(keeper.taken for keeper in keepers) - blocks <= (WINDOW + TOLD) * len(before)
        assert sending <= blocks
        await asyncio.sleep(5)
        reader = await town.client("reader")
        assert await reader.read(file.cap) == file.content

    play(scene, seed=count)


def test_a_client_killed_again_and_again_ends_where_it_was_going() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(4)
        client = await town.client()
        file = await client.encrypt(3 * MIB)
        town.slow_down(5e6)
        key = await client.put(file, redundancy=3, seconds=HOUR, chunk_blocks=16)
        for number in range(25):
            await asyncio.sleep(0.011 * number)
            client.kill()
            await client.start()
        await check_after(client, keepers, key)
        assert len(links_of(client)) == 12

    play(scene)


def test_a_client_killed_while_it_renews_renews_once() -> None:
    async def scene(town: RetailTown) -> None:
        keepers = await town.providers(2)
        client = await town.client()
        file = await client.encrypt(MIB)
        key = await client.put(file, redundancy=2, seconds=2 * HOUR)
        status = await client.until_safe(key)
        for count in (1, 2):
            dead = kill_at(client, "link.RENEWING", count, 0.0)
            async with asyncio.timeout(2 * HOUR):
                await dead.wait()
            await asyncio.sleep(60)
            await client.start()
        await asyncio.sleep(600)
        after = client.uploads.status(key)
        assert after.expires_at == status.expires_at + 2 * HOUR
        assert after.state == "UPLOADED"
        size = status.size_bytes
        owed = status.paid + 2 * size * 2 * HOUR
        assert sum(keeper.paid(client) for keeper in keepers) == owed

    play(scene)


def test_a_provider_killed_before_it_signed_signs_without_being_sent_anything() -> None:
    async def scene(town: RetailTown) -> None:
        (keeper,) = await town.providers(1)
        client = await town.client()
        file = await client.encrypt(MIB)
        loop = asyncio.get_running_loop()

        def forge(request: ReplicaRequest, answer: ReplicaAnswer) -> ReplicaAnswer | None:
            if isinstance(request.body, SignRequest):
                loop.call_soon(keeper.kill)
                return None
            return answer

        keeper.forge = forge
        key = await client.put(file, redundancy=1, seconds=HOUR)
        async with asyncio.timeout(60):
            while keeper.sim.life is not None:
                await asyncio.sleep(0.01)
        keeper.forge, taken = None, keeper.taken
        await asyncio.sleep(2)
        await keeper.start()
        await check_after(client, [keeper], key)
        assert keeper.taken == taken

    play(scene)
