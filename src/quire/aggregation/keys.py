"""Where aggregators say in the DHT that there are such: one key for each service."""

from __future__ import annotations

import hashlib

from quire.formats.aggregator_codes import Service
from quire.formats.cid import Cid
from quire.formats.multihash import HASH_SHA256

_RAW = 0x55
_LABEL = b"quire-aggregator/1/"


def service_cid(service: Service) -> Cid:
    """The raw CID of the SHA-256 of the service's name."""
    name = _LABEL + service.name.lower().encode()
    return Cid(1, _RAW, HASH_SHA256, hashlib.sha256(name).digest())
