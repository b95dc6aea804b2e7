"""Whatever the sizes and cuts: what was encrypted comes back, and nothing that was changed does."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.base.errors import BadCap, IntegrityError
from quire.dataset.envelope.header import Header, decode_header
from quire.dataset.envelope.padme import padme
from quire.dataset.envelope.records import (
    BLOCK_BYTES,
    RECORD_BYTES,
    RecordOpener,
    RecordWriter,
    ciphertext_bytes,
    plain_bytes,
)
from quire.dataset.envelope.seal import Sealer
from quire.formats.cap import LiteralCap, ReadCap, RepairCap, Suite, VerifyCap, parse_cap
from quire.formats.cid import manifest_cid_of
from support.envelopes import content_of, encrypted, keys_of

sizes = st.one_of(
    st.integers(1, 1000),
    st.builds(lambda n, d: n * RECORD_BYTES + d, st.integers(1, 3), st.integers(-2, 2)),
)
suites = st.sampled_from(Suite)
keys32 = st.binary(min_size=32, max_size=32)


@given(sizes, suites, st.lists(st.integers(0, 200_000), max_size=4), st.integers(0, 3))
def test_streams_come_back_however_they_are_cut(size, suite, cuts, first):
    stream, keys = content_of(size), keys_of(suite)
    places = sorted({0, size, *(cut % size for cut in cuts)})
    writer = RecordWriter(keys)
    made = b"".join(writer.write(stream[a:b]) for a, b in pairwise(places))
    made += writer.finish()
    assert made == encrypted(keys, stream)
    assert len(made) == ciphertext_bytes(size)
    assert plain_bytes(len(made)) == size
    opener = RecordOpener(keys, len(made))
    first %= opener.count
    got = opener.open(first, made[first * BLOCK_BYTES :])
    assert got == stream[first * RECORD_BYTES :]


@given(sizes, suites, st.integers(0, 1 << 40))
def test_no_changed_bit_passes(size, suite, place):
    keys = keys_of(suite)
    made = bytearray(encrypted(keys, content_of(size)))
    place %= 8 * len(made)
    made[place // 8] ^= 1 << place % 8
    with pytest.raises(IntegrityError):
        RecordOpener(keys, len(made)).open(0, made)


@given(sizes, st.integers(1, 1 << 40))
def test_no_cut_passes(size, cut):
    keys = keys_of(1)
    made = encrypted(keys, content_of(size))
    made = made[: len(made) - 1 - cut % len(made)]
    with pytest.raises(IntegrityError):
        RecordOpener(keys, len(made)).open(0, made)


@given(sizes, keys32, st.integers(0, 3))
def test_sealing_twice_gives_the_ciphertext_back(size, key, first):
    data = content_of(ciphertext_bytes(size))
    first %= -(-len(data) // BLOCK_BYTES)
    sealer = Sealer(key, len(data))
    sealed = sealer.blocks(0, data)
    assert len(sealed) % BLOCK_BYTES == 0
    assert (
        sealer.blocks(first, sealed[first * BLOCK_BYTES :])[: len(data) - first * BLOCK_BYTES]
        == (data[first * BLOCK_BYTES :])
    )


@given(st.integers(0, 1 << 60))
def test_padding_is_short_and_hides_lengths(size):
    padded = padme(size)
    assert size <= padded <= size * 1.12
    assert padme(padded) == padded


@given(st.integers(0, 1 << 50), st.none() | st.text(max_size=50), st.none() | st.text(max_size=20))
def test_headers_come_back(size, name, media_type):
    header = Header(size, name, media_type)
    assert decode_header(header.encode() + b"content") == (header, len(header.encode()))


@given(suites, st.integers(0, 3), keys32, keys32, keys32, st.binary(max_size=64))
def test_capabilities_come_back(suite, flags, one, two, digest, content):
    cid = manifest_cid_of(digest)
    for cap in (
        ReadCap(suite, flags, cid, one),
        RepairCap(suite, flags, cid, one, two),
        VerifyCap(suite, flags, cid, one),
        LiteralCap(content),
    ):
        assert parse_cap(cap.text) == cap


@given(keys32, keys32, st.integers(0), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567:-A1"))
def test_one_wrong_character_is_never_read_as_something_else(key, digest, place, other):
    text = ReadCap(Suite(1), 2, manifest_cid_of(digest), key).text
    place %= len(text)
    if other == text[place]:
        return
    with pytest.raises(BadCap, match=rf"character {place + 1} of"):
        parse_cap(text[:place] + other + text[place + 1 :])
