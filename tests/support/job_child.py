"""A process whose customer pushes one dataset after the other to be coded, until it is killed.

    python -m support.job_child DIRECTORY

It prints one line per fact: `open`; `here N B` when the aggregator says that B blocks of dataset N
are durable; `ready N ROOT` when its receipt is there; `paid N` when it is paid and let go of.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from quire.aggregation.receipt import decode_receipt
from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.memory.hub import MemoryHub
from quire.chain.memory.world import MemoryWorld
from quire.channels.voucher import domain_separator, introduction_digest, sign_voucher
from quire.flow import coding, protect
from quire.formats.aggregator import AggregatorAnswer, AggregatorRequest, decode_answer
from quire.formats.aggregator_answers import (
    EncodedAnswer,
    Progress,
)
from quire.formats.aggregator_asking import (
    AcceptEncode,
    Asking,
    Customer,
    PushBlocks,
    QuoteRequest,
    Release,
    Seal,
    StatusRequest,
)
from quire.formats.aggregator_codes import Code, Service, Stage
from quire.formats.cid import Cid, tree_cid
from quire.formats.manifest import Manifest, decode_manifest, encode_manifest
from quire.formats.signed_offer import OfferAnswer
from quire.kernels.hashing import merkle_root, sha256_blocks
from quire.kernels.signing import sign_recoverable
from quire.net.identity import Identity
from quire.services.aggregating.aggregator import Aggregator
from quire.services.aggregating.coded_lists import CodedLists
from quire.services.aggregating.coding import Coding, CodingPorts
from quire.services.aggregating.ports import AggregatorPorts
from quire.services.aggregating.pushed import Pushed
from quire.services.aggregating.settings import AggregatorSettings
from quire.services.paying.payee import Payee
from quire.store import protected_tree
from quire.store.dataset import Dataset
from quire.store.journal_file import open_journal
from quire.store.store import Store
from support.aggregator_kit import AGGREGATOR, AGGREGATOR_KEY, CLIENT, CLIENT_KEY
from support.memory_world import RIGHT_NOW, TERMS
from support.protect_child import jobs_over, opened, say
from support.protect_kit import det

BLOCK = 65536
BLOCKS = 40
SIZE = BLOCKS * BLOCK - 99
K, M = 4, 2
PRICE, FIRST = 10, 6  # of each
SETTINGS = AggregatorSettings((Service.ENCODE,), encode_price=PRICE * (1 << 30) // SIZE)
QUOTE = QuoteRequest(Service.ENCODE, SIZE, BLOCK, K, M)
RUN_BLOCKS = 4


def data_of(number: int) -> bytes:
    """The blocks of a dataset, the last one padded."""
    return (number.to_bytes(8, "big") + det(SIZE - 8)).ljust(BLOCKS * BLOCK, b"\0")


def manifest_of(number: int) -> bytes:
    root = merkle_root(sha256_blocks(data_of(number), BLOCK))
    return encode_manifest(Manifest(tree_cid(root), BLOCK, SIZE))


def job_id_of(number: int) -> bytes:
    return (number + 1).to_bytes(16, "big")


class LocalFetches:
    """Nobody else has anything."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def manifest(self, cid: Cid, _: float) -> Dataset:
        dataset = await self._store.dataset(cid)
        assert dataset is not None
        return dataset

    def of(self, _: Cid) -> None:
        return None


