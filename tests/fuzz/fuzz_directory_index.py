"""Fuzz the index of directories: footer, table and pages."""

from quire.base.errors import BadEncoding, InputError
from quire.formats.directory import (
    FOOTER_BYTES,
    Entry,
    Footer,
    decode_footer,
    decode_page,
    decode_table,
    encode_pages,
    encode_table,
)

VECTORS = ()
_ENTRIES = [Entry("a", 0, 0o755, 5), Entry("a/b", 1, 0o644, 6, 3, 1024, bytes(32)), Entry("c", 1)]
_PAGES, _REFS = encode_pages(_ENTRIES, 8192)
_PAGE, _REF, _TABLE = _PAGES[0], _REFS[0], encode_table(_REFS)
_FOOTER = Footer(8192, 8192 + len(_PAGE), len(_TABLE), len(_ENTRIES), 3)
_SIZE = 8192 + len(_PAGE) + len(_TABLE) + FOOTER_BYTES
SEEDS = (_PAGE, _TABLE, _FOOTER.encode())


def check(data: bytes) -> None:
    try:
        footer = decode_footer(data, _SIZE)
        assert footer.encode() == data
    except BadEncoding:
        pass
    try:
        table = decode_table(data, _FOOTER)
        assert encode_table(table) == data
    except (BadEncoding, InputError):
        pass
    try:
        entries = decode_page(data, _REF, None, 8192)
    except (BadEncoding, InputError):
        return
    assert len(entries) == _REF.count
    assert all(not entry.path.startswith("/") for entry in entries)


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
