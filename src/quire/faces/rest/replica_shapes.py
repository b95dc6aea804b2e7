"""The JSON shapes of files that are kept as sealed replicas. Amounts of tokens are texts."""

from __future__ import annotations

from quire.faces.rest.purchase_shapes import NoteBody, WaitsFor
from quire.faces.rest.shape import Shape
from quire.services.retail.retrieve import FoundFile
from quire.services.retail.upload_status import LinkStatus, UploadStatus
from quire.store.journal import Note


class ReplicaLink(Shape, frozen=True):
    """One link: one replica of one chunk at one provider. `state`: CREATED AGREED
    ESTABLISH_PAYMENT_CHANNEL ENCRYPTING ENCRYPTED SENDING_SEGMENT_MAP SENDING_DATA DATA_RECEIVED
    ASKING_FOR_SIGNATURE PAYING SIGNED RENEWING FAILED LOST EXPIRED RELEASED."""

    id: str
    chunk: int
    peer: str
    replica: int
    state: str
    words: str
    acked_blocks: int
    blocks: int
    expires_at: int
    paid: str
    waits_for: WaitsFor | None
    trouble: str


class ReplicaUpload(Shape, frozen=True):
    """`state`: CREATED UPLOADING PAUSED UPLOADED DEGRADED FAILED RELEASED. `replicas`: how many
    each chunk has; `links` and `history` of a single one only. Times in unix seconds, those of
    terms of the chain."""

    id: str
    cid: str
    state: str
    words: str
    redundancy: int
    size: int
    expires_at: int
    autorenew: bool
    budget: str | None
    created_at: float
    replicas: tuple[int, ...]
    sent_bytes: int
    paid: str
    map_version: int
    links: tuple[ReplicaLink, ...]
    history: tuple[NoteBody, ...]


class ReplicaUploads(Shape, frozen=True):
    content: list[ReplicaUpload]


class ReplicaHolder(Shape, frozen=True):
    """`price`: of a byte read, when the map was made."""

    chunk: int
    peer: str
    expires_at: int
    price: str


class FoundReplicas(Shape, frozen=True):
    """`manifest`: the manifest block in base 64."""

    cid: str
    version: int
    manifest: bytes
    size: int
    holders: list[ReplicaHolder]


def upload_body(status: UploadStatus, history: list[Note], *, is_whole: bool) -> ReplicaUpload:
    return ReplicaUpload(
        id=status.upload_id,
        cid=status.cid,
        state=status.state,
        words=status.words,
        redundancy=status.redundancy,
        size=status.size_bytes,
        expires_at=status.expires_at,
        autorenew=status.is_autorenewed,
        budget=None if status.budget is None else str(status.budget),
        created_at=status.created_at,
        replicas=status.replicas,
        sent_bytes=status.sent_bytes,
        paid=str(status.paid),
        map_version=status.map_version,
        links=tuple(map(_link, status.links)) if is_whole else (),
        history=tuple(NoteBody(note.at, note.note) for note in history),
    )


def found_body(found: FoundFile, cid: str) -> FoundReplicas:
    return FoundReplicas(
        cid=cid,
        version=found.version,
        manifest=found.holders.manifest,
        size=found.manifest.dataset_size,
        holders=[
            ReplicaHolder(each.chunk, each.peer, each.expires_at, str(each.price))
            for each in found.holders.replicas
        ],
    )


def _link(link: LinkStatus) -> ReplicaLink:
    waits = link.next_deadline
    return ReplicaLink(
        id=link.link_id,
        chunk=link.chunk,
        peer=link.peer,
        replica=link.replica,
        state=link.state,
        words=link.words,
        acked_blocks=link.acked_blocks,
        blocks=link.blocks,
        expires_at=link.expires_at,
        paid=str(link.paid),
        waits_for=None if waits is None else WaitsFor(*waits),
        trouble=link.trouble,
    )
