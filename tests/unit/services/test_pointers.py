"""Signed values kept for others: newest version, durable, bounded, fair."""

import pytest

from quire.base.errors import BadEncoding
from quire.dataset.envelope.signed_blob import CATALOGUE_LABEL, BlobKeys
from quire.services.pointers import KEPT_SECONDS, Pointers, decode_pointer, locator_cid
from quire.store.journal import Record
from quire.store.journal_memory import MemoryJournal
from support.store_kit import TurnedClock


class Kept:
    """Pointers on a journal, with what they announce."""

    def __init__(self, quota_bytes=10_000, journal=None, least_bytes=0):
        self.clock = TurnedClock(1e9)
        self.journal = journal or MemoryJournal(self.clock)
        self.announced = []
        self.pointers = Pointers(
            self.journal,
            self.clock,
            self.announced.append,
            self.announced.remove,
            quota_bytes=quota_bytes,
            least_bytes=least_bytes,
        )


def owner(number):
    return BlobKeys(CATALOGUE_LABEL, bytes([number]) * 32, bytes([number]) * 32)


def value(number, version=1, size=100):
    return owner(number).seal(version, bytes(12), bytes(size))


async def test_the_highest_version_is_kept_and_announced():
    kept = Kept()
    assert await kept.pointers.put(value(1, 2), "a")
    assert not await kept.pointers.put(value(1, 1), "a")
    assert await kept.pointers.put(value(1, 3), "b")
    found = kept.pointers.get(owner(1).locator)
    assert found == value(1, 3)
    assert locator_cid(owner(1).locator) in kept.announced
    assert kept.pointers.get(bytes(32)) is None
    assert len(kept.pointers) == 1


async def test_what_nobody_signed_is_not_kept():
    kept = Kept()
    forged = value(1)
    assert not await kept.pointers.put(
        type(forged)(forged.public_key, 9, forged.nonce, forged.ciphertext, forged.signature), "a"
    )
    assert len(kept.pointers) == 0
    assert kept.announced == []


async def test_values_survive_a_restart_and_damaged_records_do_not():
    kept = Kept()
    await kept.pointers.put(value(1), "a")
    await kept.pointers.put(value(2, 7), "b")
    bad = [Record("pointer", "zz", value(3).encode()), Record("pointer", "00" * 32, b"short")]
    await kept.journal.write(bad)
    again = Kept(journal=kept.journal.reopened())
    await again.pointers.start()
    assert again.pointers.get(owner(2).locator) == value(2, 7)
    assert len(again.pointers) == len(again.announced) == 2
    assert len(await again.journal.read("pointer")) == 2


async def test_what_is_not_put_again_for_half_a_year_goes():
    kept = Kept()
    await kept.pointers.put(value(1), "a")
    await kept.pointers.put(value(2), "a")
    kept.clock.seconds += KEPT_SECONDS / 2
    await kept.pointers.put(value(1), "a")
    kept.clock.seconds += KEPT_SECONDS / 2 + 1
    await kept.pointers.drop_old()
    assert kept.pointers.get(owner(1).locator) is not None
    assert kept.pointers.get(owner(2).locator) is None
    assert kept.announced == [locator_cid(owner(1).locator)] * 2


async def test_who_sends_most_makes_room_and_what_is_ours_stays():
    kept = Kept(quota_bytes=1500)
    assert await kept.pointers.put(value(1), "")
    for number in range(2, 7):
        assert await kept.pointers.put(value(number), "greedy")
    assert await kept.pointers.put(value(10), "modest")
    assert kept.pointers.used_bytes <= 1500
    assert kept.pointers.get(owner(10).locator) is not None
    assert kept.pointers.get(owner(1).locator) is not None
    assert kept.pointers.get(owner(2).locator) is None
    assert not await kept.pointers.put(value(11, size=1300), "modest")
    assert await kept.pointers.put(value(11, size=1000), "")
    assert kept.pointers.get(owner(1).locator) is not None
    assert not await kept.pointers.put(value(12, size=1000), "other")


async def test_who_puts_the_value_of_another_again_cannot_push_it_out():
    kept = Kept(quota_bytes=1500)
    assert await kept.pointers.put(value(1), "owner")
    assert await kept.pointers.put(value(1), "greedy")  # anybody can get it, and put it again
    for number in range(2, 20):
        assert await kept.pointers.put(value(number), "greedy")
    assert kept.pointers.get(owner(1).locator) == value(1)


@pytest.mark.parametrize(
    "data", [b"", bytes(8), bytes(9), bytes(9) + b"x" * 50, b"\0" * 8 + b"\2\xff\xff"]
)
def test_records_that_are_none_are_refused(data):
    with pytest.raises(BadEncoding):
        decode_pointer(data)


async def test_small_values_count_for_more_than_their_bytes_so_that_there_are_not_too_many():
    kept = Kept(quota_bytes=3 * 4096, least_bytes=4096)
    for number in range(1, 6):
        assert await kept.pointers.put(value(number, size=16), "a peer")
    assert len(kept.pointers) == 3
    assert kept.pointers.used_bytes < 1000
