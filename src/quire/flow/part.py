"""A part of a resumable upload, the plan it belongs to, and what can be wrong with them."""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.errors import InputError, NotFound, QuotaExceeded, Refused
from quire.formats.tus import Checksum


class UploadGone(NotFound):
    """The upload existed; it was removed, or its time was up."""

    code, http = "upload-gone", 410
    hint = "begin a new upload"


class LargerThanQuota(QuotaExceeded):
    """It does not fit now, and never will."""

    http = 413


class OffsetMismatch(Refused):
    """The bytes do not follow what is here. `facts["offset"]` tells where to go on."""

    code, http = "offset-mismatch", 409


class ChecksumMismatch(InputError):
    """The body is not what its checksum says; nothing of it was kept."""

    code, http, retry = "checksum-mismatch", 460, True


@dataclass(frozen=True, slots=True)
class UploadPlan:
    """What is known of a resumable upload when it is created."""

    block_size: int
    length: int | None = None
    filename: str | None = None
    mimetype: str | None = None
    headers: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One body: where it belongs, and what it should hash to."""

    offset: int
    length: int | None = None  # of the whole upload, when it becomes known only now
    size: int | None = None  # of the body, when it is known
    checksum: Checksum | None = None
