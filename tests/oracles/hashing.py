"""Slow twins of `quire.kernels.hashing`, by definition and hashlib only."""

import hashlib

ZERO = bytes(32)


def digests_of(joined: bytes) -> list[bytes]:
    return [joined[at : at + 32] for at in range(0, len(joined), 32)]


def sha256_blocks(data: bytes, block_size: int) -> bytes:
    blocks = (data[at : at + block_size] for at in range(0, len(data), block_size))
    return b"".join(hashlib.sha256(b.ljust(block_size, b"\0")).digest() for b in blocks)


def parent(left: bytes, right: bytes | None, *, bottom: bool) -> bytes:
    key = (1 if bottom else 0) + (2 if right is None else 0)
    return hashlib.sha256(left + (right or ZERO) + bytes([key])).digest()


def layers(leaves: list[bytes]) -> list[list[bytes]]:
    found = [leaves]
    while len(found) == 1 or len(found[-1]) > 1:
        below = [*found[-1], None] if len(found[-1]) % 2 else found[-1]
        pairs = zip(below[::2], below[1::2], strict=True)
        found.append([parent(left, right, bottom=len(found) == 1) for left, right in pairs])
    return found


def merkle_tree(leaves: bytes) -> bytes:
    return b"".join(b"".join(layer) for layer in layers(digests_of(leaves)))


def merkle_root(leaves: bytes) -> bytes:
    return layers(digests_of(leaves))[-1][0]


def range_proof(leaves: bytes, start: int, count: int) -> bytes:
    """From the leaves, not from the tree: what the root needs besides the range."""
    low, high = start, start + count - 1
    proof = b""
    for layer in layers(digests_of(leaves))[:-1]:
        if low % 2:
            proof += layer[low - 1]
        if high % 2 == 0 and high + 1 < len(layer):
            proof += layer[high + 1]
        low, high = low // 2, high // 2
    return proof
