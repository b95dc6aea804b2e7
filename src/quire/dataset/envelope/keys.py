"""What follows from a file key."""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.invariant import invariant
from quire.kernels.cipher import KEY_BYTES, Suite, hkdf_expand, hkdf_extract


@dataclass(frozen=True, slots=True, repr=False)
class FileKeys:
    """Keys of one encrypted dataset, 32 bytes each. `commit` is public and makes the choice of
    the key binding; `seal_root` seals replicas."""

    suite: Suite
    file_key: bytes
    content_key: bytes
    commit: bytes
    seal_root: bytes

    @classmethod
    def of(cls, file_key: bytes, suite: Suite) -> FileKeys:
        """
        Source   point.md 7.3
        """
        invariant(len(file_key) == KEY_BYTES, "a file key has 32 bytes", size=len(file_key))
        prk = hkdf_extract(b"pn-enc-v1", file_key)
        chosen = bytes((suite,))
        return cls(
            suite,
            file_key,
            content_key=hkdf_expand(prk, b"pn1/content" + chosen),
            commit=hkdf_expand(prk, b"pn1/commit" + chosen),
            seal_root=hkdf_expand(prk, b"pn1/seal-root"),
        )

    def __repr__(self) -> str:
        return f"<file keys, suite {self.suite.value}>"
