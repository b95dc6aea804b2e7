"""What each node has promised, as a model that knows only what users were told.

A dataset is *sure* at a node from when an upload or a fetch was acknowledged until a deletion
begins or the last retention root that the model knows of expires. What overlaps with a deletion is
left undecided: either outcome is right. Once a deletion has been acknowledged and nothing that
could bring the dataset back has begun, it must be gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from quire.formats.cid import Cid
from quire.store.dataset import RetentionRoot


@dataclass(slots=True)
class Holding:
    """One dataset at one node."""

    roots: dict[tuple[str, str], float | None] = field(default_factory=dict)  # -> expires at
    is_sure: bool = False
    is_gone: bool = False
    may_expire: bool = False  # some root with an end was given since the last deletion
    deletions: int = 0  # begun so far
    deleting: int = 0  # under way
    writes: int = 0  # operations begun so far that may bring the dataset here
    writing: int = 0  # those under way


@dataclass(frozen=True, slots=True)
class Token:
    """An operation that may bring a dataset to a node, from its begin to its end."""

    holding: Holding
    deletions: int
    is_clear: bool  # no deletion was under way when it began


class Promises:
    """All holdings, by name of the node and CID."""

    def __init__(self) -> None:
        self._holdings: dict[tuple[str, Cid], Holding] = {}

    def of(self, node: str, cid: Cid) -> Holding:
        return self._holdings.setdefault((node, cid), Holding())

    def begin_write(self, node: str, cid: Cid) -> Token:
        """An upload, fetch or read begins."""
        holding = self.of(node, cid)
        holding.writes += 1
        holding.writing += 1
        holding.is_gone = False
        return Token(holding, holding.deletions, not holding.deleting)

    def end_write(self, token: Token) -> None:
        token.holding.writing -= 1

    def is_undisturbed(self, token: Token) -> bool:
        """Whether no deletion has begun since the operation did, nor was one under way."""
        return token.is_clear and token.holding.deletions == token.deletions

    def acknowledge(self, token: Token, roots: Iterable[RetentionRoot]) -> None:
        """The node has said that it holds the whole dataset, for these reasons."""
        if not self.is_undisturbed(token):
            return
        holding = token.holding
        holding.is_sure = True
        for root in roots:
            self.retain(holding, root)

    def retain(self, holding: Holding, root: RetentionRoot) -> None:
        """Another reason, or an old one that lasts longer."""
        key = (root.kind, root.name)
        known = holding.roots.get(key, 0.0)
        ends = None if known is None or root.expires_at is None else max(known, root.expires_at)
        holding.roots[key] = ends
        holding.may_expire = holding.may_expire or root.expires_at is not None

    def release(self, holding: Holding, kind: str, name: str) -> None:
        holding.roots.pop((kind, name), None)

    def begin_delete(self, node: str, cid: Cid) -> Holding:
        holding = self.of(node, cid)
        holding.deletions += 1
        holding.deleting += 1
        holding.is_sure = False
        holding.may_expire = False
        holding.roots.clear()
        return holding

    def end_delete(self, holding: Holding, *, is_acknowledged: bool) -> None:
        holding.deleting -= 1
        if is_acknowledged and not holding.writing and not holding.deleting:
            holding.is_gone = True

    def is_promised(self, holding: Holding, latest: float) -> bool:
        """Whether the dataset must be there, complete; `latest` is the latest calendar time that
        the node may have seen."""
        ends = holding.roots.values()
        return holding.is_sure and any(end is None or end > latest for end in ends)

    def at(self, node: str) -> list[tuple[Cid, Holding]]:
        """Everything of a node, in the order in which it was first named."""
        return [(cid, holding) for (name, cid), holding in self._holdings.items() if name == node]
