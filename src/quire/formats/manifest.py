"""The record that names a dataset: its tree, its sizes, and how it is protected.

    Header { tree CID, block size, dataset size, codec, hash, version, [erasure], [name], [mime] }

A manifest is plain, protected (erasure-coded k + m), or verifiable (protected, with the roots of
its slots). Its CID depends on every byte, so encoding is byte-identical with the reference, and
what was decoded is kept as it came. A `Manifest` that exists is consistent.
Source   content.md 3; vectors/manifest.json
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.errors import BadCid, BadEncoding, BadManifest, InputError
from quire.formats.cid import (
    CODEC_BLOCK,
    CODEC_PROVING_ROOT,
    CODEC_SLOT_ROOT,
    Cid,
    is_tree,
)
from quire.formats.merkle import EMPTY_TREE_ROOT
from quire.formats.multihash import HASH_SHA256
from quire.formats.names import check_received_filename, is_known_mimetype, is_mimetype
from quire.formats.protobuf import Fields, bytes_field, uint_field
from quire.formats.varint import Buffer

MIN_BLOCK_BYTES = 4096
MAX_BLOCK_BYTES = 1 << 20
MAX_DATASET_BYTES = (1 << 63) - 1  # sizes are signed 64-bit numbers in the reference
MAX_SLOTS = 1 << 16  # k + m: the Galois field has no more points
MAX_PLAIN_BYTES = 1 << 16
MAX_MANIFEST_BYTES = 4 << 20  # 65 536 slot roots of 40 bytes, and the rest

LINEAR, STEPPED = 0, 1

_CIDV1 = 2  # the reference writes the ordinal of its enum, in which CIDv1 is 2


@dataclass(frozen=True, slots=True)
class Verification:
    """What makes a protected dataset provable: one root per slot and the root over them."""

    verify_root: Cid
    slot_roots: tuple[Cid, ...]
    cell_size: int
    strategy: int = LINEAR


@dataclass(frozen=True, slots=True)
class Protection:
    """Erasure coding into k data and m parity blocks per group, and the dataset before it."""

    k: int
    m: int
    original_tree_cid: Cid
    original_dataset_size: int
    strategy: int = STEPPED
    verification: Verification | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A dataset's description. Raises `BadManifest` on construction when it contradicts itself."""

    tree_cid: Cid
    block_size: int
    dataset_size: int  # real bytes; of a protected dataset all blocks, parity included
    filename: str | None = None
    mimetype: str | None = None
    protection: Protection | None = None

    def __post_init__(self) -> None:
        _check_sizes(self)
        _check_names(self)
        if self.protection is not None:
            _check_protection(self, self.protection)

    @property
    def block_count(self) -> int:
        """Leaves of the tree; 0 for a dataset without bytes."""
        return -(-self.dataset_size // self.block_size)

    @property
    def original_size(self) -> int:
        """Bytes that a download returns."""
        protection = self.protection
        return self.dataset_size if protection is None else protection.original_dataset_size

    @property
    def original_tree_cid(self) -> Cid:
        """The tree over the bytes as they were uploaded, without parity."""
        protection = self.protection
        return self.tree_cid if protection is None else protection.original_tree_cid

    @property
    def original_block_count(self) -> int:
        """Blocks that hold those bytes; they are the first blocks of a protected dataset."""
        return -(-self.original_size // self.block_size)

    @property
    def is_protected(self) -> bool:
        return self.protection is not None

    @property
    def is_verifiable(self) -> bool:
        return self.protection is not None and self.protection.verification is not None


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest's bytes in dialect C. Hashed as they are, never padded."""
    header = [
        bytes_field(1, manifest.tree_cid.encode()),
        uint_field(2, manifest.block_size),
        uint_field(3, manifest.dataset_size),
        uint_field(4, CODEC_BLOCK),
        uint_field(5, HASH_SHA256),
        uint_field(6, _CIDV1),
    ]
    if manifest.protection is not None:
        header.append(bytes_field(7, _encode_protection(manifest.protection)))
    if manifest.filename:
        header.append(bytes_field(8, manifest.filename.encode()))
    if manifest.mimetype:
        header.append(bytes_field(9, manifest.mimetype.encode()))
    return bytes_field(1, b"".join(header))


def decode_manifest(data: Buffer) -> Manifest:
    """The manifest of its bytes, in dialect C or S.

    Raises   BadManifest  malformed, contradictory, or outside a limit
    """
    try:
        outer = Fields(data, max_bytes=MAX_MANIFEST_BYTES)
        if not outer.has(1):
            raise BadManifest("a manifest has no header; it may be another kind of block")
        manifest = _decode_header(Fields(outer.blob(1), max_bytes=MAX_MANIFEST_BYTES))
    except (BadEncoding, BadCid) as error:
        raise BadManifest(f"a manifest of {len(data)} bytes is broken: {error.message}") from None
    if manifest.protection is None and len(data) > MAX_PLAIN_BYTES:
        raise BadManifest(f"a plain manifest of {len(data)} bytes is above {MAX_PLAIN_BYTES}")
    return manifest


def _encode_protection(protection: Protection) -> bytes:
    fields = [
        uint_field(1, protection.k),
        uint_field(2, protection.m),
        bytes_field(3, protection.original_tree_cid.encode()),
        uint_field(4, protection.original_dataset_size),
        uint_field(5, protection.strategy),
    ]
    verification = protection.verification
    if verification is not None:
        inner = [bytes_field(1, verification.verify_root.encode())]
        inner += (bytes_field(2, root.encode()) for root in verification.slot_roots)
        inner += (uint_field(3, verification.cell_size), uint_field(4, verification.strategy))
        fields.append(bytes_field(6, b"".join(inner)))
    return b"".join(fields)


def _decode_header(header: Fields) -> Manifest:
    if header.uint(4, bits=32) != CODEC_BLOCK or header.uint(5, bits=32) != HASH_SHA256:
        raise BadManifest("a manifest names another kind of block or hash than Codex has")
    if header.uint(6, bits=32) != _CIDV1:
        raise BadManifest(f"a manifest asks for CID version {header.uint(6)}, known is {_CIDV1}")
    protection, filename, mimetype = _decode_dialect(header)
    return Manifest(
        tree_cid=Cid.decode(header.blob(1)),
        block_size=header.uint(2, bits=32),
        dataset_size=header.uint(3),
        filename=filename,
        mimetype=mimetype,
        protection=protection,
    )


def _decode_dialect(header: Fields) -> tuple[Protection | None, str | None, str | None]:
    """Protection, filename and media type; content.md 3.5 tells the dialects apart.

    C    7 erasure, 8 filename, 9 media type        S    7 filename, 8 media type
    """
    if header.has(7) and (header.has(9) or _is_protection(header.blob(7))):
        return _decode_protection(header.blob(7)), header.text(8), header.text(9)
    if header.has(7):
        return None, header.text(7), header.text(8)
    only = header.text(8)
    if not header.has(9) and only is not None and is_known_mimetype(only):
        return None, None, only
    return None, only, header.text(9)


def _is_protection(data: memoryview) -> bool:
    """No file name begins with byte 8, the tag that erasure information always begins with."""
    return data[0] == 0x08


def _decode_protection(data: memoryview) -> Protection:
    fields = Fields(data, max_bytes=MAX_MANIFEST_BYTES)
    verification = None
    if fields.has(6):
        inner = Fields(fields.blob(6), max_bytes=MAX_MANIFEST_BYTES, max_fields=MAX_SLOTS + 16)
        verification = Verification(
            verify_root=Cid.decode(inner.blob(1)),
            slot_roots=tuple(Cid.decode(root) for root in inner.blobs(2)),
            cell_size=inner.uint(3, bits=32),
            strategy=inner.uint(4, bits=32),
        )
    return Protection(
        k=fields.uint(1, bits=32),
        m=fields.uint(2, bits=32),
        original_tree_cid=Cid.decode(fields.blob(3)),
        original_dataset_size=fields.uint(4),
        strategy=fields.uint(5, bits=32),
        verification=verification,
    )


def _check_sizes(manifest: Manifest) -> None:
    size, block = manifest.dataset_size, manifest.block_size
    if not MIN_BLOCK_BYTES <= block <= MAX_BLOCK_BYTES or block & (block - 1):
        raise BadManifest(
            f"a block size of {block} bytes is not a power of two from {MIN_BLOCK_BYTES} "
            f"to {MAX_BLOCK_BYTES}"
        )
    if not 0 <= size <= MAX_DATASET_BYTES:
        raise BadManifest(f"a dataset of {size} bytes cannot exist")
    if not is_tree(manifest.tree_cid):
        raise BadManifest(f"{manifest.tree_cid} is not the CID of a dataset's tree")
    if (size == 0) != (manifest.tree_cid.digest == EMPTY_TREE_ROOT):
        raise BadManifest(f"{manifest.tree_cid} cannot be the tree of a dataset of {size} bytes")


def _check_names(manifest: Manifest) -> None:
    if manifest.filename is not None:
        try:
            check_received_filename(manifest.filename)
        except InputError as error:
            raise BadManifest(f"a manifest is refused: {error.message}") from None
    if manifest.mimetype is not None and not is_mimetype(manifest.mimetype):
        raise BadManifest(f"{manifest.mimetype[:200]!r} is not a media type")


def _check_protection(manifest: Manifest, protection: Protection) -> None:
    k, m = protection.k, protection.m
    if k < 1 or m < 1 or k + m > MAX_SLOTS:
        raise BadManifest(f"a protection of {k} + {m} blocks per group cannot exist")
    if not is_tree(protection.original_tree_cid):
        raise BadManifest(f"{protection.original_tree_cid} is not the CID of a dataset's tree")
    if not 0 < protection.original_dataset_size <= MAX_DATASET_BYTES:
        raise BadManifest(f"an original of {protection.original_dataset_size} bytes cannot exist")
    if protection.strategy not in (LINEAR, STEPPED):
        raise BadManifest(f"strategy {protection.strategy} is not known")
    steps = -(-manifest.original_block_count // k)
    if manifest.dataset_size != manifest.block_size * steps * (k + m):
        raise BadManifest(
            f"a protected dataset of {manifest.dataset_size} bytes does not fit {k} + {m} blocks "
            f"for each {k} of {manifest.original_block_count}"
        )
    if protection.verification is not None:
        _check_verification(manifest, k + m, protection.verification)


def _check_verification(manifest: Manifest, slots: int, verification: Verification) -> None:
    if len(verification.slot_roots) != slots:
        raise BadManifest(f"{len(verification.slot_roots)} slot roots are not one for each {slots}")
    if verification.verify_root.codec != CODEC_PROVING_ROOT:
        raise BadManifest(f"{verification.verify_root} is not a verify root")
    if any(root.codec != CODEC_SLOT_ROOT for root in verification.slot_roots):
        raise BadManifest("a slot root is not the CID of a slot root")
    if verification.strategy not in (LINEAR, STEPPED):
        raise BadManifest(f"strategy {verification.strategy} is not known")
    cell = verification.cell_size
    if cell < 1 or manifest.block_size % cell:
        raise BadManifest(f"a cell of {cell} bytes does not divide a block")
