"""An aggregator that codes honestly and then says something else: one lie, by name.

It wraps the doer of ENCODE. What it says is consistent as far as it can be: lists are datasets of
its own, roots are those of its lists, and the receipt is signed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from quire.aggregation.job import Done, Job
from quire.aggregation.receipt import decode_receipt, sign_receipt
from quire.aggregation.values import EncodedReceipt
from quire.chain.hub import HubDomain
from quire.dataset.geometry import Geometry
from quire.dataset.protected import verifiable_manifest
from quire.dataset.slot_tree import padded_leaves
from quire.formats.aggregator import AggregatorAnswer
from quire.formats.aggregator_asking import QuoteRequest
from quire.formats.aggregator_codes import Service
from quire.formats.cid import Cid, manifest_cid, tree_cid
from quire.formats.manifest import Manifest, decode_manifest, encode_manifest
from quire.kernels import poseidon2
from quire.kernels.hashing import merkle_root
from quire.services.aggregating.aggregator import Aggregator
from quire.services.aggregating.doer import Accept, Accepted, Asked, Doer, Terms
from quire.services.aggregating.keeping import root_of
from quire.store.store import Store

ANOTHER = bytes([7]) * 32


@dataclass(frozen=True)
class Told:
    """What a customer is told."""

    receipt: EncodedReceipt
    manifest: Manifest
    leaves: bytes
    digests: bytes

    @property
    def geometry(self) -> Geometry:
        return Geometry.of(self.manifest)

    @property
    def slot_roots(self) -> list[bytes]:
        protection = self.manifest.protection
        assert protection is not None
        assert protection.verification is not None
        return [root.digest for root in protection.verification.slot_roots]

    def with_leaves(self, leaves: bytes) -> Told:
        named = replace(self.manifest, tree_cid=tree_cid(merkle_root(leaves)))
        return replace(self, leaves=leaves, manifest=named)


Lie: TypeAlias = Callable[[Told], Told]


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def with_roots(manifest: Manifest, roots: list[bytes], over: bytes | None = None) -> Manifest:
    """The manifest with other slot roots, or with another root over them."""
    assert manifest.protection is not None
    protected = replace(manifest, protection=replace(manifest.protection, verification=None))
    verify_root = poseidon2.root(b"".join(roots)) if over is None else over
    return verifiable_manifest(protected, roots, verify_root)


def _wrong_parity(told: Told) -> Told:
    """Of every column, so that however many are drawn it is found."""
    geometry, leaves = told.geometry, told.leaves
    for column in range(geometry.steps):
        leaves = flipped(leaves, geometry.index(geometry.k, column) * 32)
    return told.with_leaves(leaves)


def _wrong_digest(told: Told) -> Told:
    """Of every block, in slot trees that fit: each stands where its neighbour belongs."""
    parts = []
    for slot in range(told.geometry.slots):
        row, stored = told.geometry.row_range(slot), told.geometry.stored_blocks(slot) * 32
        part = told.digests[row.start * 32 : row.stop * 32]
        parts.append(part[32:stored] + part[:32] + part[stored:])
    zero = poseidon2.zero_block_digest(told.geometry.block_size)
    roots = [poseidon2.root(padded_leaves(part, zero)) for part in parts]
    forged = with_roots(told.manifest, roots)
    return replace(told, digests=b"".join(parts), manifest=forged)


def _wrong_slot_root(told: Told) -> Told:
    roots = told.slot_roots[::-1]
    return replace(told, manifest=with_roots(told.manifest, roots))


def _wrong_verify_root(told: Told) -> Told:
    forged = with_roots(told.manifest, told.slot_roots, over=told.slot_roots[0])
    return replace(told, manifest=forged)


def _another_name(told: Told) -> Told:
    return replace(told, manifest=replace(told.manifest, filename="another.bin"))


def _another(**changes: Any) -> Lie:
    return lambda told: replace(told, receipt=replace(told.receipt, **changes))


LIES: dict[str, Lie] = {
    "parity": _wrong_parity,
    "leaf": lambda told: told.with_leaves(flipped(told.leaves, 32)),
    "tree root": lambda told: replace(told, leaves=flipped(told.leaves, len(told.leaves) - 1)),
    "slot root": _wrong_slot_root,
    "verify root": _wrong_verify_root,
    "digest": _wrong_digest,
    "parameters": _another_name,
    "foreign order": _another(job_id=ANOTHER[:16]),
    "foreign customer": _another(customer=ANOTHER[:20]),
    "foreign offer": _another(offer_hash=ANOTHER),
    "foreign dataset": _another(original=manifest_cid(ANOTHER)),
    "short list": lambda told: replace(told, leaves=told.leaves[:-32]),
}


class Liar:
    """Implements `Doer` over one that is honest. `lie`: one of LIES, or "" for none; `sign`: its
    account's; who signs with another is found too. `stale`: the first receipt, again and again."""

    def __init__(
        self,
        honest: Doer,
        store: Store,
        sign: Callable[[bytes], bytes],
        domain: HubDomain,
        lie: str = "",
        *,
        is_stale: bool = False,
    ) -> None:
        self._honest = honest
        self._store = store
        self._sign = sign
        self._domain = domain
        self._lie = lie
        self._is_stale = is_stale
        self._first: Done | None = None

    def offer_problem(self, quote: QuoteRequest) -> str:
        return self._honest.offer_problem(quote)

    def terms(self, quote: QuoteRequest) -> Terms:
        return self._honest.terms(quote)

    async def accept(self, asked: Asked) -> Accepted | AggregatorAnswer:
        return await self._honest.accept(asked)

    def again(self, job: Job, body: Accept) -> bool:
        return self._honest.again(job, body)

    async def do(self, job: Job) -> Done:
        done = await self._honest.do(job)
        if self._is_stale:
            self._first = self._first or done
            return self._first
        told = LIES[self._lie](await self._told(done)) if self._lie else await self._told(done)
        manifest = encode_manifest(told.manifest)
        receipt = replace(
            told.receipt,
            manifest=manifest,
            encoded=manifest_cid(manifest),
            leaf_list=await self._put(job, told.leaves),
            digest_list=await self._put(job, told.digests),
        )
        await self._store.put_manifest(manifest, root_of(job.job_id))
        signed = sign_receipt(self._sign, self._domain, receipt)
        return Done(signed.data, done.now, signed.signature)

    async def drop(self, job: Job) -> None:
        await self._honest.drop(job)

    def progress(self, job: Job) -> tuple[int, str]:
        return self._honest.progress(job)

    async def _told(self, done: Done) -> Told:
        receipt = decode_receipt(done.result)
        manifest = decode_manifest(receipt.manifest)
        leaves = await self._read(receipt.leaf_list)
        digests = await self._read(receipt.digest_list)
        return Told(receipt, manifest, leaves, digests)

    async def _read(self, cid: Cid) -> bytes:
        dataset = await self._store.dataset(cid)
        assert dataset is not None
        data = await self._store.read_range(dataset.tree_root, 0, dataset.block_count)
        return data[: dataset.manifest.dataset_size]

    async def _put(self, job: Job, data: bytes) -> Cid:
        upload = self._store.begin_upload()
        await upload.write(data)
        return (await upload.commit(root=root_of(job.job_id))).manifest_cid


Wrapping: TypeAlias = Callable[[Doer], Doer]


def turn(aggregator: Aggregator, wrap: Wrapping) -> None:
    """Have what an aggregator codes for others pass through `wrap`."""
    doers = dict(aggregator.jobs._doers)
    doers[Service.ENCODE] = wrap(doers[Service.ENCODE])
    aggregator.jobs._doers = doers
