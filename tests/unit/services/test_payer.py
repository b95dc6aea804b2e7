import asyncio

import pytest

from quire.base.errors import (
    ChainUnreachable,
    ChannelTooSmall,
    InsufficientFunds,
    NotMined,
    PeerSilent,
    VoucherRefused,
)
from quire.channels.channel import At
from quire.channels.topup import TopUpPolicy
from quire.formats.pay import PayAnswer, decode_pay_request
from quire.store.journal_memory import MemoryJournal
from support.machine_kit import in_virtual_time
from support.pay_kit import OTHER, PAYEE, PAYER, TOKENS, Town, a_hub_world


def in_town(story, **options):
    """Run a story in a town in virtual time."""

    async def main(clock):
        world = a_hub_world(tokens=options.pop("tokens", TOKENS))
        async with Town(clock, world, **options) as town:
            return await story(town)

    return in_virtual_time(main)


def test_a_bill_is_paid_and_both_sides_know_it():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        assert await town.pay("link/0", 100) == 100
        assert await town.pay("link/1", 50) == 150
        assert town.payee.account(PAYER).received == 150
        assert town.payee.due(PAYER) == 0
        assert len(town.told("SEND_MICROPAYMENT_FOR_CHUNK")) == 2

    in_town(story)


def test_a_bill_that_is_paid_again_keeps_its_amount_and_its_sum():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        first = await town.pay("link/0", 60)
        again = await town.pay("link/0", 99)
        assert (first, again) == (60, 60)
        assert town.payee.account(PAYER).received == 60

    in_town(story)


def test_two_calls_for_one_bill_at_a_time_promise_it_once():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        sums = await asyncio.gather(*(town.pay("link/0", 60) for _ in range(5)))
        assert sums == [60] * 5
        assert town.payer.channel(PAYEE).promised == 60

    in_town(story)


def test_a_caller_that_goes_away_does_not_make_a_bill_be_promised_twice():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        for _ in range(20):
            task = asyncio.ensure_future(town.pay("link/0", 60, is_billed=False))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.sleep(0)
        assert await town.pay("link/0", 60) == 60
        assert town.payer.channel(PAYEE).promised == 60

    in_town(story)


def test_a_lost_request_and_a_lost_answer_are_told_and_cost_nothing():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.pay("link/0", 10)
        town.wire.faults.requests = 1
        with pytest.raises(PeerSilent):
            await town.pay("link/1", 20)
        assert town.payee.account(PAYER).received == 10
        town.wire.faults.answers = 1
        with pytest.raises(PeerSilent):
            await town.pay("link/1", 20)
        assert town.payee.account(PAYER).received == 30
        assert await town.pay("link/1", 20) == 30
        assert town.payer.channel(PAYEE).promised == 30

    in_town(story)


def test_the_next_bill_of_a_series_is_not_promised_before_the_payee_has_the_last():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.pay("link/0", 10)
        town.wire.faults.requests = 2
        with pytest.raises(PeerSilent):
            await town.pay("link/1", 20)
        with pytest.raises(PeerSilent):
            await town.pay("link/2", 20)
        assert town.payer.channel(PAYEE).promised == 30
        assert await town.pay("link/2", 20) == 50

    in_town(story)


def test_a_bill_above_the_room_is_refused_with_the_numbers_and_nothing_is_promised():
    async def story(town):
        await town.payer.fund(PAYEE, 10)
        room = await town.payer.room(PAYEE)
        with pytest.raises(ChannelTooSmall, match=rf"room for {room} tokens.*bill is 1000"):
            await town.pay("link/0", 1000)
        assert town.payer.channel(PAYEE).promised == 0

    in_town(story)


def test_top_ups_that_are_asked_for_at_a_time_are_one_transaction():
    async def story(town):
        before = town.world.head.number
        await asyncio.gather(*(town.payer.fund(payee, 100) for payee in (PAYEE, OTHER, PAYER)))
        assert town.world.head.number == before + 2  # one deposit, one allocation
        assert [await town.payer.room(payee) for payee in (PAYEE, OTHER)] == [400, 400]

    in_town(story)


def test_funding_what_has_room_sends_nothing():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        before = town.world.head.number
        await town.payer.fund(PAYEE, 100)
        await town.payer.fund(PAYEE, 400)
        assert town.world.head.number == before

    in_town(story)


def test_a_top_up_whose_answer_is_lost_is_not_sent_again():
    async def story(town):
        town.payer_hub.faults.lose_answer("allocate", NotMined("in no block yet"))
        await town.payer.fund(PAYEE, 100)
        assert (await town.channel()).deposit == 400

    in_town(story)


def test_a_top_up_that_was_cut_off_by_a_crash_sends_the_difference_only():
    async def story(town):
        town.payer_hub.faults.lose_answer("deposit", ChainUnreachable("gone"))
        funding = asyncio.ensure_future(town.payer.fund(PAYEE, 100))
        await asyncio.sleep(0.2)  # deposited, not allocated
        assert await town.payer_hub.balance() == 400
        town.payer_hub.faults.is_unreachable = True
        await asyncio.sleep(1)
        await town.restart_payer()
        funding.cancel()
        town.payer_hub.faults.is_unreachable = False
        await asyncio.sleep(60)
        assert town.payer.channel(PAYEE).at is At.OPEN
        assert (await town.channel()).deposit == 400
        assert await town.payer_hub.balance() == 0
        assert await town.payer_hub.tokens() == TOKENS - 400

    in_town(story)


