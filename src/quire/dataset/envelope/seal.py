"""Sealed replicas: the ciphertext XOR a key stream of one provider, replica and epoch.

Two providers therefore never hold the same bytes, and neither has the key. Block i of the whole
dataset is XOR ChaCha20(seal key, counter 0, nonce = i as 12 bytes BE). A last short block is sealed
at its length and filled up with zeros.

Cost     3 GB/s a core
Source   point.md 7.5, A6
"""

from __future__ import annotations

from quire.base.invariant import invariant
from quire.dataset.envelope.records import BLOCK_BYTES
from quire.formats.varint import Buffer
from quire.kernels.cipher import NONCE_BYTES, chacha20_xor_into, hkdf_expand, hkdf_extract


def seal_key(seal_root: bytes, peer_id: bytes, replica: int, epoch: int) -> bytes:
    """The key of one replica: 32 bytes. peer_id: its bytes, not its text."""
    info = b"pn1/seal" + len(peer_id).to_bytes(2) + peer_id
    prk = hkdf_extract(b"pn-seal-v1", seal_root)
    return hkdf_expand(prk, info + replica.to_bytes(4) + epoch.to_bytes(4))


class Sealer:
    """Seals and unseals blocks of a dataset of known length: the two are the same."""

    def __init__(self, key: bytes, dataset_bytes: int) -> None:
        """key: of `seal_key`. dataset_bytes: of the whole ciphertext."""
        self._key = key
        self._dataset_bytes = dataset_bytes

    def blocks(self, first_index: int, data: Buffer) -> bytes:
        """Blocks from `first_index` of the dataset on, each of 65536 bytes in the answer.

        The last block may be given at its length or filled up; what lies behind the end of the
        dataset is zeros in the answer.
        """
        view = memoryview(data)
        end = self._dataset_bytes - first_index * BLOCK_BYTES
        invariant(len(view) > 0 and end > 0, "blocks lie in the dataset", first=first_index)
        count = -(-len(view) // BLOCK_BYTES)
        invariant(
            len(view) % BLOCK_BYTES == 0 or len(view) == end,
            "whole blocks are sealed",
            size=len(view),
        )
        view = view[:end]
        made = bytearray(count * BLOCK_BYTES)
        room = memoryview(made)
        for at in range(0, len(view), BLOCK_BYTES):
            nonce = (first_index + at // BLOCK_BYTES).to_bytes(NONCE_BYTES)
            stop = min(at + BLOCK_BYTES, len(view))
            chacha20_xor_into(self._key, nonce, view[at:stop], room[at:stop])
        return bytes(made)
