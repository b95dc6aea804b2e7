"""A node finds aggregators, checks their offers, and remembers what they did."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from quire.aggregation.values import Service
from quire.base.errors import BadConfig
from quire.formats.aggregator_codes import Code
from quire.point.choice_port import Outcome
from support.aggregator_town import ENCODE, Office, customer, offices, play
from support.offering import Town


def test_aggregators_are_found_by_their_service_and_the_cheapest_is_first():
    async def scene(town: Town) -> None:
        dear, cheap, middle = await offices(town, 300, 100, 200)
        found = await (await customer(town)).find(ENCODE)
        assert [each.peer for each in found] == [cheap.peer, middle.peer, dear.peer]
        assert [each.offer.offer.price for each in found] == [100, 200, 300]

    play(scene)


def test_only_those_that_are_named_are_asked():
    async def scene(town: Town) -> None:
        first, second = await offices(town, 100, 200)
        aggregators = await customer(town, [first, second])
        found = await aggregators.find(ENCODE, via=[second.peer])
        assert [each.peer for each in found] == [second.peer]
        assert first.asked == 0
        with pytest.raises(BadConfig):
            await aggregators.find(ENCODE, via=["nobody"])

    play(scene)


def test_an_offer_is_kept_while_it_holds_and_only_for_its_quote():
    async def scene(town: Town) -> None:
        (office,) = await offices(town, 100)
        aggregators = await customer(town)
        await aggregators.find(ENCODE)
        await aggregators.find(ENCODE)
        assert office.asked == 1
        await aggregators.find(replace(ENCODE, k=5))
        assert office.asked == 2
        town.chain.ahead += 590  # it holds for ten more seconds: too short to begin with
        await aggregators.find(ENCODE)
        assert office.asked == 3

    play(scene)


def test_who_is_excluded_silent_or_declines_is_left_out_with_the_reason():
    async def scene(town: Town) -> None:
        silent, refusing, used, good = await offices(town, 1, 2, 3, 4)
        silent.is_silent, refusing.code = True, Code.NOT_OFFERED
        aggregators = await customer(town)
        found = await aggregators.find(ENCODE, exclude=[used.peer])
        assert [each.peer for each in found] == [good.peer]
        assert used.asked == 0
        known = aggregators.book.get(refusing.peer)
        assert known is not None
        assert "not today" in known.problems[Service.ENCODE]

    play(scene)


@pytest.mark.parametrize(
    "terms", [{"quote_hash": bytes(32)}, {"valid_until": 1}, {"contract": bytes(20)}]
)
def test_an_offer_for_something_else_is_none(terms):
    async def scene(town: Town) -> None:
        office = Office(town, 1, **terms)
        await office.open()
        assert await (await customer(town)).find(ENCODE) == []
        assert len(town.said("aggregator.none")) == 1

    play(scene)


def test_a_forged_offer_excludes_its_aggregator():
    async def scene(town: Town) -> None:
        forger, other = Office(town, 1), Office(town, 2)
        forger.forge = lambda answer: replace(answer, sig_payee=other.offer(ENCODE).sig_payee)
        await forger.open()
        aggregators = await customer(town)
        assert await aggregators.find(ENCODE) == []
        assert "excluded" in aggregators.shuns(forger.peer)

    play(scene)


def test_what_an_aggregator_did_survives_a_restart():
    async def scene(town: Town) -> None:
        liar, honest = await offices(town, 1, 1000)
        aggregators = await customer(town)
        await aggregators.report(liar.peer, Outcome.BAD_DATA, "a parity block was wrong")
        again = await customer(town)
        assert "a parity block was wrong" in again.shuns(liar.peer)
        assert [each.peer for each in await again.find(ENCODE)] == [honest.peer]

    play(scene)


def test_who_was_silent_is_asked_again_when_there_is_nobody_else():
    async def scene(town: Town) -> None:
        (office,) = await offices(town, 100)
        office.is_silent = True
        aggregators = await customer(town)
        assert await aggregators.find(ENCODE) == []
        assert "left alone" in aggregators.shuns(office.peer)
        office.is_silent = False
        assert [each.peer for each in await aggregators.find(ENCODE)] == [office.peer]

    play(scene)


def test_who_has_come_since_the_last_look_is_found_when_there_is_nobody_else():
    async def scene(town: Town) -> None:
        (first,) = await offices(town, 100)
        aggregators = await customer(town)
        await aggregators.find(ENCODE)
        late = Office(town, 7)
        await late.open()
        await asyncio.sleep(10)  # the DHT is not asked for the same again and again
        found = await aggregators.find(ENCODE, exclude=[first.peer])
        assert [each.peer for each in found] == [late.peer]

    play(scene)


def test_offers_of_before_a_restart_are_not_used_again():
    async def scene(town: Town) -> None:
        [office] = await offices(town, 1000)
        aggregators = await customer(town)
        await aggregators.find(ENCODE)
        await aggregators.find(ENCODE)
        assert office.asked == 1
        aggregators.renew(office.peer)
        assert [each.peer for each in await aggregators.find(ENCODE)] == [office.peer]
        assert office.asked == 2
        aggregators.renew("nobody that is known")

    play(scene)
