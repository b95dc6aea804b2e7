"""Fuzz `root_of_path`: a root for exactly what is fit, and the known one for the known paths."""

from quire.base.errors import BadEncoding
from quire.formats.felt import MODULUS
from quire.kernels.poseidon2 import FELT_BYTES, path, root_of_path, tree

VECTORS = ()
LEAVES = b"".join(number.to_bytes(FELT_BYTES, "little") for number in (1, 2, MODULUS - 1, 4, 5))
TREE = tree(LEAVES)
SEEDS = tuple(
    bytes([index, 5]) + LEAVES[FELT_BYTES * index :][:FELT_BYTES] + path(TREE, 5, index)
    for index in range(5)
)


def check(data: bytes) -> None:
    index, count = [*data[:2], 0, 0][:2]
    leaf, siblings = data[2:34], data[34:]
    try:
        root = root_of_path(leaf, index, count, siblings)
    except BadEncoding:
        assert not is_fit(leaf, index, count, siblings)
        return
    assert is_fit(leaf, index, count, siblings)
    if root == TREE[-FELT_BYTES:] and count == 5:
        assert leaf == LEAVES[FELT_BYTES * index :][:FELT_BYTES]
        assert siblings == path(TREE, 5, index)


def is_fit(leaf: bytes, index: int, count: int, siblings: bytes) -> bool:
    felts = [
        (leaf + siblings)[at:][:FELT_BYTES] for at in range(0, len(leaf + siblings), FELT_BYTES)
    ]
    depth = max(1, (count - 1).bit_length())
    return (
        len(leaf) == FELT_BYTES
        and index < count
        and len(siblings) == FELT_BYTES * depth
        and all(int.from_bytes(felt, "little") < MODULUS for felt in felts)
    )


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
