import asyncio

import pytest

from quire.base.errors import Reverted, VoucherRefused
from quire.chain.hub import CHALLENGE_SECONDS, Claim
from quire.chain.memory.hub import MemoryHub
from quire.channels.claims import ClaimPolicy
from quire.channels.voucher import Voucher, domain_separator, sign_voucher
from quire.store.journal_memory import MemoryJournal
from support.machine_kit import in_virtual_time
from support.pay_kit import (
    DELEGATE,
    DELEGATE_KEY,
    KEYS,
    OTHER,
    OTHER_KEY,
    OUR_PEER,
    PAYEE,
    PAYER,
    PAYER_KEY,
    Town,
    a_hub_world,
)


def in_town(story, **options):
    async def main(clock):
        async with Town(clock, a_hub_world(), **options) as town:
            return await story(town)

    return in_virtual_time(main)


def voucher(town, cumulative, *, key=PAYER_KEY, payer=PAYER, payee=PAYEE):
    return sign_voucher(key, domain_separator(town.payee_hub.domain), payer, payee, cumulative)


def test_a_voucher_is_durable_before_it_is_answered():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        assert await town.payee.take(voucher(town, 70)) == 70
        await town.restart_payee()
        assert town.payee.account(PAYER).received == 70

    in_town(story)


def test_an_older_voucher_is_answered_with_the_best():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.payee.take(voucher(town, 70))
        assert await town.payee.take(voucher(town, 30)) == 70
        assert await town.payee.take(voucher(town, 70)) == 70

    in_town(story)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cumulative": 401}, "has a deposit of 400 tokens, too little"),
        ({"cumulative": 10, "payee": OTHER}, "this node is paid at"),
        ({"cumulative": 10, "key": OTHER_KEY}, "not signed by"),
        ({"cumulative": 10, "key": OTHER_KEY, "payer": OTHER}, "deposit of 0 tokens"),
    ],
)
def test_a_voucher_that_could_not_be_claimed_is_refused(changes, words):
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        with pytest.raises(VoucherRefused, match=words):
            await town.payee.take(voucher(town, **changes))
        assert town.payee.accounts() == []

    in_town(story)


def test_a_signature_with_one_flipped_bit_is_refused():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        good = voucher(town, 10)
        for at in (0, 31, 32, 63, 64):
            signature = bytearray(good.signature)
            signature[at] ^= 1
            with pytest.raises(VoucherRefused):
                await town.payee.take(Voucher(PAYER, PAYEE, 10, bytes(signature)))

    in_town(story)


def test_a_top_up_that_was_just_made_is_seen():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.payee.take(voucher(town, 400))
        await town.payer_hub.deposit(10)
        await town.payer_hub.allocate([(PAYEE, 10)])
        assert await town.payee.take(voucher(town, 410)) == 410

    in_town(story)


def test_vouchers_that_fit_are_taken_without_asking_the_chain_each_time():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.payee.take(voucher(town, 1))
        town.payee_hub.faults.is_unreachable = True
        for cumulative in range(2, 10):
            await town.payee.take(voucher(town, cumulative))

    in_town(story)


