"""On what terms a node keeps sealed replicas for others, and its limits."""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.units import GIB, MIB


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """Prices in the smallest unit of the token: for a byte and second, a byte read, a byte
    written.

    space_bytes   of the quota, for all replicas together; None: whatever is free of it
    credit_bytes  read ahead of payment by one client
    operator      names who runs it, at most 64 bytes; empty: the account
    """

    price_byte_second: int
    price_get_byte: int = 0
    fee_put_byte: int = 0
    space_bytes: int | None = None
    max_seconds: int = 365 * 86400
    credit_bytes: int = MIB
    operator: bytes = b""


@dataclass(frozen=True, slots=True)
class ProviderLimits:
    """What one client, or one peer, may have under way."""

    open_leases: int = 256  # reserved, and no receipt yet
    open_bytes: int = 16 * GIB
    audit_blocks: int = 24  # at once, of one replica; so many more each hour
