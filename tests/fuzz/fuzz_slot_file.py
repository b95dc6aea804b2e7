"""Fuzz `decode_slot_header`: a header is whole, or damaged in words."""

from quire.base.errors import SlotFileDamaged
from quire.dataset.slot_tree import tree_bytes
from quire.store.slot_file import HEADER_BYTES, SlotHeader, decode_slot_header

VECTORS = ()
SEEDS = tuple(
    SlotHeader.of(bytes([count]) * 32, count, bytes(tree_bytes(count))).encode()
    for count in (1, 2, 8, 64)
)


def check(data: bytes) -> None:
    try:
        header = decode_slot_header(data)
    except SlotFileDamaged:
        return
    assert header.encode() == data[:HEADER_BYTES]


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
