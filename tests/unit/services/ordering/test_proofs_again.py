"""Orders of proofs that are called off, asked for twice, or gone on with after a restart of either
side: no proof is made or paid twice."""

from __future__ import annotations

import asyncio

import pytest

from support.proof_town import (
    PERIOD,
    PRICE,
    SECONDS,
    Maker,
    ProofHost,
    Town,
    play,
)


def ends(host: ProofHost) -> list[str]:
    return [str(each.at) for each in host.orders.all()]


async def being_made(host: ProofHost, maker: Maker) -> asyncio.Future[bytes]:
    """A proof that the host has ordered and this aggregator has begun to make."""
    proving = asyncio.ensure_future(host.prove())
    while not maker.workers.begun:
        await asyncio.sleep(0.1)
    return proving


def test_a_proof_that_is_not_wanted_any_more_is_called_off_and_not_paid():
    async def scene(town: Town) -> None:
        maker = await town.maker()
        host = await town.host()
        proving = await being_made(host, maker)
        proving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await proving
        await host.settled()
        assert ends(host) == ["cancelled"]
        assert (maker.earned, maker.workers.made, maker.workers.cancelled) == (0, 0, 1)

    play(scene)


def test_who_asks_again_for_a_proof_that_is_there_gets_it_for_nothing():
    async def scene(town: Town) -> None:
        maker = await town.maker()
        host = await town.host()
        first = await host.prove()
        assert await host.prove() == first
        await host.settled()
        assert (len(ends(host)), maker.workers.begun, maker.earned) == (1, 1, PRICE)

    play(scene)


def test_two_who_want_the_same_proof_do_not_take_it_from_each_other():
    async def scene(town: Town) -> None:
        maker = await town.maker()
        host = await town.host()
        first = asyncio.ensure_future(host.prove())
        second = asyncio.ensure_future(host.prove())
        await asyncio.sleep(SECONDS / 2)
        first.cancel()
        await second
        await host.settled()
        assert maker.earned == PRICE * ends(host).count("settled")

    play(scene)


def test_a_host_that_starts_again_goes_on_with_its_order_and_pays_once():
    async def scene(town: Town) -> None:
        maker = await town.maker()
        host = await town.host()
        proving = await being_made(host, maker)
        await host.close()
        await asyncio.wait([proving])
        await host.open()
        await host.prove()
        await host.settled()
        assert (ends(host), maker.earned, maker.workers.begun) == (["settled"], PRICE, 1)
        await host.close()
        await host.open()
        await host.prove()  # from the journal
        await host.settled()
        assert (ends(host), maker.earned, maker.workers.begun) == (["settled"], PRICE, 1)

    play(scene)


def test_a_host_that_starts_again_hears_of_all_its_orders_and_pays_the_first_good_one():
    async def scene(town: Town) -> None:
        slow, quick = await town.maker(1, seconds=160), await town.maker(PRICE, seconds=20)
        host = await town.host()
        proving = await being_made(host, quick)
        proving.cancel()
        await host.close()
        await host.open()
        began = town.clock.monotonic()
        await host.prove()
        assert town.clock.monotonic() - began < 30
        await host.settled()
        assert (slow.earned, quick.earned) == (0, PRICE)

    play(scene)


def test_an_order_of_before_a_restart_that_nobody_wants_any_more_ends_without_blame():
    async def scene(town: Town) -> None:
        maker = await town.maker()
        host = await town.host()
        proving = await being_made(host, maker)
        await host.close()
        await asyncio.wait([proving])
        await host.open()
        await asyncio.sleep(PERIOD)
        await host.settled()
        assert ends(host) == ["failed"]
        assert maker.earned == 0
        assert host.choice.shuns(maker.peer) == ""

    play(scene)


def test_an_aggregator_that_starts_again_is_sent_the_witness_anew():
    async def scene(town: Town) -> None:
        maker = await town.maker()
        host = await town.host()
        proving = await being_made(host, maker)
        await maker.close()
        await asyncio.sleep(1)
        await maker.open()
        await proving
        await host.settled()
        assert (maker.workers.begun, maker.workers.made) == (2, 1)
        assert maker.earned == PRICE

    play(scene)


def test_a_proof_that_was_in_the_aggregator_s_journal_is_delivered_after_its_restart():
    async def scene(town: Town) -> None:
        maker = await town.maker()
        host = await town.host()
        proving = await being_made(host, maker)
        town.network.partition(host.peer, maker.peer)
        await asyncio.sleep(2 * SECONDS)
        assert maker.workers.made == 1
        await maker.close()
        await maker.open()
        town.network.heal(host.peer, maker.peer)
        await proving
        await host.settled()
        assert (maker.workers.begun, maker.earned) == (1, PRICE)

    play(scene)
