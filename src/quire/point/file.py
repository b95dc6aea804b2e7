"""A file by its chunks, and what is said of it.

    CREATED ─► UPLOADING ─► UPLOADED ◄─► DEGRADED          FAILED: a chunk found no provider

Source   point.md 1.3, 6.5
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from quire.point.chunk import ChunkState, ChunkView, Wanted


class FileState(StrEnum):
    CREATED = "CREATED"
    UPLOADING = "UPLOADING"
    UPLOADED = "UPLOADED"
    DEGRADED = "DEGRADED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class FileView:
    """`signed` and `wanted`: replicas of all chunks together."""

    state: FileState
    chunks: int
    uploaded: int
    signed: int
    wanted: int
    words: str


def merge(old: Wanted, new: Wanted) -> Wanted:
    """What is wanted when the same file is put again: the more of both."""
    return replace(
        old,
        redundancy=max(old.redundancy, new.redundancy),
        expires_at=max(old.expires_at, new.expires_at),
        is_autorenewed=old.is_autorenewed or new.is_autorenewed,
    )


def file_view(chunks: Sequence[ChunkView], redundancy: int, *, is_begun: bool = True) -> FileView:
    """The file by all its chunks; not `is_begun`: no link was opened yet."""
    states = [chunk.state for chunk in chunks]
    uploaded = states.count(ChunkState.UPLOADED)
    signed = sum(min(chunk.signed, redundancy) for chunk in chunks)
    wanted = redundancy * len(chunks)
    if uploaded == len(chunks):
        state = FileState.UPLOADED
    elif ChunkState.FAILED in states:
        state = FileState.FAILED
    elif ChunkState.DEGRADED in states:
        state = FileState.DEGRADED
    else:
        state = FileState.UPLOADING if is_begun else FileState.CREATED
    words = _words(state, len(chunks), uploaded, signed, wanted)
    return FileView(state, len(chunks), uploaded, signed, wanted, words)


def _words(state: FileState, chunks: int, uploaded: int, signed: int, wanted: int) -> str:
    replicas = f"{signed} of {wanted} replicas are signed and paid"
    match state:
        case FileState.CREATED:
            return f"written down; {chunks} chunks are to be placed"
        case FileState.UPLOADING:
            return f"{replicas}; {uploaded} of {chunks} chunks are safe"
        case FileState.UPLOADED:
            return f"all {chunks} chunks are safe: {replicas}"
        case FileState.DEGRADED:
            return f"{replicas}: too few, others are being placed"
    return f"{replicas}: there is no provider for the others"
