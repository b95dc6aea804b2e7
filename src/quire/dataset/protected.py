"""The manifests of a protected dataset: plain -> protected -> verifiable.

Source   content.md 3.4, proofs.md 2.3 and 3.8; vectors/erasure_slots.json
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from quire.base.errors import InputError
from quire.dataset.geometry import CELL_BYTES, Geometry
from quire.dataset.slot_tree import slot_root_cid, verify_root_cid
from quire.formats.cid import tree_cid
from quire.formats.manifest import Manifest, Protection, Verification


def refuse_protected(original: Manifest) -> None:
    """Raise InputError for a manifest that is protected."""
    if original.protection is not None:
        raise InputError("the dataset is protected already; protect the original one")


def protected_manifest(original: Manifest, k: int, m: int, tree_root: bytes) -> Manifest:
    """The manifest of what `original` becomes with k + m rows under this tree.

    Raises InputError when the original is protected itself."""
    refuse_protected(original)
    geometry = Geometry(original.block_count, k, m, original.block_size)
    return replace(
        original,
        tree_cid=tree_cid(tree_root),
        dataset_size=geometry.protected_size,
        protection=Protection(k, m, original.tree_cid, original.dataset_size),
    )


def verifiable_manifest(
    protected: Manifest, slot_roots: Sequence[bytes], verify_root: bytes
) -> Manifest:
    """The manifest that commits to every slot besides. Roots are field elements, 32 bytes little-
    endian. Raises InputError for a plain manifest, BadManifest unless there is a root a slot."""
    if protected.protection is None:
        raise InputError("only a protected dataset has slots; protect it first")
    verification = Verification(
        verify_root=verify_root_cid(verify_root),
        slot_roots=tuple(slot_root_cid(root) for root in slot_roots),
        cell_size=CELL_BYTES,
    )
    return replace(protected, protection=replace(protected.protection, verification=verification))
