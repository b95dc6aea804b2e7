"""Kademlia's measure of how near a node is to a key."""

from __future__ import annotations

import hashlib

from quire.net.transport import PeerId


def xor_distance(key: bytes, peer: PeerId) -> int:
    """Kademlia's distance between a key and a node."""
    here = hashlib.sha256(key).digest()
    there = hashlib.sha256(peer.encode()).digest()
    return int.from_bytes(here, "big") ^ int.from_bytes(there, "big")