def test_an_empty_wallet_is_told_as_funds_and_money_that_comes_later_helps():
    async def story(town):
        with pytest.raises(InsufficientFunds) as caught:
            await town.payer.fund(PAYEE, 100)
        assert caught.value.facts == {"balance": 30, "needed": 100}
        assert len(town.told("FUNDS")) == 1
        assert town.payer.channel(PAYEE).at is At.OPEN
        town.world.mint(PAYER, 100)
        await town.payer.fund(PAYEE, 100)
        assert await town.payer.room(PAYEE) == 130  # all there is, where 400 were wished

    in_town(story, tokens=30)


def test_a_chain_that_is_away_for_long_ends_the_wait_with_its_reason():
    async def story(town):
        town.payer_hub.faults.refuse("allocate", NotMined("the fee is too low"))
        for _ in range(100):
            town.payer_hub.faults.refuse("allocate", NotMined("the fee is too low"))
        with pytest.raises(NotMined, match="the fee is too low"):
            await town.payer.fund(PAYEE, 100)
        assert town.payer.channel(PAYEE).at is At.OPEN

    in_town(story)


def test_an_unreachable_chain_is_told_at_once_where_nothing_is_known():
    async def story(town):
        town.payer_hub.faults.is_unreachable = True
        with pytest.raises(ChainUnreachable):
            await town.payer.room(PAYEE)
        with pytest.raises(ChainUnreachable):
            await town.payer.fund(PAYEE, 1)

    in_town(story)


def test_after_a_restart_nothing_is_promised_twice():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.pay("link/0", 10)
        await town.restart_payer()
        assert await town.pay("link/0", 10) == 10
        assert await town.pay("link/1", 10) == 20

    in_town(story)


def test_a_journal_that_was_set_back_takes_over_what_the_payee_shows():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.pay("a/0", 10)
        old = town.payer_journal.reopened()
        await town.pay("a/1", 20)
        await town.pay("b/0", 30)
        await town.restart_payer(old)
        assert town.payer.channel(PAYEE).promised == 10
        assert await town.pay("c/0", 5) == 65  # not 15
        assert len(town.told("channel.taken-over")) == 1
        channel = town.payer.channel(PAYEE)
        assert (channel.promised, channel.taken_over) == (65, 50)

    in_town(story)


def test_a_bill_that_was_paid_before_the_journal_was_set_back_is_not_paid_again():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        old = town.payer_journal.reopened()
        await town.pay("a/0", 10)
        await town.pay("b/0", 30)
        await town.restart_payer(old)
        await town.pay("b/0", 30)
        await town.pay("a/0", 10)
        channel = town.payer.channel(PAYEE)
        assert (channel.promised, channel.taken_over) == (40, 0)
        assert town.payee.account(PAYER).received == 40

    in_town(story)


def test_a_lost_journal_learns_from_the_hub_what_was_claimed():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.pay("a/0", 70)
        await town.claiming.claim_all()
        await town.restart_payer(MemoryJournal(town.clock))
        await town.payer.room(PAYEE)
        assert town.payer.channel(PAYEE).promised == 70

    in_town(story)


def test_a_payee_that_claims_to_hold_more_than_was_promised_has_to_show_it():
    async def story(town):
        await town.payer.fund(PAYEE, 100)

        async def lie(_peer, _message):
            return PayAnswer(300, signature=bytes(65)).encode()

        town.wire.deliver = lie
        with pytest.raises(VoucherRefused, match="does not show it"):
            await town.pay("a/0", 10)
        assert town.payer.channel(PAYEE).promised == 0

    in_town(story)


def test_what_is_handed_over_is_the_newest_voucher():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.pay("a/0", 10)
        await town.pay("b/0", 10)
        town.wire.sent.clear()
        await town.restart_payer()
        await town.pay("a/0", 10)
        assert [decode_pay_request(each).cumulative for each in town.wire.sent] == [20]

    in_town(story)


def test_forgotten_bills_leave_the_journal_and_the_sum_stays():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.pay("a/0", 10)
        await town.pay("a/1", 10)
        await town.payer.forget("a/")
        await town.restart_payer()
        assert town.payer.bills(PAYEE) == []
        assert town.payer.channel(PAYEE).promised == 20

    in_town(story)


@pytest.mark.parametrize("target", [0, 5000])
def test_a_top_up_makes_the_room_that_the_policy_says(target):
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        assert await town.payer.room(PAYEE) == max(target, 400)

    in_town(story, policy=TopUpPolicy(target))


def test_blocks_taken_back_with_a_deposit_are_noticed_by_both_and_mended_by_a_top_up():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.pay("a/0", 60)
        town.world.reorganise(1, loses_transactions=True)
        await town.claiming.look()
        assert town.payee.due(PAYER) == 60
        assert len(town.told("channel.uncovered")) == 1
        with pytest.raises(ChannelTooSmall, match="a deposit of 0 tokens for 100 promised"):
            await town.pay("a/1", 40)
        await town.payer.fund(PAYEE, 40)
        assert await town.pay("a/1", 40) == 100
        assert town.payee.due(PAYER) == 0
        assert await town.claiming.claim_all() == 100

    in_town(story)


def test_a_wish_is_filled_as_far_as_the_money_goes():
    async def story(town):
        await town.payer.fund(PAYEE, 10, 700)
        assert await town.payer.room(PAYEE) == 700
        await town.payer.fund(PAYEE, 900, 5000)
        assert await town.payer.room(PAYEE) == 1000

    in_town(story, tokens=1000)
