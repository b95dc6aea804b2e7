"""How a file that is kept as replicas stands, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass

# Beside the states of point/file.py:
PAUSED = "PAUSED"  # the wallet is empty
RELEASED = "RELEASED"


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """One link. Times in unix seconds of the chain; amounts in the token's smallest unit."""

    link_id: str
    chunk: int
    peer: str
    replica: int
    state: str
    words: str
    acked_blocks: int
    blocks: int
    expires_at: int
    paid: int
    next_deadline: tuple[str, float] | None
    trouble: str


@dataclass(frozen=True, slots=True)
class UploadStatus:
    """`replicas`: how many each chunk has; `sent_bytes`: what providers have acknowledged."""

    upload_id: str
    cid: str
    state: str
    words: str
    redundancy: int
    size_bytes: int
    expires_at: int
    is_autorenewed: bool
    budget: int | None
    created_at: float
    replicas: tuple[int, ...]
    sent_bytes: int
    paid: int
    map_version: int
    links: tuple[LinkStatus, ...]
