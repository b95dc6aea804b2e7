"""One file that is kept as sealed replicas, as the journal has it.

The links are machines with records of their own; here is what the owner asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from quire.base.errors import BadEncoding, BadManifest
from quire.formats.cid import Cid, manifest_cid
from quire.formats.manifest import Manifest, decode_manifest
from quire.point.chunk import Wanted
from quire.point.cut import Chunk, cut
from quire.point.values import CHUNK_BLOCKS_LEAST, CHUNK_BLOCKS_MOST, LINK_ID_BYTES

FORMAT = 1
REDUNDANCY_MOST = 32
SECONDS_LEAST = 600
SECONDS_MOST = 10 * 366 * 86_400
_NUMBER_MOST = 1 << 256


@dataclass(frozen=True, slots=True)
class Upload:
    """`manifest`: the bytes of the manifest block; `locked_cap`: the repair capability, encrypted
    (`cap_box.py`). Times in unix seconds, of the chain but for `created_at`.

    seconds       of a term
    wanted_until  until when the owner wants it, unless it is renewed
    budget        most that one term of all replicas may cost; None: whatever the price
    map_version   of the newest map of replicas that may have been sent
    uploaded_at   when every chunk had its replicas for the first time; 0: not yet
    is_degraded   a chunk has had fewer than it should since then
    """

    upload_id: bytes
    manifest: bytes
    locked_cap: bytes
    chunk_blocks: int
    redundancy: int
    seconds: int
    wanted_until: int
    is_autorenewed: bool
    budget: int | None
    created_at: float
    map_version: int = 0
    uploaded_at: int = 0
    is_degraded: bool = False
    is_released: bool = False

    @property
    def key(self) -> str:
        """Its id as text."""
        return self.upload_id.hex()

    @property
    def cid(self) -> Cid:
        return manifest_cid(self.manifest)

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.redundancy, self.wanted_until, self.is_autorenewed)

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        return cut(self.contents.dataset_size, self.chunk_blocks)

    @property
    def contents(self) -> Manifest:
        return decode_manifest(self.manifest)


@dataclass(frozen=True, slots=True)
class _Record:
    format: int
    upload: Upload


def encode_upload(upload: Upload) -> bytes:
    return msgspec.json.encode(_Record(FORMAT, upload))


def decode_upload(data: bytes) -> Upload:
    """What `encode_upload` was given. Raises BadEncoding."""
    try:
        record = msgspec.json.decode(data, type=_Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadEncoding(f"the record of an upload cannot be read: {error}") from None
    upload = record.upload
    if record.format != FORMAT or len(upload.upload_id) != LINK_ID_BYTES:
        raise BadEncoding(f"the record of an upload has format {record.format} or a bad id")
    try:
        upload.contents  # noqa: B018
    except BadManifest as error:
        raise BadEncoding(f"the record of an upload has no manifest: {error.message}") from None
    numbers = {
        "chunk_blocks": (CHUNK_BLOCKS_LEAST, CHUNK_BLOCKS_MOST),
        "redundancy": (1, REDUNDANCY_MOST),
        "seconds": (1, SECONDS_MOST),
        "wanted_until": (0, 1 << 62),
        "map_version": (0, 1 << 62),
        "uploaded_at": (0, 1 << 62),
        "budget": (0, _NUMBER_MOST),
    }
    for name, (least, most) in numbers.items():
        value = getattr(upload, name)
        if value is not None and not least <= value <= most:
            raise BadEncoding(f"the record of an upload has {name} {value}")
    return upload
