"""Chunks by their links, files by their chunks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.point.chunk import ChunkState, ChunkView, Wanted, consider, used_peers
from quire.point.file import FileState, file_view, merge
from quire.point.link import At, LinkState, Renewal
from support.link_kit import DAY, NOW, link
from support.link_page import HELD, LABELLED, WINDOW

WANTED = Wanted(3, NOW + 2 * DAY, is_autorenewed=True)
GOING, SIGNED, ENDED = link(), HELD, LABELLED["FAILED"]
HALF = NOW + 2 * DAY - (NOW + 2 * DAY - WINDOW) // 2


def at(name: str) -> LinkState:
    return LABELLED[name]


def test_all_missing_links_are_opened_at_once() -> None:
    assert consider([], WANTED, NOW) == ChunkView(ChunkState.UPLOADING, 0, 3)
    assert consider([GOING], WANTED, NOW).missing == 2
    assert consider([GOING, ENDED, ENDED], WANTED, NOW).missing == 2
    assert consider([GOING] * 3, WANTED, NOW).missing == 0


def test_a_chunk_is_uploaded_when_enough_are_signed_and_degraded_when_one_is_lost() -> None:
    assert consider([SIGNED] * 3, WANTED, NOW).state is ChunkState.UPLOADED
    lost = [SIGNED, SIGNED, at("LOST")]
    view = consider(lost, WANTED, NOW, was_uploaded=True)
    assert view == ChunkView(ChunkState.DEGRADED, 2, 1)
    assert consider(lost, WANTED, NOW).state is ChunkState.UPLOADING


def test_it_fails_only_when_nobody_is_left_and_nothing_is_on_its_way() -> None:
    def state(*links: LinkState) -> ChunkState:
        return consider(links, WANTED, NOW, is_out_of_candidates=True).state

    assert state(SIGNED, SIGNED, ENDED) is ChunkState.FAILED
    assert state(SIGNED, GOING, ENDED) is ChunkState.UPLOADING
    assert state(SIGNED, SIGNED, SIGNED) is ChunkState.UPLOADED
    assert consider([SIGNED, ENDED], WANTED, NOW).state is ChunkState.UPLOADING
    degraded = consider([SIGNED], WANTED, NOW, was_uploaded=True, is_out_of_candidates=True)
    assert degraded.state is ChunkState.DEGRADED
    gone = consider([ENDED], WANTED, NOW, was_uploaded=True, is_out_of_candidates=True)
    assert gone.state is ChunkState.FAILED


def test_a_link_that_is_not_renewed_gets_a_replacement_at_half_of_its_window() -> None:
    links = [SIGNED, SIGNED, at("RENEWING, refused")]
    before = consider(links, WANTED, HALF - 1)
    assert (before.missing, before.signed, before.look_at) == (0, 3, HALF)
    after = consider(links, WANTED, HALF)
    assert (after.missing, after.signed, after.look_at) == (1, 3, None)
    # The replacement is signed before the old one ends: at no time there are fewer than three.
    both = [*links, replace(SIGNED, at=At.SIGNED)]
    assert consider(both, WANTED, HALF).missing == 0


def test_a_renewal_that_is_signed_needs_no_replacement() -> None:
    links = [SIGNED, SIGNED, at("RENEWING, signed")]
    assert consider(links, WANTED, HALF).missing == 0


def test_a_silent_renewal_is_replaced_as_well() -> None:
    silent = replace(at("RENEWING"), renewal=Renewal(NOW + 4 * DAY, attempts=9))
    assert consider([SIGNED, SIGNED, silent], WANTED, HALF).missing == 1


def test_a_receipt_that_is_over_does_not_count() -> None:
    assert consider([SIGNED] * 3, WANTED, NOW + 2 * DAY).signed == 0


def test_without_autorenew_nothing_is_opened_after_the_end() -> None:
    wanted = replace(WANTED, is_autorenewed=False)
    assert consider([SIGNED, ENDED], wanted, NOW + 2 * DAY - 1).missing == 2
    over = consider([at("EXPIRED")] * 3, wanted, NOW + 2 * DAY, was_uploaded=True)
    assert over == ChunkView(ChunkState.DEGRADED, 0, 0)


def test_a_provider_that_failed_is_never_asked_again() -> None:
    other = link({"peer": "other"})
    assert used_peers([ENDED, other, SIGNED]) == [ENDED.order.peer, "other"]


# ---- files ----

UPLOADED = ChunkView(ChunkState.UPLOADED, 3, 0)
UPLOADING = ChunkView(ChunkState.UPLOADING, 1, 0)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("UPLOADED UPLOADED", FileState.UPLOADED),
        ("UPLOADED UPLOADING", FileState.UPLOADING),
        ("UPLOADED DEGRADED", FileState.DEGRADED),
        ("UPLOADING DEGRADED", FileState.DEGRADED),
        ("UPLOADED FAILED", FileState.FAILED),
        ("DEGRADED FAILED", FileState.FAILED),
    ],
)
def test_a_file_is_as_good_as_its_worst_chunk(states: str, expected: FileState) -> None:
    chunks = [ChunkView(ChunkState(state), 2, 0) for state in states.split()]
    assert file_view(chunks, 3).state is expected


def test_its_progress_is_told_in_words() -> None:
    assert file_view([UPLOADING], 3, is_begun=False).state is FileState.CREATED
    view = file_view([UPLOADED, UPLOADING], 3)
    assert view.words == "4 of 6 replicas are signed and paid; 1 of 2 chunks are safe"
    many = file_view([replace(UPLOADED, signed=5), UPLOADED], 3)
    assert many.words == "all 2 chunks are safe: 6 of 6 replicas are signed and paid"


WISHES = st.builds(Wanted, st.integers(1, 9), st.integers(0, 1 << 40), st.booleans())


@given(WISHES, WISHES, WISHES)
def test_what_is_wanted_twice_is_the_more_of_both(a: Wanted, b: Wanted, c: Wanted) -> None:
    assert merge(a, b) == Wanted(
        max(a.redundancy, b.redundancy),
        max(a.expires_at, b.expires_at),
        a.is_autorenewed or b.is_autorenewed,
    )
    assert merge(a, b) == merge(b, a)
    assert merge(a, a) == a
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
