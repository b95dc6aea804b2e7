"""What the store knows of a dataset, of its tree, and of its own size."""

from __future__ import annotations

from dataclasses import dataclass, field

from quire.base.ranges import RangeSet
from quire.formats.cid import Cid
from quire.formats.manifest import Manifest
from quire.store.withheld import REPLICA

# From the strongest reason to the weakest. replica: sealed, kept for a client who pays; job: of an
# aggregator, for a customer who pays; lease: the time that an upload was given; cache: what was
# fetched, or passed through.
KINDS = ("pin", "name", "request", "slot", "replica", "job", "lease", "cache")


@dataclass(frozen=True, slots=True)
class RetentionRoot:
    """One reason why a dataset is kept."""

    kind: str  # one of KINDS
    name: str  # unique within the kind; empty for the node's own
    expires_at: float | None  # unix seconds, None = never


@dataclass(frozen=True, slots=True)
class Dataset:
    """A manifest that the store holds, with the state of its blocks when it was asked for."""

    manifest_cid: Cid
    manifest: Manifest
    manifest_bytes: bytes
    created_at: float  # unix seconds
    roots: tuple[RetentionRoot, ...]
    present_count: int

    @property
    def kept_until(self) -> float | None:
        """Unix seconds at which the last root ends; None never, 0 when nothing keeps it."""
        ends = [root.expires_at for root in self.roots]
        return None if None in ends else max((e for e in ends if e is not None), default=0.0)

    @property
    def is_replica(self) -> bool:
        """Whether it is kept as a sealed replica and as nothing else: others are not told of it."""
        return bool(self.roots) and all(root.kind == REPLICA for root in self.roots)

    @property
    def tree_root(self) -> bytes:
        return self.manifest.tree_cid.digest

    @property
    def block_count(self) -> int:
        return self.manifest.block_count

    @property
    def is_complete(self) -> bool:
        return self.present_count == self.block_count


@dataclass(frozen=True, slots=True)
class Holding:
    """As much of a dataset as the network is told."""

    manifest_cid: Cid
    tree_cid: Cid
    has_blocks: bool


@dataclass(frozen=True, slots=True)
class TreeState:
    """A snapshot of a tree; `present` is a copy that the caller may change.

    padding      leaves of `present` for which zeros stand, not blocks; empty for a complete tree
    is_replica   it is kept as a sealed replica and as nothing else
    is_withheld  the exchange does not serve it, because it is (store/withheld.py)
    """

    root: bytes
    leaf_count: int
    block_size: int
    present: RangeSet
    padding: RangeSet = field(default_factory=RangeSet)
    is_replica: bool = False
    is_withheld: bool = False

    @property
    def blocks(self) -> RangeSet:
        """What others may be given."""
        return self.present.minus(self.padding)


@dataclass(frozen=True, slots=True)
class Space:
    """Sizes as the Codex API counts them: blocks and manifests, without the index."""

    total_blocks: int  # manifests included
    quota_max_bytes: int
    quota_used_bytes: int
    quota_reserved_bytes: int  # promised to running writes, and offered for rent
