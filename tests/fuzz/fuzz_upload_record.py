"""Fuzz `decode_upload`: what is accepted survives encoding and can be looked at."""

from quire.base.errors import BadEncoding
from quire.formats.cid import tree_cid
from quire.formats.manifest import Manifest, encode_manifest
from quire.services.retail.upload_record import Upload, decode_upload, encode_upload

VECTORS = ()
MANIFEST = encode_manifest(Manifest(tree_cid(b"\x07" * 32), 65536, 100_000))
SEEDS = (
    encode_upload(Upload(b"\x09" * 16, MANIFEST, b"", 256, 3, 7200, 10**9, True, None, 1.5)),
    encode_upload(Upload(b"\x09" * 16, MANIFEST, b"x", 4, 1, 1, 0, False, 7, 0.0, 3, 9, True)),
)


def check(data: bytes) -> None:
    try:
        upload = decode_upload(data)
    except BadEncoding:
        return
    assert decode_upload(encode_upload(upload)) == upload
    assert len(upload.key) == 32
    assert str(upload.cid)


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
