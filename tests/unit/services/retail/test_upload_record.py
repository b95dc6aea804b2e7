"""Records of uploads say the same after a start, and give nothing away."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from quire.base.errors import BadEncoding, StoreCorrupt
from quire.formats.cap import RepairCap, Suite, VerifyCap
from quire.formats.cid import manifest_cid, tree_cid
from quire.formats.manifest import Manifest, encode_manifest
from quire.kernels.cipher import Aead, hkdf_expand, hkdf_extract
from quire.services.retail.cap_box import CapBox
from quire.services.retail.upload_record import Upload, decode_upload, encode_upload

MANIFEST = encode_manifest(Manifest(tree_cid(b"\x07" * 32), 65536, 40 << 20))
CAP = RepairCap(Suite.AES_256_GCM, 0, manifest_cid(MANIFEST), b"\x01" * 32, b"\x02" * 32)
KEY, ID = b"\x05" * 32, b"\x09" * 16
UPLOAD = Upload(
    ID, MANIFEST, CapBox(KEY).lock(CAP, ID, bytes(12)), 256, 3, 7200, 10**9, True, 1 << 90, 1.5
)


def test_a_record_says_the_same_after_a_start() -> None:
    assert decode_upload(encode_upload(UPLOAD)) == UPLOAD
    assert [chunk.blocks for chunk in UPLOAD.chunks] == [256, 256, 128]
    assert UPLOAD.cid == CAP.cid


@pytest.mark.parametrize(
    "changed",
    [
        {"upload_id": b"\x09" * 15},
        {"manifest": b"none"},
        {"chunk_blocks": 3},
        {"chunk_blocks": 1025},
        {"redundancy": 0},
        {"redundancy": 33},
        {"seconds": 0},
        {"wanted_until": -1},
        {"budget": -1},
        {"map_version": -1},
    ],
)
def test_a_record_out_of_range_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(BadEncoding):
        decode_upload(encode_upload(replace(UPLOAD, **changed)))  # type: ignore[arg-type]


def test_a_record_of_another_format_and_no_record_are_refused() -> None:
    fields = msgspec.json.decode(encode_upload(UPLOAD))
    for data in (b"", b"{}", b"[" * 5000, msgspec.json.encode(fields | {"format": 2})):
        with pytest.raises(BadEncoding):
            decode_upload(data)


def test_a_capability_is_kept_under_the_key_of_the_node() -> None:
    locked = UPLOAD.locked_cap
    assert CapBox(KEY).open(locked, ID) == CAP
    assert CAP.seal_root not in encode_upload(UPLOAD)
    assert CAP.text.encode() not in encode_upload(UPLOAD)
    flipped = locked[:20] + bytes([locked[20] ^ 1]) + locked[21:]
    for box, data, upload_id in [
        (CapBox(b"\x06" * 32), locked, ID),
        (CapBox(KEY), flipped, ID),
        (CapBox(KEY), locked, b"\x08" * 16),
        (CapBox(KEY), b"", ID),
    ]:
        with pytest.raises(StoreCorrupt, match="put the file again"):
            box.open(data, upload_id)


def test_another_capability_than_to_repair_is_refused() -> None:
    key = hkdf_expand(hkdf_extract(b"quire-node-v1", KEY), b"quire/repair-caps")
    verify = VerifyCap(CAP.suite, 0, CAP.cid, CAP.commit)
    sealed = Aead(Suite.AES_256_GCM, key).encrypt(bytes(12), verify.text.encode(), ID)
    with pytest.raises(StoreCorrupt, match="another capability"):
        CapBox(KEY).open(bytes(12) + sealed, ID)
