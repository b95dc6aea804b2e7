"""Accounts of payers, claims, top-ups, bills and credit: the arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.base.errors import BadEncoding
from quire.chain.hub import HubChannel
from quire.channels.account import Account, Verdict
from quire.channels.account_record import decode_account, encode_billed, encode_received
from quire.channels.billed import SERIES_MAX, Billed
from quire.channels.bills import Bills, number_of, series_of
from quire.channels.channel import Bill, Channel
from quire.channels.claims import BATCH, ClaimPolicy, batches_of, claims_due
from quire.channels.credit import credit_tokens, may_serve
from quire.channels.paying import Told, covered
from quire.channels.topup import Ask, TopUpPolicy, plan_top_ups

PAYER = bytes([1]) * 20
SIGNATURE = bytes(65)


def an_account(received, claimed=0, deposit=1000, close_at=0, payer=PAYER, billed=0):
    return Account(payer, billed, received, SIGNATURE, HubChannel(deposit, claimed, close_at))


# ---- accounts ----


@pytest.mark.parametrize(
    ("cumulative", "close_at", "verdict"),
    [
        (50, 0, Verdict.KNOWN),
        (49, 9, Verdict.KNOWN),
        (51, 0, Verdict.BEST),
        (1000, 0, Verdict.BEST),
        (1001, 0, Verdict.OVERDRAWN),
        (51, 9, Verdict.CLOSING),
    ],
)
def test_a_voucher_is_judged_by_what_is_held_and_by_the_hub(cumulative, close_at, verdict):
    assert an_account(50, close_at=close_at).judge(cumulative) is verdict


def test_what_is_due_is_billed_less_received():
    account = an_account(50, billed=80)
    assert (account.due, account.bill(5).due) == (30, 35)
    assert account.take(100, SIGNATURE).due == -20


def test_what_has_no_deposit_any_more_is_due_again():
    account = an_account(50, billed=50).look(HubChannel(20, 20), 5.0)
    assert (account.covered, account.due, account.unclaimed) == (20, 30, 0)
    assert account.look(HubChannel(70, 20), 6.0).due == 0


@pytest.mark.parametrize(
    ("received", "billed", "amount", "due"),
    [(800, 900, 100, 0), (800, 860, 100, 0), (800, 1000, 100, 100), (800, 901, 101, 101)],
    ids=["all", "what is due", "a part", "more than an eighth of what was paid"],
)
def test_a_bill_is_forgiven_to_who_has_paid_much_more(received, billed, amount, due):
    account = an_account(received, billed=billed).forgive(amount)
    assert account.due == due
    assert account.billed + account.forgiven == billed
    again = account.bill(900).forgive(900)
    assert again.forgiven == account.forgiven
    assert decode_account(encode_billed(account), encode_received(account)) == account


def test_nothing_is_forgiven_to_who_has_paid_nothing_or_owes_nothing():
    assert an_account(0, billed=100).forgive(1).forgiven == 0
    assert an_account(800, billed=700).forgive(1).forgiven == 0


def test_room_is_what_the_deposit_has_beyond_all_that_is_owed():
    account = an_account(50, billed=80, deposit=100)
    assert account.has_room(20)
    assert not account.has_room(21)
    assert not an_account(50, deposit=100, close_at=7).has_room(1)


def test_only_what_is_held_and_covered_can_be_claimed():
    assert an_account(50, claimed=20).unclaimed == 30
    assert an_account(50, claimed=20, deposit=40).unclaimed == 0
    assert Account(PAYER, received=50, seen=HubChannel(100)).unclaimed == 0


def test_a_hub_that_paid_more_than_is_known_shows_that_the_journal_was_set_back():
    account = an_account(50, billed=60).look(HubChannel(1000, 70), 5.0)
    assert (account.billed, account.received, account.due) == (80, 70, 10)
    assert account.unclaimed == 0


RECORDS = (encode_billed(an_account(50)), encode_received(an_account(50)))


def test_the_records_of_an_account_come_back_each_alone_too():
    account = an_account(50, billed=80)
    assert decode_account(encode_billed(account), encode_received(account)) == account
    assert decode_account(encode_billed(account), None) == Account(PAYER, 80)
    assert decode_account(None, encode_received(account)).received == 50


@pytest.mark.parametrize(
    ("billed", "received"),
    [
        (None, None),
        (b"", None),
        (b"{}", None),
        (None, b"[]"),
        (RECORDS[1], None),
        (None, RECORDS[0]),
        (RECORDS[0].replace(b'"format":1', b'"format":2'), None),
        (RECORDS[0].replace(b'"billed":0', b'"billed":-1'), None),
        (None, RECORDS[1].replace(b'"received":50', b'"received":-1')),
        (None, RECORDS[1].replace(b'"deposit":1000', b'"deposit":%d' % (1 << 128))),
        (None, RECORDS[1].replace(b'"close_at":0', b'"close_at":-1')),
        (encode_billed(Account(bytes(20))), RECORDS[1]),
        (encode_billed(Account(b"short")), None),
        (None, encode_received(Account(PAYER, signature=bytes(2000)))),
    ],
)
def test_what_is_no_account_is_refused(billed, received):
    with pytest.raises(BadEncoding):
        decode_account(billed, received)


# ---- claims ----


def test_a_claim_is_made_above_twenty_times_its_cost_or_when_a_close_is_pending():
    policy = ClaimPolicy(cost=10)
    assert not policy.is_due(an_account(200))
    assert policy.is_due(an_account(201))
    assert policy.is_due(an_account(1, close_at=9))
    assert not policy.is_due(an_account(0, close_at=9))
    assert ClaimPolicy(threshold=5).is_due(an_account(6))


def test_the_soonest_close_is_claimed_first_then_the_largest_sums():
    accounts = [
        an_account(500, payer=b"a" * 20),
        an_account(900, payer=b"b" * 20),
        an_account(1, close_at=9, payer=b"c" * 20),
        an_account(2, close_at=8, payer=b"d" * 20),
        an_account(3, payer=b"e" * 20),
        an_account(4, payer=b"f" * 20),
    ]
    due = claims_due(accounts, ClaimPolicy(threshold=100, cost=3), urgent=[b"e" * 20, b"f" * 20])
    assert [account.payer[:1] for account in due] == [b"d", b"c", b"b", b"a", b"f"]
    assert len(claims_due(accounts, ClaimPolicy(threshold=100), is_all=True)) == 6


def test_batches_hold_so_many_and_lose_nobody():
    accounts = [an_account(9, payer=number.to_bytes(20, "big")) for number in range(2 * BATCH + 1)]
    batches = batches_of(accounts)
    assert [len(batch) for batch in batches] == [BATCH, BATCH, 1]
    assert [account for batch in batches for account in batch] == accounts


# ---- top-ups ----

SUMS = st.integers(0, 1000)
ASKS = st.lists(st.tuples(SUMS, SUMS, SUMS, st.booleans()), max_size=6)


@given(ASKS, SUMS, SUMS)
def test_top_ups_spend_what_there_is_and_give_nobody_less_than_he_needs(asks, balance, tokens):
    made = [
        Ask(bytes([number]) * 20, HubChannel(deposit, 0, int(closes)), least, least + more)
        for number, (deposit, least, more, closes) in enumerate(asks)
    ]
    plan = plan_top_ups(made, balance, tokens)
    given_to, short = dict(plan.sums), dict(plan.short)
    spent = sum(given_to.values())
    assert spent <= balance + tokens
    assert plan.deposit == max(0, spent - balance)
    assert not given_to.keys() & short.keys()
    for ask in made:
        if ask.payee in given_to:
            assert ask.missing <= given_to[ask.payee] <= ask.wished
        else:
            assert (ask.payee in short) == ask.is_needed
    if not short and any(given_to[a.payee] < a.wished for a in made if a.payee in given_to):
        assert spent == balance + tokens  # wishes are cut only where the money ends


def test_a_close_is_ended_by_an_allocation_of_nothing():
    plan = plan_top_ups([Ask(PAYER, HubChannel(100, 0, 7), 50, 60)], 0, 0)
    assert plan.sums == ((PAYER, 0),)


def test_the_wish_is_the_target_or_some_steps():
    assert TopUpPolicy().wish(10) == 40
    assert TopUpPolicy(1000).wish(10) == 1000


# ---- bills ----


@pytest.mark.parametrize(
    ("key", "series", "number"),
    [
        ("ab/0", "ab", 0),
        ("ab/12", "ab", 12),
        ("get/s/3", "get/s", 3),
        ("ab", "ab", 0),
        ("ab/x", "ab/x", 0),
        ("/7", "/7", 0),
        ("ab/", "ab/", 0),
    ],
)
def test_a_key_is_a_series_and_a_number(key, series, number):
    assert (series_of(key), number_of(key)) == (series, number)


def test_the_last_bill_of_a_series_is_waited_for():
    bills = Bills()
    bills.add(Bill("a/0", PAYER, 5, 5))
    bills.add(Bill("b/0", PAYER, 5, 10))
    bills.add(Bill("a/1", PAYER, 5, 15))
    assert bills.unpaid_before("a/2", PAYER, 14).key == "a/1"
    assert bills.unpaid_before("a/2", PAYER, 15) is None
    assert bills.unpaid_before("c/0", PAYER, 0) is None
    assert bills.unpaid_before("a/2", bytes(20), 0) is None
    assert bills.forget("a/") == ["a/0", "a/1"]
    assert bills.unpaid_before("a/2", PAYER, 0) is None
    assert len(bills) == 1


def test_a_bill_is_billed_once_and_quiet_series_are_forgotten_in_the_end():
    billed = Billed()
    for number in range(SERIES_MAX):
        assert billed.add(f"{number}/0") == []
    billed.add("0/1")
    assert billed.has("0/0")
    assert billed.has("0/1")
    assert not billed.has("0/2")
    assert billed.add("new/0") == ["1"]
    assert billed.has("0/1")
    assert not billed.has("1/0")


# ---- paying, credit ----


@given(SUMS, SUMS, SUMS, SUMS)
def test_what_covers_a_bill_is_never_more_than_was_taken_over_nor_leaves_less_than_owed(
    promised, taken_over, amount, billed
):
    taken_over = min(taken_over, promised)
    channel = Channel(PAYER, promised=promised, taken_over=taken_over)
    part = covered(channel, amount, Told(promised, billed, True))
    assert 0 <= part <= min(amount, taken_over)
    total = promised + amount - part
    if taken_over:
        assert total >= min(billed, promised + amount)
    assert covered(channel, amount, Told(promised, billed, False)) == 0
    assert covered(channel, amount, None) == 0


def test_a_payee_serves_within_his_credit():
    credit = credit_tokens(1 << 20, 3)
    assert credit == 3 << 20
    assert may_serve(0, credit, credit)
    assert not may_serve(1, credit, credit)
    assert may_serve(-10, credit + 10, credit)
