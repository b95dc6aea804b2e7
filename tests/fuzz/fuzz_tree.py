"""Fuzz `decode_tree`: what is accepted is a tree."""

from quire.base.errors import BadEncoding, ProofInvalid
from quire.formats.merkle import build_tree, decode_tree, encode_tree, tree_root

VECTORS = ("merkle.json",)


def check(data: bytes) -> None:
    leaves = data[: len(data) // 32 * 32]
    if leaves:
        tree, count = build_tree(leaves), len(leaves) // 32
        assert decode_tree(encode_tree(tree, count)) == (tree, count)
    try:
        tree, count = decode_tree(data)
    except (BadEncoding, ProofInvalid):
        return
    assert tree_root(tree[: 32 * count]) == tree[-32:]


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
