"""Fuzz what is read from headers of requests: Range, conditions, Accept, file names."""

from multidict import CIMultiDict, CIMultiDictProxy

from quire.base.errors import InputError
from quire.faces.rest.accept import asks_for, preferred_type
from quire.faces.rest.byteranges import MAX_PARTS, RangeOutside, wanted_ranges
from quire.faces.rest.conditions import range_counts, verdict
from quire.faces.rest.disposition import disposition, filename_in

VECTORS = ("names.json",)
SIZE = 1000
ETAG = '"zDvZRwzk"'
# Most inputs are no headers at all; these begin where it becomes interesting.
BEGINS = ("", "bytes=0-9,", "bytes=", 'attachment; filename="', "attachment; filename*=UTF-8''")


def check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for begin in BEGINS:
        _check_ranges(begin + text)
        _check_name(begin + text)
    headers = CIMultiDictProxy(CIMultiDict({"If-Match": text, "If-None-Match": text}))
    assert verdict(headers, ETAG) in ("serve", "unchanged", "failed")
    assert range_counts(headers, ETAG)
    assert isinstance(preferred_type(text), str)
    assert not asks_for(text, "application/problem+json") or "json" in text.lower()


def _check_ranges(header: str) -> None:
    try:
        parts = wanted_ranges(header, SIZE)
    except RangeOutside:
        return
    assert len(parts) <= MAX_PARTS
    assert all(0 <= part.start < part.stop <= SIZE for part in parts)
    assert sum(part.length for part in parts) <= SIZE


def _check_name(header: str) -> None:
    try:
        name = filename_in(header)
    except InputError:
        return
    if name is not None:
        assert "/" not in name
        sent = disposition(name)
        assert sent.isascii()
        assert "\n" not in sent
        assert filename_in(sent) == name


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
