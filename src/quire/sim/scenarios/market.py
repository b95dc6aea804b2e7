"""The market: a file is sold to hosts for an hour, and outlives them one after the other.

    1 the owner uploads a file and asks for 3 + 2 slots      2 hosts fill them: the contract starts
    3 the owner is gone for good
    4 again and again: a host dies for good with its data; its misses are marked, it is evicted,
      another host rebuilds its slot from the others and fills it
    5 a stranger reads the file: whole
    6 the contract ends: every host is paid, and every token is somewhere

All the while nodes are killed, restart, lose the chain for a while; blocks are re-organised; the
validator dies and comes back. None of that may cost a host that lives its collateral: a slot that
was evicted was that of a dead host.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from quire.base.invariant import invariant
from quire.base.units import KIB
from quire.chain.abi import slot_id
from quire.chain.memory.clock import mine_by_clock
from quire.chain.memory.world import MemoryWorld
from quire.chain.terms import Dispersal, Extensions, LazyRepair, Terms
from quire.chain.values import NO_ADDRESS, Address, RequestId, RequestState, SlotId, SlotState
from quire.dataset.circuit import CircuitParameters
from quire.flow.upload import UploadOrder
from quire.formats.cid import Cid
from quire.market.availability import Availability
from quire.market.bid import Bid
from quire.market.validation import Share
from quire.sim.checks import check_bytes
from quire.sim.node import NodeSizes, SimNode
from quire.sim.parts import Parts
from quire.sim.prover import verify_in_sim
from quire.sim.rng import Streams
from quire.sim.scenarios.insist import until_done
from quire.sim.trading import Trader, start_trading
from quire.sim.world import World
from quire.store.journal_memory import MemoryJournal

K, M = 3, 2
SLOTS = K + M
LOSSES_MAX = 3  # hosts that die for good, one after the other
BLOCK_SIZE = 4 * KIB
BLOCKS_MAX = 24
BLOCK_SECONDS = 5
EXPIRY = 900
DURATION = 1500, 1100  # and so much more for each loss
TOKENS = 10**15
FILL_SECONDS = 1500.0
REPAIR_SECONDS = 2000.0  # two misses, a wait for more losses, a slot to rebuild, a first proof
TROUBLE_SECONDS = (20.0, 200.0)  # between two faults
GONE_SECONDS = (1.0, 40.0)  # that a node is down, or without the chain
TERMS = Terms(
    chain_id=31337,
    contract=bytes([0xCC] * 20),
    token=bytes([0xDD] * 20),
    repair_reward_percentage=10,
    max_slashes=2,
    slash_percentage=20,
    validator_reward_percentage=20,
    period=90,
    timeout=30,
    downtime=32,
    downtime_product=37,
    zkey_hash="",
    max_reservations=3,
    duration_limit=30 * 86_400,
    proof_inputs=4,
)
OURS = Extensions.BATCH_PROOFS | Extensions.MARK_MANY
WINDOW = Dispersal(h_bps=2500, ttl=120, repair_window=180)
LAZY = LazyRepair(threshold=2, max_delay=300)  # one loss waits until somebody opens it
# What a contract can do: as the reference's, with ours, with the window or late repair besides.
CONTRACTS = (
    TERMS,
    replace(TERMS, extensions=OURS),
    replace(TERMS, extensions=OURS | Extensions.DISPERSAL, dispersal=WINDOW),
    replace(TERMS, extensions=OURS | Extensions.LAZY_REPAIR, lazy_repair=LAZY),
)


class Market:
    """The run of one seed."""

    def __init__(self, world: World, streams: Streams) -> None:
        self.world = world
        self._rng = streams.stream("choices")
        self._faults = streams.stream("faults")
        self.content = self._rng.randbytes(self._rng.randint(K, BLOCKS_MAX) * BLOCK_SIZE - 7)
        self.terms = self._rng.choice(CONTRACTS)
        self.chain = MemoryWorld(
            self.terms,
            int(world.clock.now()),
            verify_proof=verify_in_sim,
            block_seconds=BLOCK_SECONDS,
            automine=False,
            seed=self._rng.randbytes(8),
        )
        self.losses = self._rng.randint(1, LOSSES_MAX)
        self.duration = DURATION[0] + self.losses * DURATION[1]
        self.traders: dict[str, Trader] = {}
        self.owner = self._add("owner")
        self.hosts = [self._add(f"host{n}", is_host=True) for n in range(SLOTS + self.losses)]
        self.validator = self._add("validator", share=Share())
        self.reader = self._add("reader")
        self._tokens = sum(self.chain.state.tokens.values())

    async def run(self) -> None:
        """All steps. Raises `Bug` when one cannot be reached or a promise is broken."""
        world = self.world
        mining = asyncio.create_task(mine_by_clock(self.chain), name="mining")
        await asyncio.gather(*(world.start(node) for node in world.nodes.values()))
        trouble = asyncio.create_task(self._trouble(), name="trouble")
        cid, request_id = await self._buy()
        await self.world.until(
            "filled", partial(self._is, request_id, RequestState.STARTED), FILL_SECONDS
        )
        self._step(2, "every slot is filled, the contract has started")
        world.retire(self.owner)
        self._step(3, "the owner is gone for good")
        for _ in range(self.losses):
            await self._lose_a_host(request_id)
        trouble.cancel()
        await asyncio.wait([trouble])
        await self._calm()
        data = await until_done(world, self.reader, "read", lambda parts: self._read(parts, cid))
        check_bytes(self.content, data, "what the stranger got")
        world.note_checked(data)
        self._step(5, "a stranger has the file")
        await self._settle(request_id)
        for node in world.nodes.values():
            if not node.is_retired:
                await node.stop()
        mining.cancel()
        await asyncio.wait([mining])

    # ---- who takes part ----

    def _add(self, name: str, *, is_host: bool = False, share: Share | None = None) -> SimNode:
        sizes = NodeSizes(disk_bytes=64 * 1024 * KIB, quota_bytes=4 * BLOCKS_MAX * BLOCK_SIZE)
        node = self.world.add(name, sizes)
        account = name.encode().rjust(len(NO_ADDRESS), b"\1")
        self.chain.mint(account, TOKENS)
        offer = None
        if is_host:
            size = BLOCKS_MAX * BLOCK_SIZE
            offer = Availability(bytes(32), size, self.duration, 1, 100 * size)
        circuit = CircuitParameters(samples=3, block_depth=1)
        journal = MemoryJournal(node.clock)
        trader = Trader(name, account, self.chain, circuit, journal, offer, share)
        self.traders[name] = trader

        async def start(parts: Parts) -> Callable[[float], Awaitable[object]]:
            trading = await start_trading(parts, trader)
            return lambda _: trading.stop()

        node.services = start
        return node

    # ---- steps ----

    async def _buy(self) -> tuple[Cid, RequestId]:
        bid = Bid(self.duration, EXPIRY, 1, 1, 10, SLOTS, M)

        async def upload(parts: Parts) -> Cid:
            async def stream() -> AsyncIterator[bytes]:
                yield self.content

            order = UploadOrder(block_size=BLOCK_SIZE, expected_bytes=None)
            return (await parts.uploads.run(stream(), order)).manifest_cid

        source = await until_done(self.world, self.owner, "upload", upload)

        async def buy(_: Parts) -> RequestId:
            life = self.traders["owner"].life
            assert life is not None
            return await life.purchases.buy(source, bid)

        request_id = await until_done(self.world, self.owner, "buy", buy)
        await self.world.until(
            "known", lambda: request_id in self.chain.state.requests, FILL_SECONDS
        )
        request = self.chain.state.requests[request_id].request
        can = self.terms.extensions.name or "nothing"
        self._step(1, f"{len(self.content)} bytes are asked for in {SLOTS} slots; added: {can}")
        return Cid.decode(request.content.cid), request_id

    async def _lose_a_host(self, request_id: RequestId) -> None:
        """One host dies with its data; its slots are marked, freed, rebuilt and filled again."""
        holders = self._holders(request_id)
        invariant(None not in holders.values(), f"slots are empty: {holders}")
        victim = self._rng.choice([h for h in self.hosts if self._account(h) in holders.values()])
        account = self._account(victim)
        lost = [slot for slot, holder in holders.items() if holder == account]
        if len(lost) > M:
            return  # nobody could survive that
        self.world.retire(victim)
        self._step(4, f"{victim.name} is gone for good, with {len(lost)} slots")

        def is_repaired() -> bool:
            found = self._holders(request_id)
            self._check_evicted(request_id)
            return account not in found.values() and None not in found.values()

        await self.world.until(f"repaired after {victim.name}", is_repaired, REPAIR_SECONDS)
        self._step(4, "every slot is held again")

    async def _settle(self, request_id: RequestId) -> None:
        """The contract ends. Its tokens are with hosts, client and validator, or are burnt."""

        def is_paid() -> bool:
            return all(
                self._state(slot) is SlotState.PAID
                for slot, holder in self._holders(request_id).items()
                if holder is not None
            )

        await self.world.until("paid", is_paid, self.duration + 600.0)
        client = self.traders["owner"]
        await self.world.bring_back(self.owner)
        await self.world.until(
            "withdrawn", lambda: self.chain.state.requests[request_id].is_withdrawn, 600.0
        )
        tokens, state = self.chain.state.tokens, self.chain.state
        invariant(
            sum(tokens.values()) == self._tokens,
            f"tokens came or went: {sum(tokens.values())} of {self._tokens}",
        )
        left = tokens.get(self.terms.contract, 0)
        invariant(left == state.burnable, f"{left} tokens are left, {state.burnable} are burnt")
        spent = TOKENS - tokens[client.account]
        invariant(spent > 0, f"the client paid {spent}")
        self._step(6, "everybody is paid")

    # ---- trouble ----

    async def _trouble(self) -> None:
        """Faults that cost nobody anything, one after the other, for ever."""
        rng = self._faults
        while True:
            await asyncio.sleep(rng.uniform(*TROUBLE_SECONDS))
            seconds = rng.uniform(*GONE_SECONDS)
            nodes = [n for n in (*self.hosts, self.validator, self.reader) if not n.is_retired]
            node = rng.choice(nodes)
            kind = rng.choice(("kill", "power", "restart", "chain", "reorganisation"))
            self.world.tally.faults[f"market: {kind}"] += 1
            self.world.trace.record(node.name, "trouble", "", f"{kind} for {seconds:.1f} s")
            match kind:
                case "chain":
                    self.traders[node.name].cut_off(True)
                    await asyncio.sleep(seconds)
                    self.traders[node.name].cut_off(False)
                case "reorganisation":
                    depth = rng.randint(1, 3)
                    self.chain.reorganise(depth, loses_transactions=rng.random() < 0.3)
                case _:
                    if node.life is not None:
                        await self._go_down(node, kind)
                    await asyncio.sleep(seconds)
                    await self.world.start(node)

    async def _go_down(self, node: SimNode, kind: str) -> None:
        if kind == "restart":
            await node.stop()
        else:
            node.crash(loses_power=kind == "power")

    async def _calm(self) -> None:
        self.world.weather.is_calm = True
        for node in self.world.nodes.values():
            if not node.is_retired:
                self.traders[node.name].cut_off(False)
                await self.world.start(node)

    # ---- what is looked at ----

    def _account(self, node: SimNode) -> Address:
        return self.traders[node.name].account

    def _is(self, request_id: RequestId, state: RequestState) -> bool:
        return self.chain.moment(NO_ADDRESS).request_state(request_id) is state

    def _state(self, slot: SlotId) -> SlotState:
        return self.chain.moment(NO_ADDRESS).slot_state(slot)

    def _holders(self, request_id: RequestId) -> dict[SlotId, Address | None]:
        slots = [slot_id(request_id, index) for index in range(SLOTS)]
        return {slot: self.chain.moment(NO_ADDRESS).host(slot) for slot in slots}

    def _check_evicted(self, request_id: RequestId) -> None:
        """No host that lives has lost anything, and the contract has not failed."""
        invariant(self._is(request_id, RequestState.STARTED), "the contract failed")
        moment = self.chain.moment(NO_ADDRESS)
        for slot, holder in self._holders(request_id).items():
            living = [h for h in self.hosts if not h.is_retired and self._account(h) == holder]
            missed = moment.missing_proofs(slot)
            invariant(
                not living or missed == 0,
                f"{living and living[0].name} lives and has missed {missed} proofs",
            )

    async def _read(self, parts: Parts, cid: Cid) -> bytes:
        found = await parts.fetches.manifest(cid, 60.0)
        received = bytearray()
        async with aclosing(parts.downloads.read(found)) as chunks:
            async for chunk in chunks:
                received += chunk
        return bytes(received)

    def _step(self, number: int, text: str) -> None:
        self.world.trace.record(f"step {number}", "step", "", text)
