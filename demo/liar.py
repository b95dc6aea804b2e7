"""A provider that does not keep to what was agreed: `python -m demo.liar MODE COMMAND...`.

The command is that of an ordinary node. It runs in this process, with one function replaced:

    other-key      signs receipts with a key that is not its account's
    other-root     signs another sealed root
    other-expiry   signs an earlier end of the term
    no-space       offers room, and refuses whoever wants it
    already        says that it has what it was never sent, and signs for it
    bit            flips a bit in the blocks that it serves to readers
    old-map        keeps the first map of replicas it gets, and never a newer one
    forged-map     shows a newer map of replicas than there is, which nobody has signed
    dies:BLOCKS    ends, as with SIGKILL, once it has kept so many blocks of one replica
    counts         is honest; writes a line to its log for each message of blocks, as `dies` does
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace

from quire.chain.dev_accounts import dev_account
from quire.chain.wallet import Wallet
from quire.faces.cli.main import main
from quire.formats.replica import ReplicaAnswer
from quire.formats.replica_answers import BlockRun, Blocks, ReceiptAnswer
from quire.formats.replica_asking import (
    GetRequest,
    MapGet,
    MapPut,
    SegmentData,
    SegmentMap,
    StoreRequest,
)
from quire.formats.replica_blob import MapBlob
from quire.formats.replica_codes import Code
from quire.net.transport import PeerId
from quire.point.lease import Lease, Progress
from quire.point.receipt import encode_terms, sign_receipt
from quire.point.values import LinkId, ReceiptTerms
from quire.services.pointer_answers import answer_pointers, received
from quire.services.pointers import Pointers
from quire.services.providing import provider
from quire.services.providing.reading import Reading
from quire.services.providing.replica_blocks import ReplicaBlocks
from quire.services.providing.taking import Taking

BEFORE_ARGUMENTS = 3  # python -m quire.faces.cli.main
_EARLIER_SECONDS = 60
_FORGER = 19  # the account whose key is used instead


def under_lies(mode: str) -> list[str]:
    """What a node's command is put under."""
    path = os.pathsep.join(part for part in sys.path if part)
    return ["env", f"PYTHONPATH={path}", sys.executable, "-m", "demo.liar", mode]


def _forge(change: Callable[[ReceiptTerms], ReceiptTerms], *, is_own_key: bool = True) -> None:
    def forged(self: Taking, lease: Lease) -> ReplicaAnswer:
        assert lease.receipt is not None
        sign = self._ports.sign if is_own_key else Wallet(dev_account(_FORGER).key).sign_digest
        terms = change(lease.receipt)
        receipt = sign_receipt(sign, self._ports.hub.domain, terms)
        body = ReceiptAnswer(bytes(encode_terms(terms)), receipt.signature)
        return ReplicaAnswer(Code.OK, "", body)

    Taking._receipt = forged  # type: ignore[method-assign]


def _other_key() -> None:
    _forge(lambda terms: terms, is_own_key=False)


def _other_root() -> None:
    _forge(lambda terms: replace(terms, sealed_root=bytes(32)))


def _other_expiry() -> None:
    _forge(lambda terms: replace(terms, expires_at=terms.expires_at - _EARLIER_SECONDS))


def _no_space() -> None:
    async def refused(
        self: Taking, peer: PeerId, link_id: LinkId, asked: StoreRequest
    ) -> ReplicaAnswer:
        return ReplicaAnswer(Code.NO_SPACE, "no room is left for it")

    Taking.store = refused  # type: ignore[method-assign]


def _already() -> None:
    honest = Taking.segment_map

    async def claimed(
        self: Taking, peer: PeerId, link_id: LinkId, asked: SegmentMap
    ) -> ReplicaAnswer:
        answer = await honest(self, peer, link_id, asked)
        lease = self._leases.find(link_id)
        if answer.code is not Code.OK or lease is None:
            return answer
        await self._leases.post(lease, Progress(lease.order.blocks))
        return ReplicaAnswer(Code.ALREADY_STORED, "all of it is here")

    async def settled(self: ReplicaBlocks, lease: Lease) -> int:
        return lease.order.blocks

    Taking.segment_map = claimed  # type: ignore[method-assign]
    ReplicaBlocks.settle = settled  # type: ignore[method-assign]


def _bit() -> None:
    honest = Reading.get

    async def flipped(
        self: Reading, peer: PeerId, session: LinkId, asked: GetRequest
    ) -> ReplicaAnswer:
        answer = await honest(self, peer, session, asked)
        if not isinstance(answer.body, Blocks):
            return answer
        runs = tuple(
            BlockRun(run.index, bytes([run.data[0] ^ 1, *run.data[1:]]), run.proof)
            for run in answer.body.runs
        )
        return replace(answer, body=Blocks(runs))

    Reading.get = flipped  # type: ignore[method-assign]


def _old_map() -> None:
    honest = answer_pointers

    async def stuck(pointers: Pointers, peer: PeerId, asked: MapPut | MapGet) -> ReplicaAnswer:
        if isinstance(asked, MapPut):
            locator = received(asked.blob).locator
            if locator is not None and pointers.get(locator) is not None:
                return ReplicaAnswer(Code.OK)
        return await honest(pointers, peer, asked)

    provider.answer_pointers = stuck  # type: ignore[attr-defined]


TOOK = "took"  # link id and number of blocks follow on the line


def _counts() -> None:
    honest = Taking.data

    async def counted(
        self: Taking, peer: PeerId, link_id: LinkId, asked: SegmentData
    ) -> ReplicaAnswer:
        print(TOOK, link_id.hex(), asked.count, file=sys.stderr, flush=True)
        return await honest(self, peer, link_id, asked)

    Taking.data = counted  # type: ignore[method-assign]


def _forged_map() -> None:
    honest = provider.answer_pointers

    async def forged(pointers: Pointers, peer: PeerId, asked: MapPut | MapGet) -> ReplicaAnswer:
        answer = await honest(pointers, peer, asked)
        if not isinstance(answer.body, MapBlob):
            return answer
        return replace(answer, body=replace(answer.body, version=answer.body.version + 1))

    provider.answer_pointers = forged  # type: ignore[attr-defined]


def _dies(blocks: int) -> None:
    _counts()
    honest = ReplicaBlocks.put

    async def put_or_die(self: ReplicaBlocks, lease: Lease, index: int, data: memoryview) -> bool:
        is_whole = await honest(self, lease, index, data)
        if self.have(lease).count() >= blocks:
            await self.settle(lease)
            os.kill(os.getpid(), signal.SIGKILL)
        return is_whole

    ReplicaBlocks.put = put_or_die  # type: ignore[method-assign]


MODES: dict[str, Callable[[], None]] = {
    "other-key": _other_key,
    "other-root": _other_root,
    "other-expiry": _other_expiry,
    "no-space": _no_space,
    "already": _already,
    "bit": _bit,
    "old-map": _old_map,
    "counts": _counts,
    "forged-map": _forged_map,
}


if __name__ == "__main__":
    asked_for, _, number = sys.argv[1].partition(":")
    if number:
        _dies(int(number))
    else:
        MODES[asked_for]()
    sys.exit(main(sys.argv[2 + BEFORE_ARGUMENTS :]))
