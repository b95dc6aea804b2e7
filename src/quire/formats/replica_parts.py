"""What messages of `/quire/replica/1.0.0` share: roots, lists of blocks, bitmaps."""

from __future__ import annotations

from collections.abc import Iterable

from quire.base.errors import BadCid, BadEncoding
from quire.base.ranges import RangeSet
from quire.formats.cid import Cid, is_tree, tree_cid
from quire.formats.varint import Buffer, decode_varint, encode_varint

DIGEST_BYTES = 32
BLOCK_BYTES = 65536
MAX_BLOCKS = 1024  # of one replica: a chunk has no more
MAX_RUN_BLOCKS = 16  # consecutive blocks in one piece: 1 MiB
MAX_READ_BLOCKS = 32  # in one answer: 2 MiB


def encode_root(root: bytes) -> bytes:
    """The CID of a tree, by its root."""
    return tree_cid(root).encode()


def decode_root(data: Buffer) -> bytes:
    """The root (32 bytes) that a tree's CID names. Raises BadEncoding."""
    try:
        cid = Cid.decode(data)
    except BadCid as error:
        raise BadEncoding(f"a replica is named by a broken CID: {error.message}") from None
    if not is_tree(cid):
        raise BadEncoding(f"{cid} does not name a tree")
    return cid.digest


def encode_indices(indices: Iterable[int]) -> bytes:
    return b"".join(encode_varint(index) for index in indices)


def decode_indices(data: Buffer) -> tuple[int, ...]:
    """1 to MAX_READ_BLOCKS block numbers, ascending. Raises BadEncoding."""
    if len(data) > 2 * MAX_READ_BLOCKS:
        raise BadEncoding(f"at most {MAX_READ_BLOCKS} blocks can be asked for at once")
    indices: list[int] = []
    offset = 0
    while offset < len(data):
        index, offset = decode_varint(data, offset)
        if index >= MAX_BLOCKS or (indices and index <= indices[-1]):
            raise BadEncoding(f"block numbers ascend and are below {MAX_BLOCKS}; {index} does not")
        indices.append(index)
    if not 1 <= len(indices) <= MAX_READ_BLOCKS:
        raise BadEncoding(f"1 to {MAX_READ_BLOCKS} blocks can be asked for, not {len(indices)}")
    return tuple(indices)


def bitmap_of(blocks: RangeSet, count: int) -> bytes:
    """One bit for each of `count` blocks, lowest first; set where the block is held."""
    bits = bytearray(-(-count // 8))
    for start, stop in blocks:
        for index in range(start, min(stop, count)):
            bits[index >> 3] |= 1 << (index & 7)
    return bytes(bits)


def ranges_of(bitmap: Buffer, count: int) -> RangeSet:
    """The blocks below `count` whose bits are set."""
    blocks = RangeSet()
    for index in range(min(count, 8 * len(bitmap))):
        if bitmap[index >> 3] >> (index & 7) & 1:
            blocks.add(index, index + 1)
    return blocks


def whole_blocks(data: memoryview, most: int) -> memoryview:
    """The view itself. Raises BadEncoding unless it is 1 to `most` whole blocks."""
    count, rest = divmod(len(data), BLOCK_BYTES)
    if rest or not 1 <= count <= most:
        raise BadEncoding(f"{len(data)} bytes are not 1 to {most} blocks of {BLOCK_BYTES} bytes")
    return data
