"""Tables `tree` and `page`: the Merkle trees, and which of their leaves are here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from quire.store.page import PLACE_BYTES, LeafPage, places_from_bytes, places_to_bytes
from quire.store.rows import Rows
from quire.store.shape import DIGEST_BYTES, TreeShape

STAGING, VISIBLE, CONDEMNED = 0, 1, 2
_PAGE_BITS = 24
_SINGLE_SEARCHES_MAX = 4
_COLUMNS = "id, root, leaf_count, block_size, present_count, nodes, state"


@dataclass(frozen=True, slots=True)
class TreeRow:
    id: int
    root: bytes | None
    leaf_count: int
    block_size: int
    present_count: int
    nodes: bytes | None
    state: int

    @property
    def shape(self) -> TreeShape:
        return TreeShape(self.leaf_count)

    @property
    def is_complete(self) -> bool:
        return self.present_count == self.leaf_count


class TreeTable:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._last_id = 0

    def by_root(self, root: bytes) -> TreeRow | None:
        row = self._rows.one(f"SELECT {_COLUMNS} FROM tree WHERE root = ?", root)  # noqa: S608
        return None if row is None else TreeRow(*row)

    def by_id(self, tree_id: int) -> TreeRow | None:
        row = self._rows.one(f"SELECT {_COLUMNS} FROM tree WHERE id = ?", tree_id)  # noqa: S608
        return None if row is None else TreeRow(*row)

    def every(self) -> list[TreeRow]:
        """All trees, also those without a name."""
        found = self._rows.all(f"SELECT {_COLUMNS} FROM tree")  # noqa: S608
        return [TreeRow(*row) for row in found]

    def partial_roots(self) -> list[bytes]:
        """Roots of the visible trees that lack leaves."""
        sql = "SELECT root FROM tree WHERE state = 1 AND present_count < leaf_count ORDER BY id"
        return [row[0] for row in self._rows.all(sql)]

    def add_staging(self, block_size: int, leaf_count: int = 0) -> int:
        """A tree that is being made; its id. `leaf_count` when it is known before."""
        return self._rows.insert(
            "INSERT INTO tree VALUES (?, NULL, ?, ?, 0, NULL, ?)",
            self._next_id(),
            leaf_count,
            block_size,
            STAGING,
        )

    def add_partial(self, root: bytes, leaf_count: int, block_size: int) -> int:
        """A tree of which nothing but the root is known; its id."""
        return self._rows.insert(
            "INSERT INTO tree VALUES (?, ?, ?, ?, 0, NULL, ?)",
            self._next_id(),
            root,
            leaf_count,
            block_size,
            VISIBLE,
        )

    def _next_id(self) -> int:
        """An id that no tree has had since the start. SQLite would give the id of a tree that is
        gone to the next one, and a write or a cache that still means the old tree would hit it."""
        highest = self._rows.one("SELECT max(id) FROM tree")[0] or 0
        self._last_id = max(self._last_id, highest) + 1
        return self._last_id

    def publish(self, tree_id: int, root: bytes, leaf_count: int) -> None:
        """An upload has ended: its tree is complete and has a name."""
        self._rows.run(
            "UPDATE tree SET root = ?, leaf_count = ?, present_count = ?, state = ? WHERE id = ?",
            root,
            leaf_count,
            leaf_count,
            VISIBLE,
            tree_id,
        )

    def condemn(self, tree_id: int) -> None:
        """The tree has no name any more and is to be taken apart."""
        self._rows.run("UPDATE tree SET root = NULL, state = ? WHERE id = ?", CONDEMNED, tree_id)
        self._rows.has_garbage = True

    def condemn_staging(self) -> None:
        """Trees that were being made and that nobody can go on with are to be taken apart."""
        self._rows.run(
            "UPDATE tree SET state = ? WHERE state = ?"
            " AND id NOT IN (SELECT tree FROM upload WHERE tree IS NOT NULL)"
            " AND id NOT IN (SELECT tree FROM protection WHERE tree IS NOT NULL)",
            CONDEMNED,
            STAGING,
        )

    def condemned(self, held: list[int]) -> TreeRow | None:
        """One tree that is to be taken apart and that nobody holds."""
        # The second condition lets SQLite see that the partial index serves.
        found = self._rows.all(
            f"SELECT {_COLUMNS} FROM tree WHERE state = 2 AND state <> 1 ORDER BY id LIMIT ?",  # noqa: S608
            len(held) + 1,
        )
        return next((TreeRow(*row) for row in found if row[0] not in held), None)

    def set_progress(self, tree_id: int, present_count: int, nodes: bytes | None) -> None:
        self._rows.run(
            "UPDATE tree SET present_count = ?, nodes = ? WHERE id = ?",
            present_count,
            nodes,
            tree_id,
        )

    def add_present(self, tree_id: int, count: int) -> None:
        self._rows.run(
            "UPDATE tree SET present_count = present_count + ? WHERE id = ?", count, tree_id
        )

    def remove(self, tree_id: int) -> None:
        """Forget a tree whose pages are gone."""
        self._rows.run("DELETE FROM tree WHERE id = ?", tree_id)
        self._rows.run("DELETE FROM damage WHERE tree = ?", tree_id)

    def save_page(self, page: LeafPage, node: bytes | None) -> None:
        """Write a page; `node` is its page node when known (LeafPage.settle)."""
        self._rows.run(
            "INSERT OR REPLACE INTO page VALUES (?, ?, ?, ?, ?)",
            page.tree_id << _PAGE_BITS | page.number,
            None if page.present is None else bytes(page.present),
            node,
            places_to_bytes(page.places),
            bytes(page.nodes),
        )

    def load_page(self, tree_id: int, number: int, shape: TreeShape | None) -> LeafPage | None:
        """A page as it is on disk; `shape` may be None where heights do not matter."""
        row = self._rows.one(
            "SELECT id, present, places, nodes FROM page WHERE id = ?",
            tree_id << _PAGE_BITS | number,
        )
        return None if row is None else _page(row, shape)

    def first_page(self, tree_id: int) -> LeafPage | None:
        """The lowest page that is left of a tree that is taken apart."""
        row = self._rows.one(
            "SELECT id, present, places, nodes FROM page WHERE id >= ? AND id < ?"
            " ORDER BY id LIMIT 1",
            tree_id << _PAGE_BITS,
            (tree_id + 1) << _PAGE_BITS,
        )
        return None if row is None else _page(row, None)

    def page_from(self, page_id: int) -> LeafPage | None:
        """The first page with this id or a higher one, of whatever tree."""
        row = self._rows.one(
            "SELECT id, present, places, nodes FROM page WHERE id >= ? ORDER BY id LIMIT 1", page_id
        )
        return None if row is None else _page(row, None)

    @staticmethod
    def page_id(page: LeafPage) -> int:
        return page.tree_id << _PAGE_BITS | page.number

    def remove_page(self, page: LeafPage) -> None:
        self._rows.run("DELETE FROM page WHERE id = ?", page.tree_id << _PAGE_BITS | page.number)

    def page_nodes(self, tree_id: int) -> dict[int, bytes]:
        """Page number -> page node, for the pages where it is known."""
        found = self._rows.all(
            "SELECT id, node FROM page WHERE id >= ? AND id < ? AND node IS NOT NULL",
            tree_id << _PAGE_BITS,
            (tree_id + 1) << _PAGE_BITS,
        )
        return {page_id & ((1 << _PAGE_BITS) - 1): node for page_id, node in found}

    def knows_nodes(self, row: TreeRow) -> bool:
        """Whether anything of the tree was ever verified, be it one digest."""
        if row.is_complete or (row.nodes is not None and any(row.nodes)):
            return True
        return any(any(page.nodes) for page in self.present_pages(row.id))

    def present_pages(self, tree_id: int) -> Iterator[LeafPage]:
        """Every page that the tree has, in order, one at a time."""
        number = -1
        while True:
            row = self._rows.one(
                "SELECT id, present, places, nodes FROM page WHERE id > ? AND id < ?"
                " ORDER BY id LIMIT 1",
                (tree_id << _PAGE_BITS) + number,
                (tree_id + 1) << _PAGE_BITS,
            )
            if row is None:
                return
            page = _page(row, None)
            number = page.number
            yield page

    def kept_leaves(self, tree_id: int) -> int:
        """Leaves in the pages of a tree that is being uploaded or taken apart."""
        row = self._rows.one(
            "SELECT coalesce(sum(length(places)), 0) FROM page WHERE id >= ? AND id < ?",
            tree_id << _PAGE_BITS,
            (tree_id + 1) << _PAGE_BITS,
        )
        return int(row[0]) // PLACE_BYTES

    def pages_with(self, digests: list[bytes]) -> list[tuple[tuple[int, int], bytes]]:
        """((tree, page number), digest) of the pages that have a digest as a node. Reads every
        page, once if there are many digests."""
        if len(digests) <= _SINGLE_SEARCHES_MAX:
            found = [
                (row[0], digest)
                for digest in digests
                for row in self._rows.all("SELECT id FROM page WHERE instr(nodes, ?) > 0", digest)
            ]
        else:
            wanted = set(digests)
            found = []
            for page_id, nodes in self._rows.each("SELECT id, nodes FROM page ORDER BY id"):
                size = DIGEST_BYTES
                inside = {nodes[at : at + size] for at in range(0, len(nodes), size)}
                found += [(page_id, digest) for digest in sorted(wanted & inside)]
        return [
            ((key >> _PAGE_BITS, key & ((1 << _PAGE_BITS) - 1)), digest) for key, digest in found
        ]


def _page(row: tuple[int, bytes | None, bytes, bytes], shape: TreeShape | None) -> LeafPage:
    page_id, present, places, nodes = row
    where = places_from_bytes(places)
    return LeafPage(
        tree_id=page_id >> _PAGE_BITS,
        number=page_id & ((1 << _PAGE_BITS) - 1),
        leaf_count=len(where),
        height=0 if shape is None else shape.page_height,
        nodes=bytearray(nodes),
        present=None if present is None else bytearray(present),
        places=where,
    )
