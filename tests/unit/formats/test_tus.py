"""Header fields of tus 1.0."""

import base64
import hashlib

import pytest

from quire.base.errors import BadEncoding
from quire.formats.tus import (
    Checksum,
    decode_checksum,
    decode_metadata,
    decode_size,
    encode_metadata,
)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", {}),
        ("  ", {}),
        ("filename YS50eHQ=", {"filename": b"a.txt"}),
        ("filename YS50eHQ=,is_confidential", {"filename": b"a.txt", "is_confidential": b""}),
        ("a YQ==, b Yg==", {"a": b"a", "b": b"b"}),
        ("raw /wA=", {"raw": b"\xff\0"}),
    ],
)
def test_metadata_is_read(text, pairs):
    assert decode_metadata(text) == pairs
    assert decode_metadata(encode_metadata(pairs)) == pairs


@pytest.mark.parametrize(
    "text",
    ["a YQ==,", ",", "a YQ==,,b YQ==", "a YQ==,a Yg==", "a ####", "a YQ", "a YQ== b", "\u00e9 YQ==",
     "a\x01 YQ==", "k " + "A" * 5000],
)  # fmt: skip
def test_metadata_that_is_malformed_is_refused(text):
    with pytest.raises(BadEncoding, match="Upload-Metadata"):
        decode_metadata(text)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_checksum_is_read(algorithm):
    digest = hashlib.new(algorithm, b"x").digest()
    text = f"{algorithm} {base64.b64encode(digest).decode()}"
    assert decode_checksum(text) == Checksum(algorithm, digest)


@pytest.mark.parametrize("text", ["", "md5 AAAA", "sha1", "sha1 AAAA", "sha1 #", "SHA1 AAAA"])
def test_a_checksum_that_is_malformed_is_refused(text):
    with pytest.raises(BadEncoding, match="Upload-Checksum"):
        decode_checksum(text)


@pytest.mark.parametrize(("text", "size"), [("0", 0), ("17", 17), (str(1 << 62), 1 << 62)])
def test_a_size_is_read(text, size):
    assert decode_size(text, "Upload-Length") == size


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1e3", " 1", "\u0663", str((1 << 62) + 1)])
def test_a_size_that_is_malformed_is_refused(text):
    with pytest.raises(BadEncoding, match="Upload-Length"):
        decode_size(text, "Upload-Length")
