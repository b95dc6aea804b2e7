"""PN-ENC-1 byte for byte: keys, streams, records, seals, maps, convergent keys, padding."""

import hashlib

import pytest

from quire.base.errors import BadEncoding, IntegrityError, QuireError
from quire.dataset.envelope.convergent import ConvergentKey
from quire.dataset.envelope.header import Header, decode_header
from quire.dataset.envelope.keys import FileKeys
from quire.dataset.envelope.padme import padme
from quire.dataset.envelope.records import (
    BLOCK_BYTES,
    RecordOpener,
    ciphertext_bytes,
    plain_bytes,
    record_count,
)
from quire.dataset.envelope.replica_map import map_keys
from quire.dataset.envelope.seal import Sealer, seal_key
from quire.formats.cap import Suite
from support.envelopes import content_of, encrypted, keys_of, stream_of
from support.vectors import accepted, load, rejected

VECTORS = load("envelope.json")


@accepted("envelope.json")
def test_keys_stream_and_records_are_the_known_ones(row):
    keys = FileKeys.of(bytes.fromhex(row["file_key"]), Suite(row["suite"]))
    assert keys.content_key.hex() == row["content_key"]
    assert keys.commit.hex() == row["commit"]
    assert keys.seal_root.hex() == row["seal_root"]
    stream = stream_of(Header(row["content_bytes"], "a.bin", "application/octet-stream"))
    assert len(stream) == row["stream_bytes"]
    assert hashlib.sha256(stream).hexdigest() == row["stream_sha256"]
    header, begin = decode_header(stream)
    assert header.meta.decode() == row["meta"] == stream[12:begin].decode()
    made = encrypted(keys, stream)
    records = [made[i : i + BLOCK_BYTES] for i in range(0, len(made), BLOCK_BYTES)]
    assert [len(record) for record in records] == row["records"]
    for index, digest in row["record_sha256"].items():
        assert hashlib.sha256(records[int(index)]).hexdigest() == digest


@rejected("envelope.json")
def test_other_headers_are_refused(row):
    with pytest.raises(BadEncoding):
        decode_header(bytes.fromhex(row["hex"]))


def spoilt(row):
    made = {suite: encrypted(keys_of(suite), stream_of(Header(200_000))) for suite in (1, 2)}
    data = bytearray(made[1])
    if "take" in row:
        picks = [pick if isinstance(pick, list) else [1, pick] for pick in row["take"]]
        data = b"".join(made[s][i * BLOCK_BYTES : (i + 1) * BLOCK_BYTES] for s, i in picks)
    elif "flip" in row:
        data[row["flip"] // 8] ^= 1 << row["flip"] % 8
    elif "cut" in row:
        del data[-row["cut"] :]
    else:
        data += bytes(row["add"])
    return bytes(data)


@pytest.mark.parametrize("row", VECTORS["changed"], ids=[row["name"] for row in VECTORS["changed"]])
def test_a_ciphertext_that_was_changed_does_not_open(row):
    data = spoilt(row)
    with pytest.raises(IntegrityError):
        RecordOpener(keys_of(1), len(data)).open(0, data)


def test_sealed_blocks_are_the_known_ones_and_open_by_sealing_again():
    known, keys = VECTORS["seal"], keys_of(1)
    key = seal_key(
        keys.seal_root, bytes.fromhex(known["peer_id"]), known["replica"], known["epoch"]
    )
    assert key.hex() == known["key"]
    stream = stream_of(Header(200_000, "a.bin", "application/octet-stream"))
    made = encrypted(keys, stream)
    sealer = Sealer(key, len(made))
    sealed = sealer.blocks(0, made)
    assert len(sealed) == 4 * BLOCK_BYTES
    last = len(made) - 3 * BLOCK_BYTES
    assert hashlib.sha256(sealed[:BLOCK_BYTES]).hexdigest() == known["sealed_sha256"]["0"]
    tail = sealed[3 * BLOCK_BYTES :]
    assert hashlib.sha256(tail[:last]).hexdigest() == known["sealed_sha256"]["3"]
    assert tail[last:] == bytes(BLOCK_BYTES - last)
    assert sealer.blocks(0, sealed)[: len(made)] == made
    assert sealer.blocks(2, made[2 * BLOCK_BYTES :]) == sealed[2 * BLOCK_BYTES :]
    padded = made + bytes(4 * BLOCK_BYTES - len(made))
    assert sealer.blocks(0, padded) == sealed


def test_every_provider_replica_and_epoch_has_another_seal():
    root = keys_of(1).seal_root
    keys = [
        seal_key(root, *terms)
        for terms in ((b"a", 0, 0), (b"b", 0, 0), (b"a", 1, 0), (b"a", 0, 1), (b"aa", 0, 0))
    ]
    assert len(set(keys)) == len(keys)
    assert len({Sealer(key, 100).blocks(0, bytes(100)) for key in keys}) == len(keys)


def test_keys_of_the_replica_map_are_the_known_ones():
    known = VECTORS["map"]
    keys = map_keys(keys_of(1).seal_root)
    assert keys.key.hex() == known["map_key"]
    assert keys.public_key.hex() == known["public_key"]
    assert keys.locator.hex() == known["locator"]
    assert keys.key.hex() not in repr(keys)
    assert keys.seed.hex() not in repr(keys)


@pytest.mark.parametrize("piece", [1000, 65_536, 200_000])
def test_a_convergent_key_is_the_known_one_however_the_content_arrives(piece):
    known = VECTORS["convergent"]
    content = content_of(known["content_bytes"])
    maker = ConvergentKey(
        bytes.fromhex(known["secret"]), Suite(known["suite"]), len(content), padded=True
    )
    for begin in range(0, len(content), piece):
        maker.update(content[begin : begin + piece])
    assert maker.file_key().hex() == known["file_key"]


@pytest.mark.parametrize(("size", "padded"), VECTORS["padme"])
def test_lengths_are_padded_as_known(size, padded):
    assert padme(size) == padded


def test_forty_mebibytes_become_657_records():
    assert record_count(42_991_616) == 657
    assert plain_bytes(ciphertext_bytes(42_991_616)) == 42_991_616


@pytest.mark.parametrize("size", [0, 1, 16, 65_536 + 1, 65_536 + 16, 10 * 65_536 + 16])
def test_lengths_that_no_encrypted_dataset_has_are_refused(size):
    with pytest.raises(QuireError):
        plain_bytes(size)
