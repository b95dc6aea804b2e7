"""How a file that is kept as replicas stands, in numbers and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from quire.base.units import format_size
from quire.point.billing import Term
from quire.point.link import At, LinkState
from quire.services.retail.chunks import held
from quire.services.retail.upload_record import Upload


class FileAt(StrEnum):
    UPLOADING = "UPLOADING"
    PAUSED = "PAUSED"  # the wallet is empty
    UPLOADED = "UPLOADED"
    DEGRADED = "DEGRADED"  # it was uploaded, and has fewer replicas than it should
    FAILED = "FAILED"  # nobody is left who could take what is missing; it is tried again
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
    billed: int  # of its present and past terms, as far as bills were due and paid
    next_deadline: tuple[str, float] | None
    trouble: str


@dataclass(frozen=True, slots=True)
class UploadStatus:
    """`replicas`: how many each chunk has; `sent_bytes`: what providers have acknowledged."""

    upload_id: str
    cid: str
    state: FileAt
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


def file_at(
    upload: Upload, chunks: Sequence[Sequence[LinkState]], *, is_searching: bool
) -> FileAt:
    """`is_searching`: providers are looked for, or may be."""
    if upload.is_released:
        return FileAt.RELEASED
    if all(held(links) >= upload.redundancy for links in chunks):
        return FileAt.UPLOADED
    live = [link for links in chunks for link in links if link.is_live]
    if any(link.is_paused for link in live):
        return FileAt.PAUSED
    if upload.uploaded_at:
        return FileAt.DEGRADED
    in_flight = any(not link.is_held for link in live)
    return FileAt.UPLOADING if in_flight or is_searching else FileAt.FAILED


def file_words(
    upload: Upload, at: FileAt, chunks: Sequence[Sequence[LinkState]], sent_bytes: int
) -> str:
    """What is going on, for people."""
    wanted = upload.redundancy * len(chunks)
    have = sum(min(held(links), upload.redundancy) for links in chunks)
    live = Counter(link.at for links in chunks for link in links if link.is_live)
    under_way = ", ".join(f"{n} {at.value}" for at, n in live.items() if at is not At.SIGNED)
    beside = f"; under way: {under_way}" if under_way else ""
    match at:
        case FileAt.RELEASED:
            return "released: providers need not keep it"
        case FileAt.UPLOADED:
            return f"kept: {have} of {wanted} replicas are signed{beside}"
        case FileAt.PAUSED:
            paused = next(x for links in chunks for x in links if x.is_paused)
            return f"paused, {have} of {wanted} replicas are signed: {paused.why}"
        case FileAt.DEGRADED:
            return f"degraded: {have} of {wanted} replicas are left{beside}"
        case FileAt.FAILED:
            return f"{have} of {wanted} replicas; no provider is left for the others{beside}"
    sent = format_size(sent_bytes)
    return f"uploading: {have} of {wanted} replicas are signed, {sent} sent{beside}"


def paid_of(link: LinkState) -> int:
    """What was paid for the terms of a link, as far as they are remembered."""
    return sum(_paid(term) for term in link.terms)


def _paid(term: Term) -> int:
    return sum(term.bill(index).amount for index in range(term.settled))
