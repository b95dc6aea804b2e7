"""Fuzz `parse_size` and `parse_duration`, as settings and queries bring them."""

from quire.base.errors import InputError
from quire.base.units import format_duration, format_size, parse_duration, parse_size

VECTORS = ()
SEEDS = (b"20g", b"1.5TiB", b"4096", b" 7 k ", b"30d", b"1.5h", b"45", b"9" * 400, b"1" * 309)


def check(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for parse, show in ((parse_size, format_size), (parse_duration, format_duration)):
        try:
            value = parse(text)
        except InputError:
            continue
        assert value >= 0
        assert show(value)


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
