"""A node finds providers, checks their offers, chooses among them and remembers what they did."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from quire.base.errors import BadOffer, PeerRefused, PeerSilent
from quire.formats.replica_codes import Code
from quire.point.choice_port import Outcome
from quire.point.reputation import EXCLUSION_SECONDS
from support.offering import DAY, MIB, Shop, Town, play, wanted


def test_providers_are_found_under_the_shards_and_chosen() -> None:
    async def scene(town: Town) -> None:
        shops = await town.shops(8)
        providers = await town.chooser()
        chosen = await providers.choose(wanted(), 3)
        assert len({c.peer for c in chosen}) == 3
        assert {c.peer for c in chosen} <= {shop.peer for shop in shops}
        assert all(c.addresses for c in chosen)
        assert len(town.said("provider.met")) == 8
        await providers.stop()

    play(scene)


def test_a_choice_is_the_same_after_a_restart() -> None:
    async def scene(town: Town) -> None:
        await town.shops(12)
        picked = []
        for _ in range(2):
            providers = await town.chooser()
            await providers.choose(wanted(b"first"), 3)  # the second start knows all from the start
            await providers.look(60)
            seeds = [bytes([n]) for n in range(20)]
            found = [await providers.choose(wanted(seed), 3) for seed in seeds]
            picked.append([[c.peer for c in each] for each in found])
            await providers.stop()
        assert picked[0] == picked[1]
        assert {len(each) for each in picked[0]} == {3}

    play(scene)


def test_offers_are_asked_for_once_in_ten_minutes() -> None:
    async def scene(town: Town) -> None:
        (shop,) = await town.shops(1)
        providers = await town.chooser()
        for _ in range(5):
            await providers.choose(wanted(), 1)
            await providers.offer(shop.peer)
        assert shop.asked == 1
        providers.forget_offer(shop.peer)
        await providers.offer(shop.peer)
        assert shop.asked == 2
        await asyncio.sleep(601)
        await providers.choose(wanted(), 1)
        assert shop.asked == 3
        await providers.stop()

    play(scene)


def test_a_provider_of_the_list_needs_no_record() -> None:
    async def scene(town: Town) -> None:
        shop = town.shop(1)
        await shop.open(announces=False)
        providers = await town.chooser([shop])
        assert [c.peer for c in await providers.choose(wanted(), 1)] == [shop.peer]
        await providers.stop()

    play(scene)


def test_too_few_providers_are_said_with_the_reasons() -> None:
    async def scene(town: Town) -> None:
        shops = [
            town.shop(1),
            town.shop(2, free_bytes=1000),
            town.shop(3, max_seconds=60),
            town.shop(4, price_byte_second=1000),
        ]
        for shop in shops:
            await shop.open()
        providers = await town.chooser()
        chosen = await providers.choose(wanted(budget=20 * MIB * DAY), 3)
        assert [c.peer for c in chosen] == [shops[0].peer]
        (said,) = town.said("provider.short")
        assert said.startswith("1 of 3 providers found among 4 known")
        for words in ("1000 B free", "keeps for 1 min 00 s", "may be spent"):
            assert words in said
        await providers.stop()

    play(scene)


def test_who_is_left_out_for_the_company_of_those_just_chosen_is_said() -> None:
    async def scene(town: Town) -> None:
        for number in (1, 2):
            await town.shop(number, operator=b"the same").open()
        providers = await town.chooser()
        assert len(await providers.choose(wanted(), 2)) == 1
        (said,) = town.said("provider.short")
        assert said.endswith("of the others: who runs it has a replica of this chunk (1)")
        await providers.stop()

    play(scene)


def forged_by_another(shop: Shop, other: Shop) -> None:
    """The other's terms, under this one's name."""
    shop.forge = lambda answer: replace(answer, sig_payee=other.offer().sig_payee)


def test_offers_that_are_not_what_they_claim_are_refused_by_name() -> None:
    async def scene(town: Town) -> None:
        good, payee, peer, stolen, foreign, late = [town.shop(n) for n in range(6)]
        forged_by_another(payee, good)
        peer.forge = lambda answer: replace(answer, sig_peer=good.offer().sig_peer)
        stolen.forge = lambda _: replace(
            _, offer=good.offer().data, sig_payee=good.offer().sig_payee,
            sig_peer=good.offer().sig_peer,
        )  # fmt: skip
        foreign.terms = {"chain_id": 1}
        late.terms = {"valid_until": 1000}
        for shop in (good, payee, peer, stolen, foreign, late):
            await shop.open()
        providers = await town.chooser()
        assert [c.peer for c in await providers.choose(wanted(), 6)] == [good.peer]
        for shop, words in (
            (payee, "not signed by its payee"),
            (peer, "not signed by that peer"),
            (stolen, f"gave an offer of {good.peer}"),
            (foreign, "on chain 1"),
            (late, "held until 1000"),
        ):
            known = providers.book.get(shop.peer)
            assert known is not None
            assert words in known.problem
            with pytest.raises(BadOffer, match=words):
                await providers.offer(shop.peer)
        await providers.stop()

    play(scene)


def test_who_refuses_or_is_silent_is_told_as_such() -> None:
    async def scene(town: Town) -> None:
        rude, silent = town.shop(1), town.shop(2)
        rude.code, silent.is_silent = Code.REFUSED, True
        for shop in (rude, silent):
            await shop.open()
        providers = await town.chooser([rude, silent])
        with pytest.raises(PeerRefused, match="not today"):
            await providers.offer(rude.peer)
        with pytest.raises(PeerSilent):
            await providers.offer(silent.peer)
        await providers.stop()

    play(scene)


def test_a_bad_signature_excludes_for_seven_days_and_across_restarts() -> None:
    """Scenario 4 of point.md 6.7, as far as the choice goes."""

    async def scene(town: Town) -> None:
        bad, *_ = await town.shops(4)
        providers = await town.chooser()
        await providers.report(bad.peer, Outcome.BAD_SIGNATURE, "another root was signed")
        (said,) = town.said("provider.excluded")
        assert "7 days" in said
        for restart in range(2):
            for number in range(20):
                chosen = await providers.choose(wanted(bytes([number])), 3)
                assert bad.peer not in [c.peer for c in chosen]
            await providers.stop()
            providers = await town.chooser()
            if restart == 0:
                await asyncio.sleep(EXCLUSION_SECONDS - 3600)
        await asyncio.sleep(3600)
        taken = [await providers.choose(wanted(bytes([number])), 4) for number in range(3)]
        assert all(bad.peer in [c.peer for c in each] for each in taken)
        known = providers.book.get(bad.peer)
        assert known is not None
        assert known.reputation.why == "another root was signed"
        await providers.stop()

    play(scene)


def test_who_answered_no_space_is_not_asked_for_the_next_chunk() -> None:
    """Scenario 2: the replacement of a refused link is another provider, at once."""

    async def scene(town: Town) -> None:
        shops = await town.shops(4)
        providers = await town.chooser()
        (first,) = await providers.choose(wanted(), 1)
        await providers.report(first.peer, Outcome.REFUSED, "NO_SPACE")
        began = town.clock.monotonic()
        (second,) = await providers.choose(wanted(used=(first.peer,)), 1)
        assert town.clock.monotonic() == began
        assert second.peer != first.peer
        for number in range(20):
            chosen = await providers.choose(wanted(bytes([number])), 3)
            assert first.peer not in [c.peer for c in chosen]
        await asyncio.sleep(61)
        assert len(await providers.choose(wanted(b"later"), 4)) == len(shops)
        await providers.stop()

    play(scene)


def test_two_providers_of_one_payee_never_hold_the_same_chunk() -> None:
    """Scenario 16, for new replicas and for those that join live ones."""

    async def scene(town: Town) -> None:
        shops = [town.shop(number) for number in range(5)]
        shops[4].payee_key = shops[3].payee_key
        for shop in shops:
            await shop.open()
        providers = await town.chooser()
        twins = {shops[3].peer, shops[4].peer}
        for number in range(40):
            chosen = await providers.choose(wanted(bytes([number])), 5)
            assert len(chosen) == 4
            assert len(twins & {c.peer for c in chosen}) == 1
        sharing = (shops[3].offer(),)
        others = await providers.choose(wanted(used=(shops[3].peer,), sharing=sharing), 4)
        assert {c.peer for c in others} == {shop.peer for shop in shops[:3]}
        await providers.stop()

    play(scene)


def test_two_providers_of_one_network_never_hold_the_same_chunk() -> None:
    """Also when the one that has a replica already is known from its offer only."""

    async def scene(town: Town) -> None:
        addresses = ["/ip4/8.8.8.1/tcp/1", "/ip4/8.8.8.2/tcp/1", "/ip4/8.8.9.1/tcp/1"]
        shops = [town.shop(n, address) for n, address in enumerate(addresses)]
        for shop in shops:
            await shop.open()
        providers = await town.chooser()
        for number in range(20):
            chosen = {c.peer for c in await providers.choose(wanted(bytes([number])), 3)}
            assert shops[2].peer in chosen
            assert len(chosen) == 2
        sharing = (shops[0].offer(),)
        others = await providers.choose(wanted(used=(shops[0].peer,), sharing=sharing), 2)
        assert [c.peer for c in others] == [shops[2].peer]
        await providers.stop()

    play(scene)


def test_a_strangers_lie_is_not_written_down() -> None:
    async def scene(town: Town) -> None:
        good, liar = town.shop(1), town.shop(2)
        forged_by_another(liar, good)
        await liar.open()
        providers = await town.chooser()
        assert await providers.choose(wanted(), 1) == []
        assert await town.journal.read("reputation") == {}
        known = providers.book.get(liar.peer)
        assert known is not None
        assert "excluded" in providers.why_not(known, wanted())
        await providers.stop()

    play(scene)


def test_silence_of_one_delays_a_first_choice_for_a_second() -> None:
    """After a second without news who has not answered is not waited for."""

    async def scene(town: Town) -> None:
        await town.shops(6)
        silent = town.shop(99)
        silent.is_silent = True
        await silent.open()
        providers = await town.chooser([silent])
        began = town.clock.monotonic()
        assert len(await providers.choose(wanted(), 3)) == 3
        assert 1 <= town.clock.monotonic() - began < 1.5
        await asyncio.sleep(30)
        began = town.clock.monotonic()
        assert len(await providers.choose(wanted(b"next"), 3)) == 3
        assert town.clock.monotonic() == began
        await providers.stop()

    play(scene)


def test_a_choice_waits_for_a_slow_one_only_while_there_are_too_few() -> None:
    async def scene(town: Town) -> None:
        await town.shops(2)
        slow = town.shop(99)
        slow.delay = 4.0
        await slow.open()
        providers = await town.chooser([slow])
        began = town.clock.monotonic()
        chosen = await providers.choose(wanted(), 3)
        assert slow.peer in [c.peer for c in chosen]
        assert len(chosen) == 3
        assert 4 <= town.clock.monotonic() - began < 5
        await providers.stop()

    play(scene)


@pytest.mark.parametrize("is_taken", [False, True])  # nobody answers there, or somebody else
def test_who_has_moved_is_asked_where_it_is_now_and_not_blamed(is_taken: bool) -> None:
    async def scene(town: Town) -> None:
        (shop,) = await town.shops(1)
        providers = await town.chooser()
        await providers.look(60)
        await providers.stop()
        was = shop.address
        await shop.move("/memory/elsewhere")
        if is_taken:
            await town.shop(7, was).open(announces=False)
        for _ in range(2):
            providers = await town.chooser()
            assert [c.peer for c in await providers.choose(wanted(), 1)] == [shop.peer]
            await providers.stop()
        assert town.said("provider.failed") == []

    play(scene)


def test_a_list_asks_again_who_did_not_answer() -> None:
    async def scene(town: Town) -> None:
        (shop,) = await town.shops(1)
        shop.is_silent = True
        providers = await town.chooser()
        await providers.look(60)
        shop.is_silent = False
        await asyncio.sleep(60)
        await providers.look(60)
        known = providers.book.get(shop.peer)
        assert known is not None
        assert known.offer is not None
        await providers.stop()

    play(scene)
