"""Fuzz Content-Disposition both ways: a name that may be kept comes back from what is written."""

from quire.base.errors import InputError
from quire.faces.rest.disposition import checked_filename, disposition, filename_in
from quire.formats.names import base_name, check_filename

VECTORS = ("names.json",)
SEEDS = (
    b'attachment; filename="a b.txt"',
    b'inline; filename="a\\"b"; filename*=UTF-8\'\'na%C3%AFve.txt',
    b"attachment; filename*=iso-8859-1'en'%E9.txt",
    b"attachment; filename=plain.txt; size=5",
    "é 日本.txt".encode(),
)
BEGINS = ("", 'attachment; filename="', "attachment; filename*=UTF-8''")


def check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for begin in BEGINS:
        try:
            name = filename_in(begin + text)
        except InputError:
            continue
        if name is not None:
            _check_both_ways(name)
    try:
        _check_both_ways(checked_filename(text))
    except InputError:
        return


def _check_both_ways(name: str) -> None:
    check_filename(name)
    assert base_name(name) == name
    for is_inline in (False, True):
        written = disposition(name, inline=is_inline)
        assert written.isascii()
        assert written.isprintable()
        assert written.startswith("inline" if is_inline else "attachment")
        assert filename_in(written) == name
    sent_on = disposition("../a/" + name)
    assert filename_in(sent_on) == name


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
