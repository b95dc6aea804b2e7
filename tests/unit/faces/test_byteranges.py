"""Range headers: what is answered with which bytes, and what is not worth answering in parts."""

import pytest

from quire.faces.rest.byteranges import (
    MAX_PARTS,
    ByteRange,
    Multipart,
    RangeOutside,
    wanted_ranges,
)

SIZE = 100_000


def pairs(header, size=SIZE):
    return [(part.start, part.stop) for part in wanted_ranges(header, size)]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=5-", [(5, SIZE)]),
        ("bytes=-5", [(SIZE - 5, SIZE)]),
        ("bytes=-999999", [(0, SIZE)]),
        ("bytes=99999-200000", [(99_999, SIZE)]),
        ("BYTES=0-0", [(0, 1)]),
        ("bytes = 0-0", [(0, 1)]),
        ("bytes=0-0,,", [(0, 1)]),
        ("bytes=0-9, 5000-5009", [(0, 10), (5000, 5010)]),
        ("bytes=5000-5009,0-9", [(5000, 5010), (0, 10)]),  # in the order asked for
        ("bytes=0-9,-10", [(0, 10), (SIZE - 10, SIZE)]),
        ("bytes=0-9,200000-", [(0, 10)]),  # what lies outside is left out
        ("bytes=0-9,5-20", [(0, 21)]),  # overlapping ones are joined
        ("bytes=300-310,0-9,8-299", [(0, 311)]),
        ("bytes=0-9,200-210", [(0, 211)]),  # nearly touching
        ("bytes=0-,0-,0-", [(0, SIZE)]),
    ],
)
def test_these_bytes_are_sent(header, expected):
    assert pairs(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=5-4",
        "bytes=a-b",
        "bytes=0-1-2",
        "bytes=0x1-2",
        "bytes=٣-٤",
        "bytes=+1-2",
        "bytes=0-9,5-4",
        "bytes=0-9;10-20",
        "lines=0-1",
        "=0-1",
        "bytes=" + "9" * 19 + "-",
        "bytes=" + ",".join(f"{n * 1000}-{n * 1000}" for n in range(MAX_PARTS + 1)),
        "bytes=" + "0-0," * 5000,
        "bytes=0-50000,50300-99999",  # costs more than the whole would
    ],
)
def test_the_whole_is_sent(header):
    size = 100_000 if "50000" not in header else 90_100
    assert wanted_ranges(header, size) == []


@pytest.mark.parametrize("header", ["bytes=100000-", "bytes=-0", "bytes=100000-100001,200000-"])
def test_what_lies_outside_is_an_error(header):
    with pytest.raises(RangeOutside):
        wanted_ranges(header, SIZE)


def test_of_nothing_there_are_no_ranges():
    assert wanted_ranges("bytes=0-", 0) == wanted_ranges("bytes=-5", 0) == []


def test_the_framing_has_the_length_that_it_says():
    parts = [ByteRange(0, 10), ByteRange(5000, 5001)]
    frame = Multipart(parts, SIZE, "text/plain", "zDvZ" * 13)
    body = b"".join(frame.head(part) + b"x" * part.length for part in parts) + frame.end
    assert len(body) == frame.length
    assert len(frame.boundary) <= 70
    assert body.count(b"--" + frame.boundary.encode()) == 3
    assert b"Content-Range: bytes 5000-5000/100000\r\n\r\nx\r\n" in body
