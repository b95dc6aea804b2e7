"""Fuzz `parse_cap`: what is read is written the same."""

from quire.base.errors import BadCap
from quire.formats.cap import parse_cap

VECTORS = ("cap.json",)


def check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    try:
        cap = parse_cap(text)
    except BadCap:
        return
    assert cap.text == text


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
