"""How a provider of sealed replicas answers. Source   point.md 6.4"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    OK = 0
    REFUSED = 1
    NO_SPACE = 2
    PRICE = 3
    UNKNOWN_LINK = 4
    ALREADY_STORED = 5
    BAD_MAP = 6
    BAD_HASH = 7
    INCOMPLETE = 8
    NOT_FOUND = 9
    PAYMENT_REQUIRED = 10
    OVERDRAWN = 11
    BAD_VOUCHER = 12
    EXPIRED = 13
    BUSY = 14
    CONFLICT = 15
    INTERNAL = 16
    LOST = 17


class LeaseState(IntEnum):
    """Where a replica stands at its provider (point.md 6.5)."""

    RESERVED = 1
    MAPPED = 2  # the digests of its blocks are known
    RECEIVING = 3
    COMPLETE = 4
    STORED = 5  # the receipt was issued
    GRACE = 6  # expired or unpaid; can be renewed
    DELETED = 7
