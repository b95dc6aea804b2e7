"""GET /data/{cid}/blocks/{index}: one block of a dataset, with the proof that it belongs there."""

from __future__ import annotations

import hashlib
from base64 import b64encode

from aiohttp import web

from quire.base.errors import NotFound
from quire.faces.rest.content import send_content
from quire.faces.rest.data import find_dataset
from quire.faces.rest.download import content_of_block
from quire.faces.rest.inputs import timeout_of, whole_of
from quire.formats.cid import block_cid
from quire.formats.merkle import MAX_LEAVES
from quire.formats.merkle_run import leaf_proofs
from quire.node.node import Node
from quire.store.proved import read_proved

BLOCK_HEADER = "Quire-Block-Cid"
PROOF_HEADER = "Quire-Block-Proof"


async def block(request: web.Request, node: Node) -> web.StreamResponse:
    """The raw block, zeros at the end included; got from the network when it is not here.

    The header Quire-Block-Proof is the base64 of a CodexProof message (content.md 2.4), which leads
    from the block's digest to the tree CID of the manifest.
    """
    index = whole_of(request.match_info["index"], "index", 0, MAX_LEAVES)
    dataset = await find_dataset(request, node)
    count = dataset.block_count
    if index >= count:
        raise NotFound(f"{dataset.manifest_cid} has {count} blocks; the first is block 0")
    deadline = node.clock.monotonic() + timeout_of(request, node)
    await node.exchange.ensure(dataset, index, 1, deadline)
    data, nodes = await read_proved(node.store, dataset.tree_root, index, 1)
    leaf = hashlib.sha256(data).digest()
    (proof,) = leaf_proofs(leaf, index, count, nodes)
    cid = block_cid(leaf)
    headers = {BLOCK_HEADER: str(cid), PROOF_HEADER: b64encode(proof.encode()).decode("ascii")}
    return await send_content(request, content_of_block(cid, data), headers)
