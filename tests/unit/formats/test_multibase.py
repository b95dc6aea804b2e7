"""Texts in the bases of multibase."""

import pytest

from quire.base.errors import BadEncoding
from quire.formats.multibase import (
    decode_base58,
    decode_base64url,
    decode_multibase,
    encode_base58,
    encode_base64url,
    encode_multibase,
)

YES = b"yes mani !"  # from the multibase specification


@pytest.mark.parametrize(
    "text",
    [
        "f796573206d616e692021",
        "F796573206D616E692021",
        "v f5in683dc5n6i811".replace(" ", ""),
        "VF5IN683DC5N6I811",
        "tf5in683dc5n6i811",
        "TF5IN683DC5N6I811",
        "bpfsxgidnmfxgsibb",
        "BPFSXGIDNMFXGSIBB",
        "cpfsxgidnmfxgsibb",
        "CPFSXGIDNMFXGSIBB",
        "hxf1zgedpcfzg1ebb",
        "k2lcpzo5yikidynfl",
        "K2LCPZO5YIKIDYNFL",
        "Z7Pznk19XTTzBtx",
        "z7paNL19xttacUY",
        "meWVzIG1hbmkgIQ",
        "MeWVzIG1hbmkgIQ==",
        "ueWVzIG1hbmkgIQ",
        "UeWVzIG1hbmkgIQ==",
    ],
)
def test_texts_of_the_specification_are_read(text):
    assert decode_multibase(text) == YES


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?abc",
        "z0",
        "zO",
        "zI",
        "zl",
        "z ",
        "f7",
        "fA0",
        "F7a",
        "b1",
        "bPF",
        "bpfsxgidnmfxgsib",
        "cpfsxgidnmfxgsi=",
        "cpfsxgidnmfxg",
        "c========",
        "meWVzIG1hbmkgIR",
        "meWVzIG1hbmkgIQ==",
        "MeWVzIG1hbmkgIQ",
        "MeWVz====",
        "ueWVz+",
        "m" + "A" * 600,
        "z\N{ARABIC-INDIC DIGIT ONE}",
    ],
)
def test_other_texts_are_refused(text):
    with pytest.raises(BadEncoding):
        decode_multibase(text)


def test_leading_zero_bytes_survive():
    data = b"\0\0\x01"
    assert encode_base58(data) == "112"
    assert decode_base58("112") == data
    assert decode_multibase("z112") == data
    assert decode_multibase(encode_multibase(b"")) == b""


def test_base64url_has_one_form():
    assert encode_base64url(b"\xff\xfe") == "__4"
    assert decode_base64url("__4") == b"\xff\xfe"
    for text in ("__4=", "__5", "//4", "_", "__4\n", "é"):
        with pytest.raises(BadEncoding):
            decode_base64url(text)
