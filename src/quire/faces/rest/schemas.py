"""The JSON shapes of the API, field order as the reference emits them (content.md 6.3)."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType

from quire.faces.rest.protect_shapes import ProtectStatus
from quire.faces.rest.shape import Shape
from quire.node.finding import Finding
from quire.store.dataset import Dataset


class ManifestBody(Shape, frozen=True):
    tree_cid: str
    dataset_size: int
    block_size: int
    filename: str | None
    mimetype: str | None
    protected: bool
    verifiable: bool | UnsetType = UNSET


class DataItem(Shape, frozen=True):
    cid: str
    manifest: ManifestBody


class DataList(Shape, frozen=True):
    """`cursor`: only after `limit`, and only when more may follow."""

    content: list[DataItem]
    cursor: str | UnsetType = UNSET


class SpaceBody(Shape, frozen=True):
    total_blocks: int
    quota_max_bytes: int
    quota_used_bytes: int
    quota_reserved_bytes: int


class PeerIdBody(Shape, frozen=True):
    id: str


class SprBody(Shape, frozen=True):
    spr: str


class TableNode(Shape, frozen=True):
    node_id: str
    peer_id: str
    record: str
    address: str | None
    seen: bool


class Table(Shape, frozen=True):
    local_node: TableNode
    nodes: list[TableNode]


class RootBody(Shape, frozen=True):
    """One reason why a dataset is kept; `expiresAt` in unix seconds, null for ever."""

    kind: str
    name: str
    expires_at: float | None


class DatasetStat(Shape, frozen=True):
    """What this node holds of a dataset."""

    cid: str
    manifest: ManifestBody
    present_blocks: int
    total_blocks: int
    complete: bool
    created_at: float
    expires_at: float | None
    roots: list[RootBody]


class StatList(Shape, frozen=True):
    content: list[DatasetStat]


class FetchStatus(Shape, frozen=True):
    """A background fetch. `state`: searching, fetching, complete, failed, cancelled."""

    cid: str
    state: str
    verified_bytes: int
    total_bytes: int | None
    rate_bytes_per_second: float
    eta_seconds: float | None
    peers: dict[str, int]
    reason: str
    error: dict[str, Any] | None = None


class UploadState(Shape, frozen=True):
    """A resumable upload. `state`: ready (for more bytes), receiving, complete."""

    id: str
    url: str
    state: str
    received_bytes: int
    durable_bytes: int
    length: int | None
    filename: str | None
    mimetype: str | None
    created_at: float
    expires_at: float
    cid: str | None


class UploadList(Shape, frozen=True):
    uploads: list[UploadState]


class PeerBody(Shape, frozen=True):
    """A connection. Bytes are payload exchanged with the peer since this node started; what was
    received counts once it is verified."""

    peer_id: str
    address: str
    outgoing: bool
    since: float
    agent: str
    protocols: list[str]
    sent_bytes: int
    received_bytes: int


class PastPeer(Shape, frozen=True):
    """A peer that gave or took bytes and is not connected any more."""

    peer_id: str
    sent_bytes: int
    received_bytes: int


class WantedPeer(Shape, frozen=True):
    """A peer that the node tries to be connected to. `state`: connected, dialling, waiting."""

    peer_id: str
    state: str
    bootstrap: bool
    failures: int
    reason: str
    next_in_seconds: float


class BannedPeer(Shape, frozen=True):
    """A peer that lied, for how much longer it is refused, and what it did."""

    peer_id: str
    remaining_seconds: float
    reason: str


class PeerList(Shape, frozen=True):
    peers: list[PeerBody]
    wanted: list[WantedPeer]
    past: list[PastPeer]
    banned: list[BannedPeer]


class LagBody(Shape, frozen=True):
    p50_ms: float
    p99_ms: float


class AnnounceBody(Shape, frozen=True):
    queued: int
    published: int
    failed: int


class ScrubBody(Shape, frozen=True):
    """The reading for damage. `state`: off, reading, paused (the node is busy), resting. Bytes of
    this pass; blocks of all passes; times in unix seconds."""

    state: str
    read_bytes: int
    total_bytes: int
    lost_blocks: int
    last_ended_at: float | None
    next_at: float | None


class LostBody(Shape, frozen=True):
    """What a dataset lacks: bytes from the first number up to, not including, the second."""

    cid: str
    filename: str | None
    byte_ranges: list[list[int]]


class FsckBody(Shape, frozen=True):
    """A check of the store. `state`: index, blocks, network, done, failed, cancelled. `good`: it
    is done, and everything is whole now."""

    state: str
    started_at: float
    read_bytes: int
    total_bytes: int
    good: bool
    index_problems: list[str]
    index_left: list[str]
    damaged_blocks: int
    repaired_blocks: int
    dropped_slot_trees: int
    damaged: list[LostBody]
    lost: list[LostBody]
    words: list[str]


class TransferBody(Shape, frozen=True):
    """An upload or download of a client. `subject`: file name or CID."""

    id: int
    subject: str
    done_bytes: int
    total_bytes: int | None
    seconds: float


class CheckBody(Shape, frozen=True):
    """A peer's last attempt to connect to one of our addresses; an empty `problem` is a success."""

    address: str
    server: str
    at: float
    problem: str


