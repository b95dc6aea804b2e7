"""Records: pieces of any size, any range, wrong keys, and capabilities that can less."""

import pytest

from quire.base.errors import BadCap, Bug, IntegrityError, WrongKey
from quire.dataset.envelope.derive import repair_of, verify_of
from quire.dataset.envelope.header import Header, check_stream_length
from quire.dataset.envelope.records import BLOCK_BYTES, RECORD_BYTES, RecordOpener, RecordWriter
from quire.formats.cap import LiteralCap, RepairCap, VerifyCap, parse_cap
from support.envelopes import content_of, encrypted, keys_of, stream_of
from support.vectors import load

KEYS = keys_of(1)


def test_only_the_records_that_hold_a_range_are_needed():
    stream = content_of(5 * RECORD_BYTES + 7)
    made = encrypted(KEYS, stream)
    opener = RecordOpener(KEYS, len(made))
    begin, end = opener.span(2, 2)
    assert (begin, end) == (2 * BLOCK_BYTES, 4 * BLOCK_BYTES)
    assert opener.open(2, made[begin:end]) == stream[2 * RECORD_BYTES : 4 * RECORD_BYTES]
    assert opener.open(5, made[slice(*opener.span(5, 9))]) == stream[5 * RECORD_BYTES :]


def test_work_goes_on_at_any_record_after_a_break():
    stream = content_of(3 * RECORD_BYTES)
    again = RecordWriter(KEYS, first_index=2)
    rest = again.write(stream[2 * RECORD_BYTES :]) + again.finish()
    assert rest == encrypted(KEYS, stream)[2 * BLOCK_BYTES :]


@pytest.mark.parametrize("size", [RECORD_BYTES - 1, RECORD_BYTES, RECORD_BYTES + 1])
def test_the_last_record_is_held_back_until_the_end_is_known(size):
    writer = RecordWriter(KEYS)
    assert writer.write(content_of(RECORD_BYTES - 1)) == b""
    early = writer.write(content_of(size)[RECORD_BYTES - 1 :])
    assert len(early) == (BLOCK_BYTES if size > RECORD_BYTES else 0)
    made = early + writer.finish()
    assert RecordOpener(KEYS, len(made)).open(0, made) == content_of(size)
    with pytest.raises(Bug):
        writer.finish()


@pytest.mark.parametrize("keys", [keys_of(1, b"\1" * 32), keys_of(2)], ids=["key", "suite"])
def test_a_wrong_key_shows_at_the_first_record(keys):
    made = encrypted(KEYS, stream_of(Header(100_000)))
    with pytest.raises(WrongKey):
        RecordOpener(keys, len(made)).open_first(made[:BLOCK_BYTES])
    assert RecordOpener(KEYS, len(made)).open_first(made[:BLOCK_BYTES])


@pytest.mark.parametrize(
    ("first", "size"),
    [(0, 0), (-1, BLOCK_BYTES), (0, 100), (2, BLOCK_BYTES), (1, BLOCK_BYTES), (9, 1), (0, 2**18)],
)
def test_bytes_that_are_not_whole_records_are_refused(first, size):
    made = encrypted(KEYS, content_of(RECORD_BYTES + 5))
    with pytest.raises(IntegrityError):
        RecordOpener(KEYS, len(made)).open(first, bytes(size))


def test_a_damaged_record_is_named_by_its_number():
    made = bytearray(encrypted(KEYS, content_of(3 * RECORD_BYTES)))
    made[BLOCK_BYTES + 5] ^= 1
    with pytest.raises(IntegrityError, match="record 1 of 3"):
        RecordOpener(KEYS, len(made)).open(0, made)


def test_a_stream_of_another_length_than_its_header_says_is_refused():
    check_stream_length(12, 988, 1024, True)
    check_stream_length(12, 988, 1000, False)
    for found, padded in ((1000, True), (1024, False), (1023, True), (999, False)):
        with pytest.raises(IntegrityError):
            check_stream_length(12, 988, found, padded)


def test_capabilities_are_derived_downward_only():
    rows = [parse_cap(row["text"]) for row in load("cap.json")["accept"]]
    read, repair, verify = rows[:3]
    assert repair_of(read) == repair == repair_of(repair)
    assert verify_of(read) == verify_of(repair) == verify == verify_of(verify)
    assert isinstance(repair, RepairCap)
    assert isinstance(verify, VerifyCap)
    with pytest.raises(BadCap):
        repair_of(verify)
    for derive in (repair_of, verify_of):
        with pytest.raises(BadCap):
            derive(LiteralCap(b"x"))


def test_what_is_shown_of_file_keys_holds_none():
    shown = repr(KEYS) + str(KEYS)
    assert KEYS.file_key.hex() not in shown
    assert repr(KEYS.content_key) not in shown
