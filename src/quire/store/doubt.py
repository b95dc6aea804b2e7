"""Once, for stores from before padding was proved: they kept what a manifest claims as if known."""

from __future__ import annotations

from quire.store.growth import Growth
from quire.store.meta import Meta, Tables
from quire.store.padding import settle_padding
from quire.store.shape import DIGEST_BYTES, EMPTY_DIGEST, UNKNOWN, root_of_pages
from quire.store.trees import VISIBLE, TreeRow

_DONE = "padding-proved"  # setting: 1 when nothing of the kind is left


def doubt_padding(meta: Meta) -> None:
    """Padding of trees that their root does not vouch for is forgotten, and claimed anew."""
    if meta.reading.catalog.setting(_DONE) is not None:
        return
    with meta.transaction() as tables:
        for row in tables.trees.every():
            if row.state == VISIBLE and row.root is not None and not _is_proved(tables, row):
                _forget_padding(tables, row, row.root)
                settle_padding(tables, row.id)
        tables.catalog.set_setting(_DONE, 1)


def _is_proved(tables: Tables, row: TreeRow) -> bool:
    nodes = tables.trees.page_nodes(row.id)
    return len(nodes) == row.shape.page_count and row.root == root_of_pages(
        [nodes[number] for number in range(len(nodes))]
    )


def _forget_padding(tables: Tables, row: TreeRow, root: bytes) -> None:
    growth = Growth.of(tables, row.id, root)
    if growth is None:
        return
    for found in tables.trees.present_pages(row.id):
        padding = [at for at in range(found.leaf_count) if found.digest(at) == EMPTY_DIGEST]
        if not padding:
            continue
        page = growth.page(tables, found.number)
        size = sum(row.shape.page_layers(page.number)) * DIGEST_BYTES
        page.nodes.extend(bytes(size - len(page.nodes)))  # only the leaves were kept, or all layers
        for index in padding:
            page.nodes[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES] = UNKNOWN
            if page.has(index):
                growth.retract(page, index)
    growth.save(tables)
