"""File keys that follow from the content and a secret: equal content, equal ciphertext.

Whoever knows the secret can find out whether somebody stores a content that he has or can guess; so
it is a person's or a group's, never public. The stream of a convergent dataset has neither name nor
type: the same key would else encrypt two different streams under one nonce.

Source   point.md 7.4, A7
"""

from __future__ import annotations

from quire.base.invariant import invariant
from quire.dataset.envelope.header import Header
from quire.formats.varint import Buffer
from quire.kernels.cipher import Suite, hkdf_expand, hkdf_extract, keyed_blake3

_ZEROS = bytes(64 * 1024)


class ConvergentKey:
    """Reads the whole content once, before it can be encrypted."""

    def __init__(self, secret: bytes, suite: Suite, content_bytes: int, *, padded: bool) -> None:
        self._suite = suite
        self._left = content_bytes
        header = Header(content_bytes)
        self._padding = header.stream_bytes(padded=padded) - len(header.encode()) - content_bytes
        self._hasher = keyed_blake3(secret)
        self._hasher.update(header.encode())

    def update(self, piece: Buffer) -> None:
        self._left -= len(piece)
        self._hasher.update(piece)

    def file_key(self) -> bytes:
        """Of all content, which must have arrived."""
        invariant(self._left == 0, "the content is not of the length it was said to have")
        for begin in range(0, self._padding, len(_ZEROS)):
            self._hasher.update(_ZEROS[: self._padding - begin])
        prk = hkdf_extract(b"pn-conv-v1", self._hasher.digest())
        return hkdf_expand(prk, b"pn1/file-key" + bytes((self._suite,)))
