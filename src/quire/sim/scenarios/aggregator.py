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
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from quire.aggregation.values import service_of
from quire.base.errors import Bug
from quire.base.units import KIB
from quire.chain.memory.bonds import MemoryBonds
from quire.chain.memory.clock import MemoryChainClock, mine_by_clock
from quire.chain.memory.hub import MemoryHub
from quire.chain.memory.world import MemoryWorld
from quire.chain.values import NO_ADDRESS, RequestId, RequestState
from quire.flow.upload import UploadOrder
from quire.formats.cid import Cid
from quire.market.availability import Availability
from quire.market.bid import Bid
from quire.market.validation import Share
from quire.net.known_peer import KnownPeer
from quire.net.transport import PeerId
from quire.services.ordering.encoding import EncodeTerms
from quire.sim.gatherers import BOND, draw_gathering
from quire.sim.members import PROTOCOLS, Gathering, Hosting, Member
from quire.sim.node import NodeSizes, SimNode
from quire.sim.overhearing import Overhearing
from quire.sim.parts import Parts
from quire.sim.prover import verify_in_sim
from quire.sim.rng import Streams
from quire.sim.scenarios.aggregator_terms import CIRCUIT, TERMS
from quire.sim.scenarios.insist import until_done
from quire.sim.settlement import Away, Settlement
from quire.sim.tasks import OWNER
from quire.sim.world import World
from quire.store.journal import Record
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
LOOK_SECONDS = 2.0
ENCODE_SECONDS = 3600.0
CODED_LOOK_SECONDS = 60.0
FILL_SECONDS = 3900.0
TROUBLE_SECONDS = (2.0, 60.0)  # between two faults
GONE_SECONDS = (0.5, 40.0)  # that a node is down, or without the chain
SAVING_SECONDS = 90.0  # of a period, with which a host saves it: own proof, own transaction
WRITES_MAX = 40  # of the journal, until one of them is deadly


@dataclass(slots=True)
class Cast:
    """A member, and its node. `since`: of the chain, from when on it cannot act."""

    member: Member
    node: SimNode
    is_mortal: bool = True
    since: float | None = None