class MappingBody(Shape, frozen=True):
    local: str
    external: str


class RelayBody(Shape, frozen=True):
    peer: str
    address: str


class ReachBody(Shape, frozen=True):
    """Whether others reach this node, and how that was found out."""

    status: str
    announced: list[str]
    verified: list[str]
    observed: list[str]
    gateway: str
    mappings: list[MappingBody]
    relays: list[RelayBody]
    upgraded: list[str]
    not_upgraded: list[str]
    checks: list[CheckBody]
    testers: int
    relay_offers: int


class ProofQueueBody(Shape, frozen=True):
    """Storage proofs: how many wait and are being made, and what came of those before."""

    waiting: int
    running: int
    complete: int
    failed: int
    late: int
    cancelled: int


class StatusBody(Shape, frozen=True):
    """The node at this moment. `exchange`: what is being asked of whom, and who asks this node."""

    peer_id: str
    version: str
    profile: str
    uptime_seconds: float
    addresses: list[str]
    reachability: ReachBody
    spr: str
    peers: int
    space: SpaceBody
    uploads: list[TransferBody]
    downloads: list[TransferBody]
    fetches: list[FetchStatus]
    protections: list[ProtectStatus]
    proofs: ProofQueueBody
    announce: AnnounceBody
    exchange: dict[str, Any]
    waits: list[dict[str, Any]]
    scrub: ScrubBody
    loop_lag: LagBody


class VersionBody(Shape, frozen=True):
    name: str
    version: str
    profile: str


class Doctor(Shape, frozen=True):
    findings: list[Finding]


class ErrorBody(Shape, frozen=True):
    """Every error, at /api/quire/v1 and wherever JSON is asked for."""

    code: str
    message: str
    retry: bool | UnsetType = UNSET
    hint: str | UnsetType = UNSET
    facts: dict[str, str] | UnsetType = UNSET


def manifest_body(dataset: Dataset) -> ManifestBody:
    manifest = dataset.manifest
    return ManifestBody(
        tree_cid=str(manifest.tree_cid),
        dataset_size=manifest.dataset_size,
        block_size=manifest.block_size,
        filename=manifest.filename,
        mimetype=manifest.mimetype,
        protected=manifest.is_protected,
        verifiable=manifest.is_verifiable if manifest.is_protected else UNSET,
    )


def data_item(dataset: Dataset) -> DataItem:
    return DataItem(str(dataset.manifest_cid), manifest_body(dataset))


def dataset_stat(dataset: Dataset) -> DatasetStat:
    """`expiresAt` is that of the root that lasts longest; null for ever, 0 without roots."""
    return DatasetStat(
        cid=str(dataset.manifest_cid),
        manifest=manifest_body(dataset),
        present_blocks=dataset.present_count,
        total_blocks=dataset.block_count,
        complete=dataset.is_complete,
        created_at=dataset.created_at,
        expires_at=dataset.kept_until,
        roots=[RootBody(r.kind, r.name, r.expires_at) for r in dataset.roots],
    )
