"""Fuzz the checks of names and media types: what passes is harmless to write to a disk."""

from quire.base.errors import InputError
from quire.formats.names import base_name, check_filename, check_mimetype, check_received_filename

VECTORS = ("names.json",)
SEEDS = (b"a.txt", b"../../etc/passwd", b"CON", b"text/plain; charset=utf-8", b"image/png")


def check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for takes in (check_filename, check_received_filename):
        try:
            takes(text)
        except InputError:
            continue
        base = base_name(text)
        assert "/" not in base
        assert "\\" not in base
        assert base not in ("", ".", "..")
        assert base.isprintable() or not any(ord(c) < 32 for c in base)
    try:
        mimetype = check_mimetype(text)
    except InputError:
        return
    assert check_mimetype(mimetype) == mimetype
    assert "\n" not in mimetype


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
