"""Fuzz what is read of encrypted datasets: headers, records, signed values."""

from quire.base.errors import BadEncoding, IntegrityError, WrongKey
from quire.dataset.envelope.header import Header, decode_header
from quire.dataset.envelope.keys import FileKeys
from quire.dataset.envelope.records import RecordOpener, RecordWriter
from quire.dataset.envelope.replica_map import map_keys
from quire.dataset.envelope.signed_blob import SignedBlob, decode_blob
from quire.formats.cap import Suite
from quire.services.pointers import Pointer, decode_pointer

VECTORS = ("envelope.json",)
_KEYS = FileKeys.of(bytes(32), Suite.AES_256_GCM)
_STREAM = Header(5, "name", "text/plain").encode() + b"hello"


def _encrypted(stream: bytes) -> bytes:
    writer = RecordWriter(_KEYS)
    return writer.write(stream) + writer.finish()


_OWNER = map_keys(bytes(32))
_BLOB = _OWNER.seal(1, bytes(12), b"plain")
SEEDS = (_STREAM, _encrypted(_STREAM), _BLOB.public_key + _BLOB.signature + _BLOB.ciphertext)
SEEDS += (_BLOB.encode(), Pointer(_BLOB, "peer", 1.0).encode())


def check(data: bytes) -> None:
    try:
        header, begin = decode_header(data)
    except BadEncoding:
        pass
    else:
        assert 12 <= begin <= len(data)
        assert decode_header(header.encode())[0] == header
    try:
        plain = RecordOpener(_KEYS, len(data)).open_first(data)
    except (IntegrityError, WrongKey):
        pass
    else:
        assert _encrypted(plain) == data
    for decode in (decode_blob, decode_pointer):
        try:
            value = decode(data)
        except BadEncoding:
            continue
        assert value.encode() == data
    blob = SignedBlob(data[:32], 1, bytes(12), data[96:], data[32:96])
    try:
        assert _OWNER.open(blob) == b"plain"
    except (IntegrityError, WrongKey):
        return
    assert blob == _BLOB


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
