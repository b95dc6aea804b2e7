"""How a provider answers in each state; the same question has the same answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quire.formats.replica_codes import LeaseState
from quire.point.lease import Given, Lease, MapTaken, RenewAsked, SignAsked
from quire.point.lease_answers import (
    answer_audit,
    answer_data,
    answer_map,
    answer_release,
    answer_renew,
    answer_sign,
    answer_store,
    unless_ours,
)
from quire.point.values import Code
from support.lease_page import CLIENT_PEER, CODES, EXPIRES, LABELLED, MACHINE, NEW, ORDER, STORED
from support.link_kit import BLOCKS, DAY, NOW, OFFER, ROOT, SEALED_BYTES, SIGNED_OFFER, offered

FREE = 1 << 40


def code(name: str, question: str) -> Code:
    """Of a question about the lease of an example."""
    lease = LABELLED[name]
    refused = unless_ours(lease, CLIENT_PEER)
    if refused is not None:
        return refused.code
    match question:
        case "map":
            return answer_map(lease, ROOT, SEALED_BYTES, BLOCKS, is_funded=True).code
        case "other map":
            return answer_map(lease, bytes(32), SEALED_BYTES, BLOCKS, is_funded=True).code
        case "data":
            return answer_data(lease, 3, 2).code
        case "sign":
            return answer_sign(lease, ROOT, NOW).code
        case "audit":
            return answer_audit(lease, ROOT).code
    return answer_renew(lease, EXPIRES + DAY, SIGNED_OFFER, NOW).code


@pytest.mark.parametrize("name", CODES)
def test_the_codes_of_each_state(name: str) -> None:
    questions = ("map", "other map", "data", "sign", "audit", "renew")
    assert tuple(code(name, question) for question in questions) == CODES[name]


def test_already_stored_is_said_only_of_what_was_verified_and_signed() -> None:
    said = [name for name in LABELLED if code(name, "map") is Code.ALREADY_STORED]
    assert {LABELLED[name].at for name in said} == {LeaseState.STORED, LeaseState.GRACE}


def test_a_reservation_is_made_once() -> None:
    answer = answer_store(None, ORDER, NOW, FREE)
    assert (answer.code, answer.begin) == (Code.OK, NEW)
    for lease in (NEW, STORED):
        again = answer_store(lease, ORDER, NOW, 0)
        assert (again.code, again.begin) == (Code.OK, None)
    other = answer_store(NEW, replace(ORDER, sealed_bytes=SEALED_BYTES - 1), NOW, FREE)
    assert other.code is Code.CONFLICT
    assert answer_store(NEW, replace(ORDER, peer="another"), NOW, FREE).code is Code.CONFLICT


def test_a_link_that_was_dropped_unsigned_can_be_reserved_again() -> None:
    dropped = replace(NEW, at=LeaseState.DELETED, why="idle", is_closed=True)
    refused = unless_ours(dropped, CLIENT_PEER)
    assert refused is not None
    assert refused.code is Code.UNKNOWN_LINK
    assert answer_store(dropped, ORDER, NOW, FREE).begin == NEW
    assert answer_store(LABELLED["DELETED"], ORDER, NOW, FREE).code is Code.EXPIRED


@pytest.mark.parametrize(
    ("changes", "free", "expected"),
    [
        ({"blocks": BLOCKS + 1}, FREE, Code.REFUSED),
        ({"sealed_bytes": 0, "blocks": 0}, FREE, Code.REFUSED),
        ({"sealed_bytes": 1025 * 65536, "blocks": 1025}, FREE, Code.REFUSED),
        ({"expires_at": NOW}, FREE, Code.REFUSED),
        ({"expires_at": NOW + OFFER.max_seconds + 1}, FREE, Code.REFUSED),
        ({}, SEALED_BYTES - 1, Code.NO_SPACE),
        ({}, SEALED_BYTES, Code.OK),
    ],
)
def test_what_cannot_be_kept_is_refused_in_words(
    changes: dict[str, int], free: int, expected: Code
) -> None:
    answer = answer_store(None, replace(ORDER, **changes), NOW, free)
    assert answer.code is expected
    assert (answer.begin is None) == bool(answer.text) == (expected is not Code.OK)


def test_another_client_hears_nothing_of_a_link() -> None:
    for lease in (None, *LABELLED.values()):
        answer = unless_ours(lease, "another")
        assert answer is not None
        assert answer.code is Code.UNKNOWN_LINK
    assert unless_ours(STORED, CLIENT_PEER) is None


def test_a_map_fits_what_was_reserved_and_is_paid_for() -> None:
    answer = answer_map(NEW, ROOT, SEALED_BYTES, BLOCKS, is_funded=True)
    assert answer.event == MapTaken(ROOT)
    for size, leaves in ((SEALED_BYTES + 1, BLOCKS), (SEALED_BYTES, BLOCKS - 1)):
        assert answer_map(NEW, ROOT, size, leaves, is_funded=True).code is Code.BAD_MAP
    poor = answer_map(NEW, ROOT, SEALED_BYTES, BLOCKS, is_funded=False)
    assert (poor.code, poor.event) == (Code.PAYMENT_REQUIRED, None)
    mapped = LABELLED["MAPPED"]  # who was let in is not asked for money again
    assert answer_map(mapped, ROOT, SEALED_BYTES, BLOCKS, is_funded=False).code is Code.OK


@pytest.mark.parametrize(("index", "count"), [(5, 1), (4, 2), (-1, 1), (0, 0)])
def test_there_are_no_other_blocks(index: int, count: int) -> None:
    assert answer_data(LABELLED["MAPPED"], index, count).code is Code.REFUSED


def test_the_receipt_is_made_once_and_in_time() -> None:
    complete = LABELLED["COMPLETE"]
    assert answer_sign(complete, ROOT, NOW).event == SignAsked(NOW)
    assert answer_sign(STORED, ROOT, NOW).event is None
    assert answer_sign(complete, bytes(32), NOW).code is Code.CONFLICT
    assert answer_sign(complete, ROOT, EXPIRES).code is Code.EXPIRED


def test_a_renewal_is_repeated_word_for_word() -> None:
    until = EXPIRES + DAY
    answer = answer_renew(STORED, until, SIGNED_OFFER, NOW)
    assert answer.event == RenewAsked(until, SIGNED_OFFER, NOW)
    renewed, _ = MACHINE.step(STORED, answer.event)
    again = answer_renew(renewed, until, None, NOW)
    assert (again.code, again.event) == (Code.OK, None)
    assert answer_renew(renewed, until - 1, SIGNED_OFFER, NOW).code is Code.REFUSED


def test_a_renewal_needs_a_valid_offer_and_a_longer_term() -> None:
    def renew(lease: Lease, until: int, offer: object = SIGNED_OFFER) -> Code:
        return answer_renew(lease, until, offer, NOW).code

    assert renew(STORED, EXPIRES + DAY, None) is Code.PRICE
    assert renew(STORED, EXPIRES) is Code.REFUSED
    assert renew(STORED, EXPIRES + DAY, offered(max_seconds=DAY)) is Code.REFUSED


def test_everything_can_be_given_up() -> None:
    assert answer_release(NEW).event == Given()
