"""The JSON shapes of retention: roots, names, collections, and where the bytes are."""

from __future__ import annotations

from quire.faces.rest.shape import Shape
from quire.node.kept import kept_in_words, root_in_words
from quire.node.node import Node
from quire.store.dataset import Dataset
from quire.store.usage import Usage


class RootInWords(Shape, frozen=True):
    """One reason why a dataset is kept; `expiresAt` in unix seconds, null for ever."""

    kind: str
    name: str
    expires_at: float | None
    words: str


class RootsBody(Shape, frozen=True):
    """Why a dataset is kept. `keptUntil`: unix seconds, null for ever, 0 when nothing keeps it."""

    cid: str
    kept: bool
    kept_until: float | None
    words: str
    roots: list[RootInWords]


class NameBody(Shape, frozen=True):
    """A name and what it names; `was`: what it named before it was moved."""

    name: str
    cid: str
    was: str | None = None


class NameList(Shape, frozen=True):
    names: list[NameBody]


class NameTarget(Shape, frozen=True):
    cid: str


class DoomedBody(Shape, frozen=True):
    """A dataset that goes at the next collection; `endedAt` 0: it has no root at all."""

    cid: str
    filename: str | None
    size: int
    ended_at: float
    words: str


class CollectionBody(Shape, frozen=True):
    """What a collection would delete, or has. `freedBytes` counts blocks that nobody else shares;
    `exact` false: at most so many. `more`: there are datasets beyond those listed."""

    datasets: list[DoomedBody]
    freed_bytes: int
    exact: bool
    more: bool
    held: list[str]
    next_at: float
    deleted: int = 0


class ShareBody(Shape, frozen=True):
    """`kind`: the strongest reason of the datasets that are counted here."""

    kind: str
    datasets: int
    bytes: int


class UsageBody(Shape, frozen=True):
    """Where the bytes are."""

    quota_max_bytes: int
    quota_used_bytes: int
    quota_reserved_bytes: int
    kept: list[ShareBody]
    shared_bytes: int
    unfinished_bytes: int
    deleted_bytes: int
    freed_bytes: int
    pack_bytes: int
    free_bytes: int
    words: list[str]


def roots_body(dataset: Dataset, node: Node) -> RootsBody:
    now = node.clock.now()
    until = dataset.kept_until
    return RootsBody(
        cid=str(dataset.manifest_cid),
        kept=until is None or until > now,
        kept_until=until,
        words=kept_in_words(dataset, now, node.maintenance.next_at),
        roots=[
            RootInWords(r.kind, r.name, r.expires_at, root_in_words(r, now)) for r in dataset.roots
        ],
    )


def usage_body(usage: Usage, node: Node, words: list[str]) -> UsageBody:
    space = node.store.space()
    return UsageBody(
        quota_max_bytes=space.quota_max_bytes,
        quota_used_bytes=space.quota_used_bytes,
        quota_reserved_bytes=space.quota_reserved_bytes,
        kept=[ShareBody(s.kind, s.datasets, s.stored_bytes) for s in usage.shares],
        shared_bytes=usage.shared_bytes,
        unfinished_bytes=usage.unfinished_bytes,
        deleted_bytes=usage.deleted_bytes,
        freed_bytes=usage.freed_bytes,
        pack_bytes=usage.pack_bytes,
        free_bytes=usage.free_bytes,
        words=words,
    )
