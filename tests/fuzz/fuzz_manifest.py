"""Fuzz `decode_manifest`: what is accepted is consistent and survives encoding."""

from quire.base.errors import BadManifest
from quire.formats.manifest import decode_manifest, encode_manifest

VECTORS = ("manifest.json",)


def check(data: bytes) -> None:
    try:
        manifest = decode_manifest(data)
    except BadManifest:
        return
    assert 0 < manifest.original_size <= manifest.block_count * manifest.block_size
    assert decode_manifest(encode_manifest(manifest)) == manifest


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
