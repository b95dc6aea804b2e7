"""Varints have one form only."""

import pytest

from quire.base.errors import BadEncoding, Bug
from quire.formats.varint import decode_varint, encode_varint
from support.vectors import accepted, rejected


@accepted("varint.json")
def test_numbers_have_the_known_bytes(row):
    data, number = bytes.fromhex(row["hex"]), int(row["value"])
    assert encode_varint(number) == data
    assert decode_varint(data) == (number, len(data))


@rejected("varint.json")
def test_other_forms_are_refused(row):
    with pytest.raises(BadEncoding):
        decode_varint(bytes.fromhex(row["hex"]))


def test_decoding_begins_at_the_offset_and_leaves_the_rest():
    assert decode_varint(memoryview(b"\xff\xac\x02\xff"), 1) == (300, 3)


@pytest.mark.parametrize("number", [-1, 1 << 64])
def test_numbers_that_do_not_fit_are_a_mistake_of_the_caller(number):
    with pytest.raises(Bug):
        encode_varint(number)
