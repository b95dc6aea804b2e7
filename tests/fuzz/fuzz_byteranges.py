"""Fuzz Range headers and the framing of several ranges: what is sent is as long as is said, and its
parts are where their Content-Range says."""

import re

from quire.faces.rest.byteranges import MAX_PARTS, Multipart, RangeOutside, wanted_ranges

VECTORS = ()
SIZES = (0, 1, 1000, 100_000)
CONTENT = bytes(range(256)) * 400
TAG = "zDvZRwzmDVNWU1125VzSjro9c7jtZPjWev2fbBD9wNAJcM8PVLTg"
SEEDS = (
    b"bytes=0-9",
    b"bytes=0-0,-1",
    b"bytes=500-600,601-999",
    b"bytes=9500-,0-99, 4000-4999",
    b"bytes=90000-,0-99,4000-4999,,20000-20000",
    b"Bytes=-5",
    b"bytes=1-2-3",
    b"bytes= , ,0-1",
    b"bytes=" + b",".join(b"%d-%d" % (at, at + 9) for at in range(0, 30_000, 1000)),
)
_HEAD = re.compile(rb"\r\n--([^\r]+)\r\nContent-Type: [^\r]+\r\nContent-Range: bytes (\d+)-(\d+)/")


def check(data: bytes) -> None:
    header = data.decode("utf-8", "surrogateescape")
    for size in SIZES:
        try:
            parts = wanted_ranges(header, size)
        except RangeOutside:
            continue
        assert len(parts) <= MAX_PARTS
        assert all(0 <= part.start < part.stop <= size for part in parts)
        assert sum(part.length for part in parts) <= size
        if len(parts) > 1:
            _check_framing(Multipart(parts, size, "text/plain", TAG), size)


def _check_framing(framing: Multipart, size: int) -> None:
    at, boundary = 0, framing.boundary.encode()
    pieces = []
    for part in framing.parts:
        pieces += [framing.head(part), CONTENT[part.start : part.stop]]
    body = b"".join((*pieces, framing.end))
    assert len(body) == framing.length
    assert len(body) < size + 1000
    for part in framing.parts:
        head = _HEAD.match(body, at)
        assert head is not None
        assert (head[1], int(head[2]), int(head[3])) == (boundary, part.start, part.stop - 1)
        at = body.index(b"\r\n\r\n", head.end()) + 4
        assert body[at : at + part.length] == CONTENT[part.start : part.stop]
        at += part.length
    assert body[at:] == b"\r\n--" + boundary + b"--\r\n"


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
