"""The wire format: limits first, then the rules of the reference for odd messages."""

import pytest

from quire.base.errors import BadEncoding
from quire.formats.protobuf import Fields, bytes_field, int32_field, uint_field


def read(data, **limits):
    return Fields(data, max_bytes=limits.pop("max_bytes", 1000), **limits)


def test_zero_and_empty_are_written():
    assert uint_field(5, 0) == b"\x28\x00"
    assert bytes_field(1, b"") == b"\x0a\x00"


def test_values_come_back():
    fields = read(
        uint_field(1, 300) + int32_field(2, -1) + bytes_field(3, b"ab") + bytes_field(3, b"c")
    )
    assert fields.uint(1) == 300
    assert fields.int32(2) == -1
    assert fields.blobs(3) == [b"ab", b"c"]
    assert fields.blob(3) == b"c"
    assert fields.text(3) == "c"
    assert fields.flag(1)
    assert fields.has(3)


def test_what_is_missing_is_zero_or_empty():
    fields = read(b"")
    assert (fields.uint(1), fields.int32(1), fields.flag(1)) == (0, 0, False)
    assert (fields.blob(1), fields.blobs(1), fields.text(1), fields.has(1)) == (
        b"",
        [],
        None,
        False,
    )


def test_the_last_of_a_single_field_counts():
    assert read(uint_field(1, 1) + uint_field(1, 2)).uint(1) == 2


def test_unknown_fields_and_other_wire_types_are_skipped():
    fixed = b"\x09" + bytes(8) + b"\x0d" + bytes(4)  # field 1 as fixed64, then as fixed32
    fields = read(fixed + bytes_field(1, b"x") + uint_field(9, 1))
    assert fields.uint(1) == 0
    assert fields.blob(1) == b"x"


@pytest.mark.parametrize("value", [1 << 31, -(1 << 31) - 1, 1 << 40])
def test_a_number_above_32_bits_is_refused_as_int32(value):
    with pytest.raises(BadEncoding, match="32 bits"):
        read(int32_field(1, value)).int32(1)


def test_a_number_above_the_asked_bits_is_refused():
    with pytest.raises(BadEncoding, match="above 32 bits"):
        read(uint_field(1, 1 << 32)).uint(1, bits=32)


def test_text_that_is_not_utf8_is_refused():
    with pytest.raises(BadEncoding, match="UTF-8"):
        read(bytes_field(1, b"\xff")).text(1)


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a",  # length missing
        b"\x0a\x05abc",  # cut short
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # length of 2^64-1
        b"\x08",  # value missing
        b"\x09\x00",  # fixed64 cut short
        b"\x0d\x00",  # fixed32 cut short
        b"\x0b",  # group start
        b"\x0c",  # group end
        b"\x0e",  # wire type 6
        b"\x0f",  # wire type 7
        b"\x00\x00",  # field number 0
        b"\x80\x80\x80\x80\x10\x00",  # field number 2^29
        b"\x88\x00\x01",  # overlong tag
    ],
)
def test_malformed_messages_are_refused(data):
    with pytest.raises(BadEncoding):
        read(data)


def test_a_message_above_its_limit_is_refused_unread():
    with pytest.raises(BadEncoding, match="above 10"):
        read(b"\xff" * 11, max_bytes=10)


def test_too_many_fields_are_refused():
    read(uint_field(1, 1) * 8, max_fields=8)
    with pytest.raises(BadEncoding, match="more than 8 fields"):
        read(uint_field(1, 1) * 9, max_fields=8)
