"""Inputs of circom circuits become rows of field elements, or are refused in words."""

import pytest

from quire.base.errors import BadEncoding
from quire.formats.felt import MODULUS
from quire.formats.signals import flat_signals


def felts(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(32, "little") for number in numbers)


def test_arrays_are_flattened_row_by_row_and_names_keep_their_order():
    signals = {"b": 1, "a": [[1, "2"], ["3", 4]], "none": [], "deep": [[[[[[[[7]]]]]]]]}
    assert flat_signals(signals) == [
        ("b", felts(1)),
        ("a", felts(1, 2, 3, 4)),
        ("none", b""),
        ("deep", felts(7)),
    ]


def test_the_largest_number_is_one_below_the_modulus():
    assert flat_signals({"x": str(MODULUS - 1)}) == [("x", felts(MODULUS - 1))]
    assert flat_signals({"x": MODULUS - 1}) == [("x", felts(MODULUS - 1))]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (MODULUS, "below the modulus"),
        (str(MODULUS), "below the modulus"),
        ("9" * 10_000, "below the modulus"),
        (-1, "below the modulus"),
        (True, "no number"),
        (1.0, "no number"),
        (None, "no number"),
        ("", "no number"),
        ("0x10", "no number"),
        ("-1", "no number"),
        ("\u0663", "no number"),
        ({"a": 1}, "no number"),
        ([[1, 2], [3]], "differ in length"),
        ([[1, 2], 3], "differ in length"),
        ([[], [1]], "differ in length"),
        ([[[[[[[[[1]]]]]]]]], "more than 8 dimensions"),
    ],
)
def test_what_is_no_number_or_no_array_is_refused(value, text):
    with pytest.raises(BadEncoding, match=text):
        flat_signals({"x": value})
