"""Encrypted datasets as bytes: what tests encrypt, and how."""

from quire.dataset.envelope.header import Header
from quire.dataset.envelope.keys import FileKeys
from quire.dataset.envelope.records import RecordWriter
from quire.formats.cap import Suite

FILE_KEY = bytes(range(32))


def content_of(size: int) -> bytes:
    """D(n) of point.md appendix A: byte i = (131 i + 7) mod 256."""
    return (bytes((131 * i + 7) & 255 for i in range(256)) * (size // 256 + 1))[:size]


def keys_of(suite: int, file_key: bytes = FILE_KEY) -> FileKeys:
    return FileKeys.of(file_key, Suite(suite))


def stream_of(header: Header, *, padded: bool = True) -> bytes:
    """The plain stream of such content."""
    bare = header.encode() + content_of(header.content_bytes)
    return bare + bytes(header.stream_bytes(padded=padded) - len(bare))


def encrypted(keys: FileKeys, stream: bytes) -> bytes:
    writer = RecordWriter(keys)
    return writer.write(stream) + writer.finish()