def test_what_was_seen_is_believed_for_a_quarter_of_the_challenge():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.payee.take(voucher(town, 1))
        await town.payer_hub.request_close(PAYEE)
        assert await town.payee.take(voucher(town, 2)) == 2  # it can still be claimed
        town.pass_time(CHALLENGE_SECONDS // 4 + 1)
        with pytest.raises(VoucherRefused, match=r"a close of the channel.*is pending"):
            await town.payee.take(voucher(town, 3))
        assert await town.payee.take(voucher(town, 2)) == 2

    in_town(story)


def test_a_delegate_signs_for_the_payer_and_a_stranger_does_not():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        with pytest.raises(VoucherRefused):
            await town.payee.take(voucher(town, 10, key=DELEGATE_KEY))
        await town.payer_hub.set_delegate(DELEGATE)
        assert await town.payee.take(voucher(town, 10, key=DELEGATE_KEY)) == 10

    in_town(story)


def test_a_voucher_of_a_delegate_that_is_dismissed_is_claimed_at_the_next_look():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.payer_hub.set_delegate(DELEGATE)
        await town.payee.take(voucher(town, 10, key=DELEGATE_KEY))
        town.claiming.policy = ClaimPolicy(threshold=10**6, cost=9)
        assert await town.claiming.look() == 0
        await town.payer_hub.set_delegate(None)
        assert await town.claiming.look() == 10

    in_town(story)


def test_room_is_counted_beyond_all_that_is_owed():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        assert await town.payee.is_funded(PAYER, 400)
        assert not await town.payee.is_funded(PAYER, 401)
        await town.payee.bill(PAYER, "a/0", 50)
        assert await town.payee.is_funded(PAYER, 350)
        assert not await town.payee.is_funded(PAYER, 351)
        await town.payer_hub.request_close(PAYEE)
        assert not await town.payee.is_funded(PAYER, 1)
        assert not await town.payee.is_funded(OTHER, 1)

    in_town(story)


def test_a_bill_counts_once_also_after_a_restart():
    async def story(town):
        for _ in range(3):
            await town.payee.bill(PAYER, "a/0", 50)
        await town.restart_payee()
        await town.payee.bill(PAYER, "a/0", 50)
        await town.payee.bill(PAYER, "a/1", 5)
        await town.payee.bill(PAYER, "a/0", 50)
        assert town.payee.due(PAYER) == 55

    in_town(story)


def test_an_introduction_shows_who_speaks_for_a_payer():
    async def story(town):
        introduction = await town.payer.introduction(PAYEE)
        assert await town.payee.is_introduced(PAYER, OUR_PEER, introduction)
        assert not await town.payee.is_introduced(PAYER, "another", introduction)
        assert not await town.payee.is_introduced(OTHER, OUR_PEER, introduction)
        for bad in (bytes(65), b"", voucher(town, 0).signature):
            assert not await town.payee.is_introduced(PAYER, OUR_PEER, bad)

    in_town(story)


# ---- claims ----


def test_a_voucher_is_claimed_when_it_is_worth_twenty_times_its_gas():
    async def story(town):
        town.claiming.policy = ClaimPolicy(cost=10)
        await town.payer.fund(PAYEE, 100)
        town.claiming.start()
        await town.payee.take(voucher(town, 200))
        await asyncio.sleep(1)
        assert await town.payee_hub.balance() == 0
        await town.payee.take(voucher(town, 201))
        await asyncio.sleep(1)
        assert await town.payee_hub.balance() == 201
        assert town.payee.account(PAYER).seen.claimed == 201

    in_town(story)


def test_a_close_is_seen_within_a_quarter_of_the_challenge_and_all_is_claimed_before_its_end():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.payee.take(voucher(town, 7))
        town.claiming.start()
        await asyncio.sleep(1)
        await town.payer_hub.request_close(PAYEE)
        town.pass_time(CHALLENGE_SECONDS // 4)
        await asyncio.sleep(1)
        assert await town.payee_hub.balance() == 7
        assert len(town.told("channel.closing")) == 1

    in_town(story)


def test_a_node_that_was_off_claims_at_its_start():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.payee.take(voucher(town, 7))
        await town.payer_hub.request_close(PAYEE)
        town.pass_time(CHALLENGE_SECONDS - 60)
        await town.restart_payee()
        town.claiming.start()
        await asyncio.sleep(1)
        assert await town.payee_hub.balance() == 7

    in_town(story)


def test_many_payers_are_claimed_in_one_transaction_and_one_bad_voucher_does_not_stop_the_rest():
    async def story(town):
        payers = [PAYER, OTHER, DELEGATE]
        for payer in payers:
            hub = MemoryHub(town.world, payer)
            await hub.deposit(100)
            await hub.allocate([(PAYEE, 100)])
            await town.payee.take(voucher(town, 60, key=KEYS[payer], payer=payer))
        before = town.world.head.number
        assert await town.claiming.claim_all() == 180
        assert town.world.head.number == before + 1
        for payer in payers:
            await town.payee.take(voucher(town, 80, key=KEYS[payer], payer=payer))
        town.payee_hub.faults.refuse("claim", Reverted("one is bad", name="Hub_BadSignature"))
        town.payee_hub.faults.refuse("claim", Reverted("one is bad", name="Hub_BadSignature"))
        assert await town.claiming.claim_all() == 40
        assert len(town.told("channel.claim-refused")) == 1

    in_town(story)


def test_a_claim_whose_answer_is_lost_is_read_from_the_hub():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.payee.take(voucher(town, 60))
        claims = [Claim(PAYER, 60, voucher(town, 60).signature)]
        await town.payee_hub.claim(claims)  # as if a crash came between claim and journal
        await town.restart_payee()
        assert await town.claiming.claim_all() == 0
        assert town.payee.account(PAYER).seen.claimed == 60

    in_town(story)


def test_a_payee_whose_journal_is_lost_goes_on_from_what_was_claimed():
    async def story(town):
        await town.payer.fund(PAYEE, 100)
        await town.pay("a/0", 60)
        await town.claiming.claim_all()
        await town.pay("a/1", 10)
        await town.restart_payee(MemoryJournal(town.clock))
        assert await town.pay("a/2", 5) == 75
        account = town.payee.account(PAYER)
        assert (account.billed, account.received, account.due) == (65, 75, -10)
        await town.claiming.look()
        assert town.payee.due(PAYER) == -10  # the second voucher was never billed: it is his

    in_town(story)
