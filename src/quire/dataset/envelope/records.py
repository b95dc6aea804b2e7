"""The plain stream as records, each of them one block of the dataset.

Record i of N: nonce = i as 11 bytes BE ‖ (01 if it is the last else 00), bound = commit, 65520
bytes and a tag of 16. Only the last record may be shorter; it has at least one byte. So records
that are cut off, reordered, changed or taken from elsewhere do not open.

Source   point.md 7.3
"""

from __future__ import annotations

from quire.base.errors import IntegrityError, WrongKey
from quire.base.invariant import invariant
from quire.dataset.envelope.keys import FileKeys
from quire.formats.varint import Buffer
from quire.kernels.cipher import TAG_BYTES, Aead

BLOCK_BYTES = 65_536
RECORD_BYTES = BLOCK_BYTES - TAG_BYTES


def record_count(stream_bytes: int) -> int:
    """Records of a plain stream: at least one."""
    return max(1, -(-stream_bytes // RECORD_BYTES))


def ciphertext_bytes(stream_bytes: int) -> int:
    """Bytes of the dataset that a plain stream becomes."""
    return stream_bytes + record_count(stream_bytes) * TAG_BYTES


def plain_bytes(dataset_bytes: int) -> int:
    """The inverse of `ciphertext_bytes`.

    Raises   IntegrityError  no stream becomes a dataset of this length
    """
    whole, rest = divmod(dataset_bytes, BLOCK_BYTES)
    if dataset_bytes <= TAG_BYTES or 0 < rest <= TAG_BYTES:
        raise IntegrityError(
            f"{dataset_bytes} bytes are no encrypted dataset: the last record holds nothing"
        )
    return whole * RECORD_BYTES + max(0, rest - TAG_BYTES)


def _nonce(index: int, is_last: bool) -> bytes:
    return index.to_bytes(11) + (b"\1" if is_last else b"\0")


class RecordWriter:
    """Encrypts a plain stream that arrives in pieces of any size. The last record is held back
    until the end is known. Starts at any record, so that work can go on after a break."""

    def __init__(self, keys: FileKeys, first_index: int = 0) -> None:
        self._aead = Aead(keys.suite, keys.content_key)
        self._commit = keys.commit
        self._index = first_index
        self._held = b""

    def write(self, piece: Buffer) -> bytes:
        """Whole blocks of ciphertext, as many as are certain by now."""
        made = []
        view = memoryview(piece)
        if self._held and len(self._held) + len(view) > RECORD_BYTES:
            missing = RECORD_BYTES - len(self._held)
            made.append(self._encrypt(self._held + bytes(view[:missing])))
            self._held, view = b"", view[missing:]
        if self._held:
            self._held += bytes(view)
            return b"".join(made)
        while len(view) > RECORD_BYTES:
            made.append(self._encrypt(view[:RECORD_BYTES]))
            view = view[RECORD_BYTES:]
        self._held = bytes(view)
        return b"".join(made)

    def finish(self) -> bytes:
        """The last record. Nothing may be written after it."""
        invariant(bool(self._held), "a plain stream has at least its header")
        held, self._held = self._held, b""
        return self._encrypt(held, is_last=True)

    def _encrypt(self, record: Buffer, is_last: bool = False) -> bytes:
        nonce = _nonce(self._index, is_last)
        self._index += 1
        return self._aead.encrypt(nonce, record, self._commit)


class RecordOpener:
    """Decrypts records of a dataset of known length, in any order."""

    def __init__(self, keys: FileKeys, dataset_bytes: int) -> None:
        """Raises   IntegrityError  there is no encrypted dataset of this length"""
        self.stream_bytes = plain_bytes(dataset_bytes)
        self.count = record_count(self.stream_bytes)
        self._dataset_bytes = dataset_bytes
        self._aead = Aead(keys.suite, keys.content_key)
        self._commit = keys.commit

    def span(self, first: int, count: int) -> tuple[int, int]:
        """Where these records lie in the ciphertext, as [begin, end)."""
        return first * BLOCK_BYTES, min((first + count) * BLOCK_BYTES, self._dataset_bytes)

    def open_first(self, block: Buffer) -> bytes:
        """The plain bytes of record 0 from a block that its hash has vouched for.

        Raises   WrongKey  it was encrypted under another key or suite
        """
        try:
            return self.open(0, block)
        except IntegrityError:
            raise WrongKey(
                "the capability's key does not open this dataset: "
                "the capability was made for other data, or is damaged"
            ) from None

    def open(self, first: int, ciphertext: Buffer) -> bytes:
        """The plain bytes of records from `first` on; `ciphertext` ends where a record ends.

        Raises   IntegrityError  a record was changed, cut, moved or is of another dataset; which
        """
        view = memoryview(ciphertext)
        begin, end = self.span(first, -(-len(view) // BLOCK_BYTES))
        if first < 0 or end - begin != len(view) or not view:
            raise IntegrityError(
                f"{len(view)} bytes at record {first} are not whole records of an encrypted "
                f"dataset of {self.count}"
            )
        made = []
        for index in range(first, -(-end // BLOCK_BYTES)):
            record, view = view[:BLOCK_BYTES], view[BLOCK_BYTES:]
            nonce = _nonce(index, index == self.count - 1)
            try:
                made.append(self._aead.decrypt(nonce, record, self._commit))
            except IntegrityError:
                raise IntegrityError(
                    f"record {index} of {self.count} of the encrypted dataset does not open: "
                    "it was changed, moved, or belongs to other data"
                ) from None
        return made[0] if len(made) == 1 else b"".join(made)
