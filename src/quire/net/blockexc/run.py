"""Blocks of a tree that one peer was asked for together, and the checks of each that comes."""

from __future__ import annotations

import asyncio
import hashlib

from quire.base.errors import PeerLied, ProofInvalid
from quire.formats.blockexc import BlockAddress, Delivery
from quire.formats.cid import is_block, tree_cid
from quire.formats.exchange import RangeReply, Status
from quire.formats.merkle import InclusionProof
from quire.formats.merkle_run import ProofChecker, range_proof_of
from quire.formats.multihash import HASH_SHA256
from quire.formats.varint import Buffer
from quire.net.exchange.peer_session import AskedTree


class Run:
    """Blocks [start, start + count) of a tree. `reply` gets all of them, or why not.

    Checked here: the CID's kind, the block's size, and that its proof leads from the digest in the
    CID to the root at this index. That the data has this digest follows once whoever asked has
    verified data and range proof against the same root: a root has one digest at each index.
    """

    def __init__(
        self, tree: AskedTree, start: int, count: int, checker: ProofChecker, now: float
    ) -> None:
        self.tree = tree
        self.start = start
        self.asked_at = now
        cid = tree_cid(tree.root)
        self.addresses = [BlockAddress(cid, start + i) for i in range(count)]
        self.reply: asyncio.Future[RangeReply] = asyncio.get_running_loop().create_future()
        self._checker = checker
        self._blocks: list[Buffer | None] = [None] * count
        self._ends: dict[int, InclusionProof] = {}
        self._left = count

    @property
    def size_bytes(self) -> int:
        return len(self._blocks) * self.tree.block_size

    def take(self, index: int, delivery: Delivery) -> bool:
        """Take the block that belongs at `index`; whether nothing is missing of the run now.

        Raises   PeerLied  the block or its proof is false
        """
        place = index - self.start
        fault = self._fault(delivery, index)
        if fault:
            raise PeerLied(f"block {index} of tree {delivery.address.cid} is refused: {fault}")
        if len(delivery.data) != self.tree.block_size or not self._is_of_shape(delivery):
            # True of the tree, and not as our manifest has it: the manifest may be the false one.
            self.decline(Status.REFUSED)
            return True
        if self._blocks[place] is None:
            self._left -= 1
        self._blocks[place] = delivery.data
        if place in (0, len(self._blocks) - 1) and delivery.proof is not None:
            self._ends[place] = delivery.proof
        if not self._left:
            self._complete()
        return not self._left

    def decline(self, status: Status) -> None:
        """The peer will not deliver the run."""
        if not self.reply.done():
            self.reply.set_result(RangeReply(0, status))

    def _fault(self, delivery: Delivery, index: int) -> str:
        cid, proof = delivery.cid, delivery.proof
        if not is_block(cid) or cid.hash_code != HASH_SHA256:
            return f"{cid} is not the CID of a block"
        if proof is None:
            return "it has no proof"
        try:
            if self._is_of_shape(delivery):
                self._checker.check(proof, cid.digest, index)
            else:
                proof.check(cid.digest, self.tree.root, index=index)
        except ProofInvalid as problem:
            return problem.message
        if len(delivery.data) == self.tree.block_size and self._is_of_shape(delivery):
            return ""
        if hashlib.sha256(delivery.data).digest() != cid.digest:
            return f"{len(delivery.data)} bytes are not {cid}"
        return ""

    def _is_of_shape(self, delivery: Delivery) -> bool:
        return delivery.proof is not None and delivery.proof.leaf_count == self.tree.leaf_count

    def _complete(self) -> None:
        proof = range_proof_of(self._ends[0], self._ends[len(self._blocks) - 1])
        data = b"".join(block for block in self._blocks if block is not None)
        if not self.reply.done():
            self.reply.set_result(RangeReply(0, Status.OK, self.start, proof, data))
