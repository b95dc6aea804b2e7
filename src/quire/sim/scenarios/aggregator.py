"""Aggregators: they code a dataset for its owner, and make and submit the proofs of its hosts.

    1 the owner uploads a file; an aggregator codes it      2 it is sold; hosts take the slots from
    3 every period hosts have their proofs made and submitted       the aggregator, which is paid
    4 everything calms down: every order and job has ended, everybody has what is due to him

All the while whoever speaks, or writes, may die of it; messages are lost, told twice, held up;
nodes lose each other or the chain; blocks are re-organised. Of the aggregators one is honest and
stays. The others may lie, break their promises, dawdle, or be gone for good.

Nothing of that may cost anybody anything: see sim/settlement.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial

from quire.aggregation.values import service_of
from quire.base.errors import Bug
from quire.base.units import KIB
from quire.chain.memory.bonds import MemoryBonds
from quire.chain.memory.clock import mine_by_clock
from quire.chain.memory.hub import MemoryHub
from quire.chain.memory.world import MemoryWorld
from quire.chain.terms import Extensions, Terms
from quire.chain.values import NO_ADDRESS, RequestId, RequestState
from quire.dataset.circuit import CircuitParameters
from quire.flow.upload import UploadOrder
from quire.formats.cid import Cid
from quire.market.availability import Availability
from quire.market.bid import Bid
from quire.market.validation import Share
from quire.net.known_peer import KnownPeer
from quire.services.ordering.encoding import EncodeTerms
from quire.sim.aggregator_trouble import AggregatorTrouble, Cast
from quire.sim.gatherers import BOND, draw_gathering
from quire.sim.members import PROTOCOLS, Gathering, Hosting, Member
from quire.sim.node import NodeSizes
from quire.sim.overhearing import Overhearing
from quire.sim.parts import Parts
from quire.sim.prover import verify_in_sim
from quire.sim.rng import Streams
from quire.sim.scenarios.insist import until_done
from quire.sim.settlement import Settlement
from quire.sim.world import World
from quire.store.journal_memory import MemoryJournal

K, M = 2, 1
SLOTS = K + M
BLOCK_SIZE = 4 * KIB
COLUMNS_MAX = 8
BLOCK_SECONDS = 5
TOKENS, DEPOSIT, BONDED = 10**15, 10**9, 10**6
DURATION, EXPIRY = 9000, 4000
PERIODS = 3  # with trouble
CALM_PERIODS = 1
ENCODE_SECONDS = 3600.0
CODED_LOOK_SECONDS = 60.0
FILL_SECONDS = 3900.0
SAVING_SECONDS = 90.0  # of a period, with which a host saves it: own proof, own transaction
CIRCUIT = CircuitParameters(samples=3, block_depth=1)
TERMS = Terms(
    chain_id=31337,
    contract=bytes([0xCC] * 20),
    token=bytes([0xDD] * 20),
    repair_reward_percentage=10,
    max_slashes=100,  # nobody loses a slot here
    slash_percentage=1,
    validator_reward_percentage=20,
    period=120,
    timeout=30,
    downtime=64,
    downtime_product=67,
    zkey_hash="",
    max_reservations=3,
    duration_limit=30 * 86_400,
    extensions=Extensions(31),
    proof_inputs=4,
)


class AggregatorStory:
    """The run of one seed."""

    def __init__(self, world: World, streams: Streams) -> None:
        self.world = world
        self._streams = streams
        self._rng = streams.stream("choices")
        blocks = K * self._rng.randint(1, COLUMNS_MAX)
        self.content = self._rng.randbytes(blocks * BLOCK_SIZE - self._rng.randrange(BLOCK_SIZE))
        self.chain = MemoryWorld(
            TERMS,
            int(world.clock.now()),
            verify_proof=verify_in_sim,
            block_seconds=BLOCK_SECONDS,
            seed=self._rng.randbytes(8),
        )
        self.trouble = AggregatorTrouble(world, self.chain, streams.stream("faults"))
        self.cast = self.trouble.cast
        self.settlement = Settlement(self.chain, self.content, BLOCK_SIZE)
        protocols = (PROTOCOLS.aggregator, PROTOCOLS.pay)
        self._ears = Overhearing(protocols, streams.stream("ears"), world.tally, self.trouble.dies)
        self._enter()
        self._tokens = sum(self.chain.state.tokens.values())

    async def run(self) -> None:
        """All steps. Raises `Bug` when one cannot be reached or a promise is broken."""
        world = self.world
        await self._endow()
        self.chain.automine = False
        mining = asyncio.create_task(mine_by_clock(self.chain), name="mining")
        await asyncio.gather(*(world.start(node) for node in world.nodes.values()))
        self.trouble.start()
        encoded = await self._encode()
        request_id = await self._sell(encoded)
        start = TERMS.period_of(self.chain.head.timestamp)
        await self.world.until("proved", lambda: self._period() > start + PERIODS, 2000.0)
        self._step(3, "hosts have proved for some periods")
        self._ears.is_calm = True
        await self.trouble.end()
        calm_since = self.chain.head.timestamp
        end = self._period() + CALM_PERIODS
        await self.world.until("calm", lambda: self._period() > end, 2000.0)
        self._check(calm_since, request_id)
        self._step(4, "everybody has what is due to him")
        for cast in self.cast.values():
            if not cast.node.is_retired:
                await cast.node.stop()
        mining.cancel()
        await asyncio.wait([mining])

    # ---- who takes part ----

    def _enter(self) -> None:
        rng = self._rng
        gatherings = [draw_gathering(rng, is_good=n == 0) for n in range(rng.randint(2, 3))]
        rng.shuffle(gatherings)
        for number, gathering in enumerate(gatherings):
            self._add(f"aggregator{number}", gathering=gathering)
            self.world.trace.record(f"aggregator{number}", "character", "", str(gathering))
        known = [KnownPeer(cast.node.peer_id, (cast.node.address,)) for cast in self.cast.values()]
        self._add("owner", known)
        size = 4 * COLUMNS_MAX * BLOCK_SIZE
        offer = Availability(bytes(32), size, DURATION, 1, 1000 * size)
        for number in range(rng.randint(1, 2)):
            own = rng.choice((None, 1.0, 15.0))
            self._add(f"host{number}", known, hosting=Hosting(offer, own))
        self._add("validator", share=Share())

    def _add(
        self,
        name: str,
        known: Sequence[KnownPeer] = (),
        *,
        hosting: Hosting | None = None,
        gathering: Gathering | None = None,
        share: Share | None = None,
    ) -> None:
        sizes = NodeSizes(disk_bytes=16 * 1024 * KIB, quota_bytes=8 * 1024 * KIB)
        node = self.world.add(name, sizes)
        key = self._streams.stream(f"{name}/account").randbytes(32)
        member = Member(
            name,
            key,
            self.chain,
            CIRCUIT,
            MemoryJournal(node.clock),
            known,
            hosting,
            gathering,
            share,
            on_joined=self.trouble.doom,
        )
        node.peer_id, node.services = member.identity.peer_id, member.join
        node.manners = self._ears.at(node.peer_id)
        self.chain.mint(member.account, TOKENS)
        self.cast[name] = Cast(member, node, is_mortal=share is None)

    async def _endow(self) -> None:
        """Who pays has tokens in the hub; who promises has a bond."""
        for cast in self.cast.values():
            account = cast.member.account
            if cast.member.gathering is not None:
                await MemoryBonds(self.chain, account, self.world.clock).deposit(BONDED)
            else:
                await MemoryHub(self.chain, account, self.world.clock).deposit(DEPOSIT)

    # ---- steps ----

    async def _encode(self) -> Cid:
        owner = self.cast["owner"]

        async def upload(parts: Parts) -> Cid:
            async def stream() -> AsyncIterator[bytes]:
                yield self.content

            order = UploadOrder(block_size=BLOCK_SIZE, expected_bytes=None)
            return (await parts.uploads.run(stream(), order)).manifest_cid

        self.source = await until_done(self.world, owner.node, "upload", upload)
        try:
            async with asyncio.timeout(ENCODE_SECONDS):
                encoded = await self._have_coded()
        except TimeoutError:
            raise Bug(f"nothing was coded in {ENCODE_SECONDS:.0f} s") from None
        self._step(1, f"{len(self.content)} bytes are coded as {encoded}")
        return encoded

    async def _have_coded(self) -> Cid:
        """By an aggregator that serves it; by another one when the first is gone with it."""
        owner = self.cast["owner"]

        async def encode(_: Parts) -> Cid:
            life = owner.member.life
            assert life is not None
            return await life.aggregation.encoding.encode(self.source, EncodeTerms(K, M))

        return await until_done(self.world, owner.node, "encode", encode)

    async def _keep_coded(self) -> None:
        """Until hosts have it."""
        while True:
            await asyncio.sleep(CODED_LOOK_SECONDS)
            await self._have_coded()

    async def _sell(self, encoded: Cid) -> RequestId:
        owner, bid = self.cast["owner"], Bid(DURATION, EXPIRY, 1, 1, 10, SLOTS, M)

        async def buy(_: Parts) -> RequestId:
            life = owner.member.life
            assert life is not None
            for purchase in life.trading.purchases.all():  # of before a crash
                return purchase.request_id
            return await life.trading.purchases.buy(encoded, bid)

        request_id = await until_done(self.world, owner.node, "buy", buy)
        await self.world.until(
            "known", lambda: request_id in self.chain.state.requests, FILL_SECONDS
        )
        keeping = asyncio.create_task(self._keep_coded(), name="keep coded")
        await self.world.until(
            "filled", partial(self._is, request_id, RequestState.STARTED), FILL_SECONDS
        )
        keeping.cancel()
        await asyncio.wait([keeping])
        self._step(2, "every slot is filled, the contract has started")
        return request_id

    # ---- what is looked at ----

    def _check(self, calm_since: float, request_id: RequestId) -> None:
        settlement = self.settlement
        living = [c.member for c in self.cast.values() if not c.node.is_retired]
        customers = [m for m in living if m.gathering is None]
        for member in living:
            self._count(member)
            settlement.check_customer(member)
            settlement.check_ends(member, calm_since)
            if member.gathering is not None:
                settlement.check_payee(member, customers)
        gatherers = [c.member for c in self.cast.values() if c.member.gathering is not None]
        settlement.check_bonds({m.account: BONDED for m in gatherers}, BOND)
        hosts = {
            m.account: m.name for m in living if m.hosting and m.hosting.own_seconds is not None
        }
        away = {name: cast.away for name, cast in self.cast.items()}
        settlement.check_slots(hosts, away, SAVING_SECONDS)
        tokens = sum(self.chain.state.tokens.values())
        if tokens != self._tokens:
            raise Bug(f"tokens came or went: {tokens} of {self._tokens}")
        if not self._is(request_id, RequestState.STARTED):
            raise Bug("the contract failed")

    def _count(self, member: Member) -> None:
        """For the figures: what became of its orders."""
        assert member.life is not None
        for order in member.life.aggregation.orders.all():
            what = f"{service_of(order.work).name.lower()} {order.at}"
            done = self.world.tally.done if order.cost else self.world.tally.refused
            done[what] += 1

    def _is(self, request_id: RequestId, state: RequestState) -> bool:
        return self.chain.moment(NO_ADDRESS).request_state(request_id) is state

    def _period(self) -> int:
        return TERMS.period_of(self.chain.head.timestamp)

    def _step(self, number: int, text: str) -> None:
        self.world.trace.record(f"step {number}", "step", "", text)
