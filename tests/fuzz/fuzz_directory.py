"""Fuzz reading of directories: what is accepted is in order, inside, and has no name twice."""

from itertools import pairwise

from quire.base.errors import BadEncoding
from quire.formats.directory import check_path
from support.directories import entries_of

VECTORS = ("directory.json",)


def check(data: bytes) -> None:
    try:
        entries = entries_of(data)
    except BadEncoding:
        return
    keys = [entry.key for entry in entries]
    assert all(low < high for low, high in pairwise(keys))
    for entry in entries:
        check_path(entry.path)
        assert 0 <= entry.offset <= entry.offset + entry.size <= len(data)


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
