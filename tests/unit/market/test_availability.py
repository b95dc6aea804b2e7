"""Offers: what can be offered, what can be changed, and where each byte and token is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quire.base.errors import BadEncoding, BadOffer, NotFound, Refused
from quire.chain.values import Ask
from quire.market.availability import (
    Availability,
    Change,
    decode_availability,
    encode_availability,
)
from quire.market.ledger import Ledger, Share

OFFER = Availability(b"\x01" * 32, 10_000, 3600, 5, 100_000)
ASK = Ask(1, 5, 2, 3, 1000, 3600, 1)
END = 1_800_000_000


def share(slot: int = 1, size: int = 1000, locked: int = 2000, end: int = END) -> Share:
    return Share(OFFER.id, bytes(32), slot, bytes([slot]) * 32, size, 0, locked, end)


def opened(*slots: int, **terms: object) -> Ledger:
    ledger = Ledger()
    ledger.open(replace(OFFER, **terms))
    for slot in slots:
        ledger.reserve(share(slot))
    return ledger


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Change(total_size=0), "Total size must be larger then zero"),
        (Change(total_size=-1), "Total size must be larger then zero"),
        (Change(duration=0), "duration must be larger then zero"),
        (
            Change(min_price_per_byte_per_second=0),
            "minPricePerBytePerSecond must be larger then zero",
        ),
        (Change(total_collateral=0), "totalCollateral must be larger then zero"),
        (Change(until=-1), "Cannot set until to a negative value"),
        (Change(total_size=1 << 63), "no size, duration or time above"),
        (Change(total_collateral=1 << 256), "no amount of 2^256 or more"),
    ],
)
def test_what_cannot_be_offered_is_refused_in_the_words_of_the_reference(change, words) -> None:
    with pytest.raises(BadOffer, match=words.replace("^", r"\^")):
        OFFER.changed(change).check()
    with pytest.raises(BadOffer):
        opened().amended(OFFER.id, change)


def test_a_change_keeps_what_slots_were_promised() -> None:
    ledger = opened(1, 2)
    with pytest.raises(BadOffer) as refused:
        ledger.amended(OFFER.id, Change(total_size=1999))
    assert refused.value.message == (
        "New totalSize must be larger then current totalSize - freeSize, which is currently: 2000"
    )
    with pytest.raises(BadOffer) as refused:
        ledger.amended(OFFER.id, Change(until=END - 1))
    assert refused.value.message == (
        "Until parameter must be greater or equal to the longest currently hosted slot"
    )
    with pytest.raises(BadOffer, match="which is 4000"):
        ledger.amended(OFFER.id, Change(total_collateral=3999))
    with pytest.raises(NotFound, match="Availability not found"):
        ledger.amended(bytes(32), Change(duration=1))
    terms = ledger.amended(
        OFFER.id, Change(total_size=2000, until=END, total_collateral=4000, is_enabled=False)
    )
    ledger.amend(terms)
    account = ledger.account(OFFER.id)
    assert (account.free, account.remaining) == (0, 0)


@pytest.mark.parametrize(
    ("change", "has_grown"),
    [
        (Change(total_size=20_000), True),
        (Change(total_size=9_000), False),
        (Change(duration=7200), True),
        (Change(duration=60), False),
        (Change(min_price_per_byte_per_second=4), True),  # the reference takes 6 for growth
        (Change(min_price_per_byte_per_second=6), False),
        (Change(total_collateral=1 << 40), True),
        (Change(until=END), False),
        (Change(total_size=20_000, is_enabled=False), False),
    ],
)
def test_an_offer_grows_when_it_takes_more_than_before(change: Change, has_grown: bool) -> None:
    assert opened().amended(OFFER.id, change).takes_more_than(OFFER) == has_grown


def test_the_first_offer_with_room_is_taken_and_the_others_say_why_not() -> None:
    ledger = opened()
    assert ledger.match(ASK, END).terms == OFFER
    reasons = {
        "switched off": ledger_with(is_enabled=False).match(ASK, END),
        "lasts 3600 s": ledger_with(duration=3599).match(ASK, END),
        "pays 5": ledger_with(min_price_per_byte_per_second=6).match(ASK, END),
        "ends 5 s after": ledger_with(until=END - 5).match(ASK, END),
        "999 are free": ledger_with(total_size=999).match(ASK, END),
        "1 are left": ledger_with(total_collateral=19_999).match(ASK, END),
        "nothing is offered": Ledger().match(ASK, END),
    }
    for words, why in reasons.items():
        assert words in why


def ledger_with(**terms: object) -> Ledger:
    return opened(**terms)


def test_bytes_and_collateral_go_out_and_come_back() -> None:
    ledger = opened(1, 2)
    account = ledger.account(OFFER.id)
    assert (account.free, account.remaining, account.promised) == (8000, 96_000, 10_000)
    ledger.host(share(1).slot_id, 400)
    assert account.promised == 9_600
    ledger.host(share(1).slot_id, 5000)
    assert ledger.share(share(1).slot_id).reserved == 0
    ledger.end(share(1).slot_id)
    ledger.end(share(1).slot_id)
    assert (account.free, account.remaining) == (9000, 98_000)
    ledger.end(share(2).slot_id, lost=800)
    assert (account.free, account.remaining) == (10_000, 99_200)
    assert account.terms.total_collateral == 99_200


def test_a_slot_has_one_share_however_often_it_is_reserved() -> None:
    ledger = opened(1, 1)
    assert ledger.account(OFFER.id).free == 9000


def test_more_than_there_is_cannot_be_reserved() -> None:
    ledger = opened()
    with pytest.raises(Refused):
        ledger.reserve(share(size=10_001))
    with pytest.raises(Refused):
        ledger.reserve(share(locked=100_001))
    with pytest.raises(NotFound):
        ledger.reserve(replace(share(), offer=bytes(32)))
    assert ledger.account(OFFER.id).free == 10_000


def test_an_offer_is_closed_when_nothing_of_it_is_in_use() -> None:
    ledger = opened(1)
    with pytest.raises(Refused, match="1 slot of this offer"):
        ledger.close(OFFER.id)
    ledger.end(share(1).slot_id)
    ledger.close(OFFER.id)
    assert ledger.accounts() == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"\xff",
        encode_availability(replace(OFFER, id=bytes(31))),
        encode_availability(replace(OFFER, total_size=0)),
        encode_availability(replace(OFFER, total_collateral=-1)),
        encode_availability(replace(OFFER, until=-1)),
        encode_availability(OFFER).replace(b'"format":1', b'"format":9'),
    ],
)
def test_a_record_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(BadEncoding):
        decode_availability(data)


def test_an_offer_that_lost_all_its_collateral_is_still_one() -> None:
    spent = replace(OFFER, total_collateral=0)
    assert decode_availability(encode_availability(spent)) == spent
