"""A stored dataset becomes a protected one with slots, byte for byte as the reference has it."""

import pytest

from quire.base.errors import QuireError
from quire.dataset.geometry import Geometry, check_protection
from support.protect_kit import MemorySlots, det, protections
from support.store_kit import assert_sound, get, put, store_in
from support.vectors import accepted, rejected

KIB64 = 65536


@accepted("protected.json")
async def test_a_dataset_is_protected_as_the_reference_does_it(tmp_path, row):
    slots = MemorySlots()
    async with store_in(tmp_path) as store:
        source = await put(store, det(row["size"]), KIB64)
        assert str(source.manifest_cid) == row["originalManifestCid"]
        jobs = protections(store, slots=slots)
        job = await jobs.start(source.manifest_cid, row["k"], row["m"])
        result = await jobs.wait(job)
        assert result.manifest_bytes.hex() == row["verifiableManifest"]
        assert str(result.manifest_cid) == row["verifiableManifestCid"]
        assert str(result.manifest.tree_cid) == row["treeCid"]
        root = result.tree_root
        for slot, leaves in enumerate(row["slotLeaves"]):
            layers = slots.trees[root, slot]
            assert layers.hex().startswith(leaves)
            assert layers[-32:].hex() == row["slotRoots"][slot]
        geometry = Geometry.of(result.manifest)
        assert (geometry.steps, geometry.total) == (row["steps"], row["blocks"])
        assert geometry.slot_size == row["slotBytes"]
        assert await get(store, result) == det(row["size"])
        await assert_sound(store)


@rejected("protected.json")
def test_k_and_m_that_do_not_fit_are_refused(row):
    with pytest.raises(QuireError) as caught:
        check_protection(row["k"], row["m"], row["blocks"], KIB64)
    assert caught.value.code == row["code"]
    assert caught.value.http == 422