class Child:
    """The aggregator, and its customer."""

    async def open(self, directory: Path) -> None:
        clock = SystemClock()
        events = EventBus(clock)
        self.store, slots = await opened(directory, clock, events)
        world = MemoryWorld(TERMS, RIGHT_NOW)
        world.mint(CLIENT, 10**9)
        client, self.hub = MemoryHub(world, CLIENT), MemoryHub(world, AGGREGATOR)
        await client.deposit(10**6)
        await client.allocate([(AGGREGATOR, 10**6)])
        journal = open_journal(directory / "trading.journal", clock)
        self.income = Payee(self.hub, journal, events)
        identity, sign = Identity.of(AGGREGATOR_KEY), partial(sign_recoverable, AGGREGATOR_KEY)
        self.peer = Identity.of(CLIENT_KEY).peer_id
        pushed = Pushed(self.store, clock, events)
        fetches: Any = LocalFetches(self.store)
        protections = jobs_over(self.store, slots, clock, events)
        lists = CodedLists(self.store, slots)
        doer = Coding(
            CodingPorts(self.store, fetches, protections, lists, pushed, self.hub, sign, clock)
        )
        ports = AggregatorPorts(
            journal, self.hub, self.income, identity, sign, clock, events, Waits(clock)
        )
        self.aggregator = Aggregator(ports, SETTINGS, {Service.ENCODE: doer}, pushed)
        await self.income.start()
        await self.aggregator.start()

    async def ask(self, number: int, body: Asking) -> AggregatorAnswer:
        payload = b"".join(AggregatorRequest(job_id_of(number), body).segments())
        answer = await self.aggregator.answer(self.peer, memoryview(payload))
        return decode_answer(b"".join(answer))

    async def accept(self) -> AcceptEncode:
        offer = (await self.ask(0, QUOTE)).body
        assert isinstance(offer, OfferAnswer)
        digest = sha256(offer.offer).digest()
        domain = domain_separator(self.hub.domain)
        introduction = introduction_digest(domain, CLIENT, AGGREGATOR, self.peer)
        customer = Customer(CLIENT, digest, sign_recoverable(CLIENT_KEY, introduction))
        return AcceptEncode(customer, None, RIGHT_NOW + 3600)

    async def pay(self, number: int, part: int) -> None:
        total = number * PRICE + (PRICE if part else FIRST)
        domain = domain_separator(self.hub.domain)
        await self.income.take(sign_voucher(CLIENT_KEY, domain, CLIENT, AGGREGATOR, total))
        answer = await self.ask(number, Release(part))
        assert answer.code is Code.OK, answer

    async def serve(self, number: int) -> None:
        """One dataset, from wherever it stands to its end."""
        answer = await self.ask(number, StatusRequest())
        if answer.code is Code.UNKNOWN_JOB:
            answer = await self.ask(number, await self.accept())
        while not isinstance(answer.body, EncodedAnswer):
            assert isinstance(answer.body, Progress), answer
            stage, here = answer.body.stage, answer.body.blocks
            if stage is Stage.ACCEPTED:
                say("here", number, here)
                data = data_of(number)[here * BLOCK : (here + RUN_BLOCKS) * BLOCK]
                pushing = PushBlocks(here, data) if data else Seal(manifest_of(number))
                answer = await self.ask(number, pushing)
                continue
            assert stage is Stage.WORKING, answer
            await asyncio.sleep(0.002)
            answer = await self.ask(number, StatusRequest())
        receipt = decode_receipt(answer.body.receipt)
        say("ready", number, decode_manifest(receipt.manifest).tree_cid.digest.hex())
        await self.pay(number, 0)
        await self.pay(number, 1)
        while not self.is_over(number):
            await asyncio.sleep(0.002)
        say("paid", number)

    def is_over(self, number: int) -> bool:
        job = self.aggregator.jobs.find(job_id_of(number))
        return job is not None and job.is_dropped

    async def close(self) -> None:
        await self.aggregator.stop()
        await self.store.close()


def make_steps_small() -> None:
    coding.BATCH_BYTES = 6 * BLOCK  # one column
    protected_tree.STEP_BYTES = 12 * BLOCK
    protected_tree.STEP_BYTES_A_ROW = BLOCK
    protect.NEWS_SECONDS = 0.0


async def main(directory: Path) -> None:
    make_steps_small()
    child = Child()
    await child.open(directory)
    say("open")
    number = 0
    while True:
        if not child.is_over(number):
            await child.serve(number)
        number += 1


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
