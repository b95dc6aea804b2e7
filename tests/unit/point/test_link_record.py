"""Bytes of a link in the journal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quire.base.errors import (
    BadEncoding,
)
from quire.point.link import fitted_bitmap, missing_blocks
from support.link_kit import (
    MACHINE,
    link,
)
from support.link_page import HELD


def test_a_bitmap_has_the_bits_of_its_blocks() -> None:
    assert fitted_bitmap(b"\xff\xff\xff", 9) == b"\xff\x01"
    assert fitted_bitmap(b"", 9) == b"\0\0"
    assert missing_blocks(link(acked=b"\x15")) == [1, 3]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b'"format":1', b'"format":2', "format 2"),
        (b'"at":"SIGNED"', b'"at":"LOVED"', "cannot be read"),
        (b'"chunk":0', b'"chunk":-1', "chunk out of range"),
        (b'"setbacks":0', b'"setbacks":-1', "setbacks out of range"),
        (b'"sealed_bytes":263144', b'"sealed_bytes":0', "no blocks"),
        (b'"seconds":172800', b'"seconds":0', "no term"),
        (b'"back":"AGREED"', b'"back":"LOST"', "LOST"),
        (b'"acked":"Hw=="', b'"acked":"Hx8="', "bitmap"),
        (b'"renewal":null', b'"renewal":{"expires_at":5}', "renewal"),
    ],
)
def test_a_record_that_was_not_written_so_is_refused(old: bytes, new: bytes, what: str) -> None:
    data = MACHINE.encode(HELD)
    assert old in data
    with pytest.raises(BadEncoding, match=what):
        MACHINE.decode(data.replace(old, new, 1))


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"[" * 100_000, b"\xff"])
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(BadEncoding):
        MACHINE.decode(data)


def test_a_signed_link_without_its_receipt_is_refused() -> None:
    for changes in ({"receipt": None}, {"terms": ()}, {"receipt": None, "terms": ()}):
        with pytest.raises(BadEncoding, match="receipt"):
            MACHINE.decode(MACHINE.encode(replace(HELD, **changes)))
