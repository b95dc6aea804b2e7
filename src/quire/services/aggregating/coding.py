"""ENCODE: a customer's dataset is fetched, or pushed, coded, and served until hosts have it.

    fetch the original ─► protect it (flow/protect.py) ─► lists of leaves and of digests ─► receipt
        retention roots of kind "job" on all of them, until the end of the job

Every step looks first whether it is done, so after a crash the work goes on where it stood. The
coded dataset is found as any other of this node (flow/announce.py). Encrypted datasets are datasets
like others. Source   market.md 6.4, 6.5
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from quire.aggregation.job import Done, Job
from quire.aggregation.receipt import sign_receipt
from quire.aggregation.values import EncodedReceipt, EncodeWork
from quire.base.clock import Clock
from quire.base.errors import BlockMissing, InputError, Refused, UnknownDataset
from quire.base.units import MIB, format_size
from quire.chain.hub import Hub
from quire.dataset.geometry import Geometry, check_protection
from quire.dataset.slot_tree import NODE_BYTES
from quire.flow.fetch import Fetches
from quire.flow.protect import Protections
from quire.flow.protect_job import ProtectJob
from quire.formats.aggregator import AggregatorAnswer
from quire.formats.aggregator_asking import AcceptEncode, QuoteRequest
from quire.formats.aggregator_codes import Code
from quire.formats.cid import Cid
from quire.formats.replica_parts import BLOCK_BYTES
from quire.services.aggregating.coded_lists import CodedLists
from quire.services.aggregating.doer import Accept, Accepted, Asked, Terms
from quire.services.aggregating.keeping import release, root_of
from quire.services.aggregating.pushed import Pushed, mismatch
from quire.store.dataset import Dataset
from quire.store.intake import check_block_size
from quire.store.store import Store

MANIFEST_SECONDS = 30.0  # for the manifest of the original, before it is asked for again
START_SECONDS = 60  # that any job may take
RATE_FIRST = 4 * MIB  # bytes a second, until something was measured
RATE_SHARE = 0.3  # of the newest measurement
FETCHED, CODED = 300, 950  # thousandths of the work


@dataclass(frozen=True, slots=True)
class CodingPorts:
    """`sign`: a digest, 32 bytes, with the key of the account that is paid, 65 bytes."""

    store: Store
    fetches: Fetches
    protections: Protections
    lists: CodedLists
    pushed: Pushed
    hub: Hub
    sign: Callable[[bytes], bytes]
    clock: Clock


class Coding:
    """The doer of ENCODE."""

    def __init__(self, ports: CodingPorts) -> None:
        self._ports = ports
        self._store = ports.store
        self._rate = float(RATE_FIRST)
        self._doing: dict[str, _Doing] = {}
        self._promised: dict[str, int] = {}  # bytes of jobs under way, by key

    # ---- before ----

    def offer_problem(self, quote: QuoteRequest) -> str:
        if quote.dataset_size < 1:
            return "a dataset without bytes cannot be coded; say its size"
        try:
            check_block_size(quote.block_size)
            blocks = -(-quote.dataset_size // quote.block_size)
            check_protection(quote.k, quote.m, blocks, quote.block_size)
        except InputError as error:
            return f"{error.message}; {error.hint}" if error.hint else error.message
        needed, free = _whole_bytes(_ordered(quote, None)), self._free_bytes()
        if needed > free:
            most = free * quote.k // (quote.k + quote.m)
            return (
                f"it takes {format_size(needed)} of space, of which {format_size(free)} are free; "
                f"{most} bytes of data would fit with K={quote.k} M={quote.m}"
            )
        return ""

    def terms(self, quote: QuoteRequest) -> Terms:
        size = _whole_bytes(_ordered(quote, None)) + sum(self._promised.values())
        return Terms(START_SECONDS + int(size / self._rate))

    async def accept(self, asked: Asked) -> Accepted | AggregatorAnswer:
        quote, body = asked.quote, asked.body
        assert isinstance(body, AcceptEncode)
        problem = self.offer_problem(quote)
        if problem:
            return AggregatorAnswer(Code.NOT_OFFERED, problem)
        work = _ordered(quote, body.manifest)
        if body.manifest is None:
            if quote.block_size != BLOCK_BYTES:
                text = f"blocks that are pushed have {BLOCK_BYTES} bytes, not {quote.block_size}"
                return AggregatorAnswer(Code.REFUSED, text)
            await self._ports.pushed.expect(asked.job_id, quote.dataset_size)
        key = asked.job_id.hex()
        self._promised[key] = (_whole_bytes if body.manifest else _parity_bytes)(work)
        return Accepted(work)

    def again(self, job: Job, body: Accept) -> bool:
        return isinstance(body, AcceptEncode) and body.manifest in (None, _work(job).original)

    # ---- the work ----

    async def do(self, job: Job) -> Done:
        ports, work = self._ports, _work(job)
        doing = self._doing.setdefault(job.key, _Doing(work))
        started = ports.clock.monotonic()
        source = await self._source(job, work, doing)
        coded = await self._coded(job, source, doing)
        doing.note(CODED, "the lists of leaves and digests are being written")
        self._promised.pop(job.key, None)
        leaves, digests = await ports.lists.make(coded, root_of(job.job_id))
        receipt = EncodedReceipt(
            job_id=job.job_id,
            offer_hash=job.offer.digest,
            customer=job.customer,
            original=source.manifest_cid,
            encoded=coded.manifest_cid,
            manifest=coded.manifest_bytes,
            leaf_list=leaves,
            digest_list=digests,
        )
        signed = sign_receipt(ports.sign, ports.hub.domain, receipt)
        seconds = max(0.1, ports.clock.monotonic() - started)
        self._rate += RATE_SHARE * (coded.manifest.dataset_size / seconds - self._rate)
        del self._doing[job.key]
        return Done(signed.data, int(ports.hub.clock.now()), signed.signature)

    async def drop(self, job: Job) -> None:
        self._promised.pop(job.key, None)
        doing = self._doing.pop(job.key, None)
        if doing is not None:
            await self._stop(doing)
        await self._ports.pushed.drop(job)
        await release(self._store, job.job_id)

    def progress(self, job: Job) -> tuple[int, str]:
        doing = self._doing.get(job.key)
        if doing is None:
            return 0, "it is to begin"
        protection = doing.protection
        if protection is not None and not protection.has_ended:
            share = protection.steps / protection.geometry.steps
            return FETCHED + int((CODED - FETCHED) * share), protection.reason
        fetch = None if doing.work.original is None else self._ports.fetches.of(doing.work.original)
        if fetch is None or fetch.job is None or fetch.has_ended:
            return doing.permille, doing.words
        gained = fetch.job.progress()
        return FETCHED * gained.verified_bytes // max(1, gained.total_bytes), gained.reason

    # ---- inside ----

    async def _source(self, job: Job, work: EncodeWork, doing: _Doing) -> Dataset:
        """The original, whole and kept. Raises QuireError."""
        cid, fetches = work.original, self._ports.fetches
        assert cid is not None
        doing.note(0, "looking for the manifest of the dataset")
        try:
            dataset = await fetches.manifest(cid, MANIFEST_SECONDS)
            if dataset.is_replica:
                raise Refused(f"{cid} is not coded: it is a sealed replica of somebody")
            await self._store.retain(cid, root_of(job.job_id))
            problem = mismatch(dataset.manifest, work)
            if problem:
                raise Refused(f"{cid} is not coded: {problem}")
        except UnknownDataset as error:  # the customer may be away for a while
            raise BlockMissing(f"nobody who was asked has {cid}: {error.message}") from None
        doing.note(0, "the dataset is being fetched")
        if not dataset.is_complete:
            known = fetches.of(cid)
            doing.is_fetching = known is None or known.has_ended
            dataset = await fetches.whole(cid, MANIFEST_SECONDS)
        doing.is_fetching = False
        self._promised[job.key] = _parity_bytes(work)
        return dataset

    async def _coded(self, job: Job, source: Dataset, doing: _Doing) -> Dataset:
        """The verifiable dataset, kept. Raises QuireError."""
        cid, work, protections = source.manifest_cid, doing.work, self._ports.protections
        wanted = (cid, work.k, work.m)
        doing.is_protecting = all((p.cid, p.k, p.m) != wanted for p in protections.active)
        keep = root_of(job.job_id)
        doing.protection = await protections.start(cid, work.k, work.m, keep=keep)
        coded = await protections.wait(doing.protection)
        doing.is_protecting = False
        await self._store.retain(coded.manifest_cid, keep)  # where it was under way already
        return coded

    async def _stop(self, doing: _Doing) -> None:
        """End what runs for a job, unless another wants it too."""
        cid, work = doing.work.original, doing.work
        others = [each.work for each in self._doing.values()]
        if cid is None:
            return
        if doing.is_fetching and all(other.original != cid for other in others):
            await self._ports.fetches.cancel(cid)
        if doing.is_protecting and all(
            (other.original, other.k, other.m) != (cid, work.k, work.m) for other in others
        ):
            await self._ports.protections.cancel(cid, work.k, work.m)

    def _free_bytes(self) -> int:
        space = self._store.space()
        free = space.quota_max_bytes - space.quota_used_bytes - space.quota_reserved_bytes
        return max(0, free - sum(self._promised.values()))


class _Doing:
    """A job under way in this run of the node. `is_fetching`, `is_protecting`: begun for it."""

    def __init__(self, work: EncodeWork) -> None:
        self.work = work
        self.permille, self.words = 0, ""
        self.protection: ProtectJob | None = None
        self.is_fetching = self.is_protecting = False

    def note(self, permille: int, words: str) -> None:
        self.permille, self.words = permille, words


def _work(job: Job) -> EncodeWork:
    assert isinstance(job.work, EncodeWork)
    return job.work


def _ordered(quote: QuoteRequest, original: Cid | None) -> EncodeWork:
    return EncodeWork(original, quote.k, quote.m, quote.dataset_size, quote.block_size)


def _parity_bytes(work: EncodeWork) -> int:
    """Of the rows and lists that come on top of the dataset."""
    geometry = Geometry(-(-work.size // work.block_size), work.k, work.m, work.block_size)
    return geometry.m * geometry.steps * geometry.block_size + 2 * geometry.total * NODE_BYTES


def _whole_bytes(work: EncodeWork) -> int:
    return -(-work.size // work.block_size) * work.block_size + _parity_bytes(work)