class AggregatorStory:
    """The run of one seed."""

    def __init__(self, world: World, streams: Streams) -> None:
        self.world = world
        self._streams = streams
        self._rng = streams.stream("choices")
        self._faults = streams.stream("faults")
        self._deaths = self._faults.randint(0, 12)  # that are left
        blocks = K * self._rng.randint(1, COLUMNS_MAX)
        self.content = self._rng.randbytes(blocks * BLOCK_SIZE - self._rng.randrange(BLOCK_SIZE))
        self.chain = MemoryWorld(
            TERMS,
            int(world.clock.now()),
            verify_proof=verify_in_sim,
            block_seconds=BLOCK_SECONDS,
            seed=self._rng.randbytes(8),
        )
        self.clock = MemoryChainClock(self.chain, world.clock)
        self.settlement = Settlement(self.chain, self.content, BLOCK_SIZE)
        protocols = (PROTOCOLS.aggregator, PROTOCOLS.pay)
        self._ears = Overhearing(protocols, streams.stream("ears"), world.tally, self._dies)
        self.away: dict[str, list[Away]] = {}
        self._restarts: dict[asyncio.Task[None], None] = {}
        self._is_troubled = True
        self.cast: dict[str, Cast] = {}
        self._enter()
        self._tokens = sum(self.chain.state.tokens.values())

    async def run(self) -> None:
        """All steps. Raises `Bug` when one cannot be reached or a promise is broken."""
        world = self.world
        await self._endow()
        self.chain.automine = False
        mining = asyncio.create_task(mine_by_clock(self.chain), name="mining")
        await asyncio.gather(*(world.start(node) for node in world.nodes.values()))
        trouble = asyncio.create_task(self._trouble(), name="trouble")
        encoded = await self._encode()
        request_id = await self._sell(encoded)
        start = TERMS.period_of(self.chain.head.timestamp)
        await self._until("proved", lambda: self._period() > start + PERIODS, 2000.0)
        self._step(3, "hosts have proved for some periods")
        trouble.cancel()
        await asyncio.wait([trouble])
        await self._calm()
        calm_since = self.clock.now()
        end = self._period() + CALM_PERIODS
        await self._until("calm", lambda: self._period() > end, 2000.0)
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
            on_joined=self._doom,
        )
        node.peer_id, node.services = member.identity.peer_id, member.join
        node.manners = self._ears.at(node.peer_id)
        self.chain.mint(member.account, TOKENS)
        self.cast[name] = Cast(member, node, is_mortal=share is None)
        self.away[name] = []

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
        await self._until("known", lambda: request_id in self.chain.state.requests)
        keeping = asyncio.create_task(self._keep_coded(), name="keep coded")
        await self._until("filled", partial(self._is, request_id, RequestState.STARTED))
        keeping.cancel()
        await asyncio.wait([keeping])
        self._step(2, "every slot is filled, the contract has started")
        return request_id

    # ---- trouble ----

    async def _trouble(self) -> None:
        """Faults, one after the other, for ever."""
        rng, network = self._faults, self.world.network
        while True:
            await asyncio.sleep(rng.uniform(*TROUBLE_SECONDS))
            seconds = rng.uniform(*GONE_SECONDS)
            cast = rng.choice([c for c in self.cast.values() if not c.node.is_retired])
            kind = rng.choice(
                ("dies", "restart", "chain", "reorganisation", "parted", "cut", "gone")
            )
            self.world.trace.record(cast.member.name, "trouble", "", f"{kind} for {seconds:.1f} s")
            if kind != "dies":
                self.world.tally.faults[f"aggregator: {kind}"] += 1
            match kind:
                case "dies":
                    self._dies(cast.node.peer_id)
                case "restart":
                    await self._restart(cast, seconds)
                case "chain":
                    self._goes(cast)
                    cast.member.faults.is_unreachable = True
                    await asyncio.sleep(seconds)
                    cast.member.faults.is_unreachable = False
                    self._comes(cast)
                case "reorganisation":
                    self.chain.reorganise(rng.randint(1, 2))
                case "parted":
                    other = rng.choice([c for c in self.cast.values() if c is not cast])
                    network.partition(cast.node.peer_id, other.node.peer_id)
                    await asyncio.sleep(seconds)
                    network.heal(cast.node.peer_id, other.node.peer_id)
                case "cut":
                    for other in self.cast.values():
                        network.drop(cast.node.peer_id, other.node.peer_id)
                case "gone":
                    self._is_gone(cast)

    def _dies(self, peer: PeerId) -> bool:
        """The life of a node ends here and now; another one begins later."""
        cast = next(c for c in self.cast.values() if c.node.peer_id == peer)
        if not self._is_troubled or not cast.is_mortal or self._deaths == 0:
            return False
        if cast.node.life is None or cast.node.is_retired:
            return False
        self._deaths -= 1
        self.world.tally.faults["aggregator: dies"] += 1
        self._goes(cast)
        notice = self._faults.choice((0.0, self._faults.uniform(0.0, 10.0)))
        cast.node.crash(loses_power=self._faults.random() < 0.5, notice_seconds=notice)
        cast.member.fence()
        again = self._begins_again(cast, self._faults.uniform(*GONE_SECONDS))
        token = OWNER.set("")  # who comes back does not die with those who were there before
        task = asyncio.get_running_loop().create_task(again, name=f"{cast.member.name} comes back")
        OWNER.reset(token)
        self._restarts[task] = None
        task.add_done_callback(self._restarts.pop)
        return True

    async def _begins_again(self, cast: Cast, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._back(cast)

    async def _back(self, cast: Cast) -> None:
        await self.world.start(cast.node)
        if cast.node.life is not None:
            self._comes(cast)

    async def _restart(self, cast: Cast, seconds: float) -> None:
        if cast.node.life is None:
            return
        self._goes(cast)
        await cast.node.stop()
        cast.member.fence()
        await asyncio.sleep(seconds)
        await self._back(cast)

    def _is_gone(self, cast: Cast) -> None:
        """For good, if it is one of those who go."""
        gathering = cast.member.gathering
        if gathering is not None and gathering.goes and self._is_troubled:
            self.world.retire(cast.node)
            cast.member.fence()

    def _doom(self, member: Member) -> None:
        """One of the next writes of its journal may be deadly, before or after it is durable."""
        rng = self._faults
        cast = self.cast[member.name]
        left, when = rng.randint(1, WRITES_MAX), rng.choice(("before", "after"))
        if rng.random() < 0.5:
            return

        async def count(_: Sequence[Record]) -> None:
            nonlocal left
            left -= 1
            if left == 0 and self._dies(cast.node.peer_id):
                self.world.tally.faults[f"journal: dies {when} a write"] += 1
                await asyncio.sleep(0.0)  # and never comes back from that

        if when == "before":
            member.journal.before = count
        else:
            member.journal.after = count

    async def _calm(self) -> None:
        self._is_troubled = False
        self._ears.is_calm = self.world.weather.is_calm = True
        while self._restarts:
            await asyncio.wait(list(self._restarts))
        for cast in self.cast.values():
            cast.member.faults.is_unreachable = False
            for other in self.cast.values():
                if other is not cast:
                    self.world.network.heal(cast.node.peer_id, other.node.peer_id)
            if not cast.node.is_retired:
                await self._back(cast)

    def _goes(self, cast: Cast) -> None:
        if cast.since is None:
            cast.since = self.clock.now()

    def _comes(self, cast: Cast) -> None:
        if cast.since is not None:
            self.away[cast.member.name].append(Away(cast.since, self.clock.now()))
            cast.since = None

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
        settlement.check_slots(hosts, self.away, SAVING_SECONDS)
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

    async def _until(
        self, what: str, is_so: Callable[[], bool], seconds: float = FILL_SECONDS
    ) -> None:
        end = self.world.now() + seconds
        while not is_so():
            if self.world.now() > end:
                raise Bug(f"not {what} after {seconds:.0f} s")
            await asyncio.sleep(LOOK_SECONDS)

    def _step(self, number: int, text: str) -> None:
        self.world.trace.record(f"step {number}", "step", "", text)
