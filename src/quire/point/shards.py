"""Where providers say in the DHT that there are such: sixteen keys, of which each has two.

Whoever looks for providers looks under all; nobody has to hold the records of everybody.

Source   point.md 5.2, 1
"""

from __future__ import annotations

import hashlib

from quire.formats.cid import Cid
from quire.formats.multihash import HASH_SHA256

SHARDS = 16
_RAW = 0x55
_LABEL = b"quire-replica-provider/1/"


def shard_cid(shard: int) -> Cid:
    """The key of a shard, 0..15: the raw CID of the SHA-256 of its name."""
    return Cid(1, _RAW, HASH_SHA256, hashlib.sha256(_LABEL + str(shard).encode()).digest())


def shards_of(peer_id: bytes) -> tuple[int, ...]:
    """The shards under which a provider announces itself: the same at each start, and spread evenly
    over providers. `peer_id`: raw."""
    digest = hashlib.sha256(_LABEL + peer_id).digest()
    first = digest[0] % SHARDS
    return first, (first + 1 + digest[1] % (SHARDS - 1)) % SHARDS
