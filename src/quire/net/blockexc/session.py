"""Our requests at one peer that speaks the block exchange.

    ask_have    wantHave for a sample of the tree; a partial holder is asked on and on
    ask_range   wantBlock for a run of leaves in one message; done when the last block is there
    ask_block   wantHave, then wantBlock, for one CID

What is withdrawn is cancelled at the peer; its blocks may come all the same and are dropped.
"""

from __future__ import annotations

import asyncio

from quire.base.errors import PeerError, PeerGone, PeerLied, PeerSilent, ProtocolMismatch
from quire.base.ranges import RangeSet
from quire.formats.blockexc import MAX_ENTRIES, BlockAddress, Delivery, Message, Want
from quire.formats.cid import Cid, tree_cid
from quire.formats.exchange import (
    BlockReply,
    HaveReply,
    HaveUpdate,
    LeavesReply,
    RangeReply,
    Status,
)
from quire.formats.merkle_run import ProofChecker
from quire.net.blockexc.limits import RUN_BLOCKS, BlockexcLimits
from quire.net.blockexc.link import Link
from quire.net.blockexc.presence import PartialHolding, Questions, indices_of, sample
from quire.net.blockexc.run import Run
from quire.net.exchange.dialect import DialectPorts
from quire.net.exchange.peer_session import AskedTree, PeerSession

_KEPT_CHECKERS = 16


class BlockexcSession(PeerSession):
    """The requester's end of a link."""

    def __init__(self, link: Link, ports: DialectPorts, limits: BlockexcLimits) -> None:
        super().__init__(link.peer, link.protocol, ports.limits, ports.ledger.of(link.peer))
        self.max_blocks = RUN_BLOCKS
        self._link = link
        self._ports = ports
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._questions = Questions(limits, link.post)
        self._runs: dict[BlockAddress, Run] = {}  # by each block that is still to come
        self._singles: dict[BlockAddress, asyncio.Future[Delivery]] = {}
        self._past: dict[BlockAddress, None] = {}  # asked for once; the block may come again
        self._checkers: dict[tuple[bytes, int], ProofChecker] = {}
        self._holdings: dict[bytes, asyncio.Task[None]] = {}  # partial ones, by tree root
        self._resend: asyncio.Task[None] | None = None
        self._resends = 0
        self._strays = 0
        self._ended: PeerError | None = None

    @property
    def is_over(self) -> bool:
        return self._ended is not None

    @property
    def open_requests(self) -> int:
        return len({id(run) for run in self._runs.values()}) + len(self._singles)

    async def ask_have(self, tree: AskedTree, deadline: float) -> HaveReply:
        self._check_open()
        cid = tree_cid(tree.root)
        leaves = sample(tree.leaf_count, self._limits.sample_leaves)
        asked_at = self._loop.time()
        answers = await self._questions.ask([BlockAddress(cid, i) for i in leaves], deadline)
        self._check_open()
        if not answers:
            raise PeerSilent(f"{self.peer} did not say whether it has blocks", peer=self.peer)
        self.estimate.answered(self._loop.time() - asked_at)
        present = indices_of(address for address, has in answers.items() if has)
        if not present:
            return HaveReply(0, Status.NOT_HAVE)
        if present.count() == len(leaves):
            present = RangeSet([(0, tree.leaf_count)])
        else:
            self._keep_asking(tree, present.copy())
        return HaveReply(0, Status.OK, tree.leaf_count, present, tree.block_size)

    async def ask_range(
        self, tree: AskedTree, start: int, count: int, deadline: float
    ) -> RangeReply:
        self._check_open()
        predicted = self.estimate.cost_seconds(self.pending_bytes)
        run = Run(tree, start, count, self._checker(tree), self._loop.time())
        self._runs.update(dict.fromkeys(run.addresses, run))
        try:
            async with asyncio.timeout_at(deadline):
                await self._link.send(Message(wants=tuple(map(Want, run.addresses))))
                reply = await run.reply
        except TimeoutError:
            reply = None
        finally:
            self._withdraw([a for a in run.addresses if self._runs.get(a) is run])
        if reply is None:
            return await self._why_silent(run)
        if reply.status is Status.OK:
            now = self._loop.time()
            self.estimate.delivered(run.size_bytes, run.asked_at, now, predicted)
        return reply

    async def ask_block(self, cid: Cid, deadline: float) -> BlockReply:
        self._check_open()
        address = BlockAddress(cid)
        answers = await self._questions.ask([address], deadline)
        self._check_open()
        if not answers.get(address, True):
            return BlockReply(0, Status.NOT_HAVE)
        if not answers:
            raise PeerSilent(f"{self.peer} did not say whether it has {cid}", peer=self.peer)
        coming: asyncio.Future[Delivery] = self._loop.create_future()
        self._singles[address] = coming
        try:
            async with asyncio.timeout_at(deadline):
                await self._link.send(Message(wants=(Want(address),)))
                delivery = await coming
        except TimeoutError:
            raise PeerSilent(f"{self.peer} has {cid} and did not send it", peer=self.peer) from None
        finally:
            if self._singles.get(address) is coming:
                self._withdraw([address])
        if delivery.cid != cid:
            raise PeerLied(f"{self.peer} sent {delivery.cid} for {cid}", peer=self.peer)
        return BlockReply(0, Status.OK, delivery.data)

    async def ask_leaves(
        self, tree: AskedTree, start: int, count: int, deadline: float
    ) -> LeavesReply:
        raise ProtocolMismatch(
            f"{self.peer} speaks {self.protocol}, which has no lists of leaves; only a node of "
            "Quire can give one",
            peer=self.peer,
        )

    def end(self, problem: PeerError) -> None:
        if self._ended is not None:
            return
        self._ended = problem
        for task in (*self._holdings.values(), *([self._resend] if self._resend else ())):
            task.cancel()
        waiting: list[asyncio.Future[RangeReply] | asyncio.Future[Delivery]] = [
            *(run.reply for run in self._runs.values()),
            *self._singles.values(),
        ]
        for future in waiting:
            if not future.done():
                future.set_exception(type(problem)(problem.message, **problem.facts))
                future.exception()  # seen: whoever asked may have been cancelled
        self._ports.on_end(self, problem)

    # ---- called by the link's owner ----

    def take(self, message: Message) -> None:
        """Blocks and presences of a message."""
        self.heard_at = self._loop.time()
        try:
            for presence in message.presences:
                self._questions.told(presence)
                run = self._runs.get(presence.address)
                if run is not None and not presence.have:
                    run.decline(Status.NOT_HAVE)
            for delivery in message.deliveries:
                self._deliver(delivery)
        except PeerLied as lie:
            self.end(PeerLied(f"{self.peer}: {lie.message}", peer=self.peer))

    def stream_ended(self) -> None:
        """A stream ended: what is outstanding may be lost with it, so it is asked for again."""
        is_waiting = self._runs or self._singles
        if self._ended is not None or self._resend is not None or not is_waiting:
            return
        self._resends += 1
        if self._resends > self._limits.resends:
            self.end(PeerGone(f"{self.peer} ends every stream", peer=self.peer))
            return
        self._resend = self._loop.create_task(self._ask_again())

    # ---- inside ----

    async def _ask_again(self) -> None:
        try:
            await self._link.open(self._loop.time() + self._ports.limits.answer_seconds)
            self._questions.repeat()
            wanted = [*self._runs, *self._singles]
            for at in range(0, len(wanted), MAX_ENTRIES):
                await self._link.send(
                    Message(wants=tuple(map(Want, wanted[at : at + MAX_ENTRIES])))
                )
        except PeerError as problem:
            self.end(problem)
        finally:
            self._resend = None

    async def _why_silent(self, run: Run) -> RangeReply:
        """A run that was not delivered in time: the peer may not have it after all.

        Asked only now: the reference does not answer while it has a want for the block."""
        self._check_open()
        deadline = self._loop.time() + self._limits.answer_seconds
        answers = await self._questions.ask(run.addresses, deadline)
        self._check_open()
        if not all(answers.values()):
            return RangeReply(0, Status.NOT_HAVE)
        waited = self._loop.time() - run.asked_at
        raise PeerSilent(f"{self.peer} did not deliver within {waited:.1f} s", peer=self.peer)

    def _deliver(self, delivery: Delivery) -> None:
        address = delivery.address
        single = self._singles.pop(address, None)
        run = self._runs.pop(address, None) if address.index is not None else None
        if single is None and run is None:
            self._stray(delivery)
            return
        self._resends = 0
        self._remember(address)
        if single is not None and not single.done():
            single.set_result(delivery)
        if run is not None and address.index is not None:
            run.take(address.index, delivery)

    def _stray(self, delivery: Delivery) -> None:
        """A block that is not wanted (any more)."""
        self.account.wasted_bytes += len(delivery.data)
        if delivery.address not in self._past:
            self._strays += 1
            if self._strays > self._limits.strays:
                raise PeerLied(f"it sent {self._strays} blocks that nobody asked for")

    def _withdraw(self, addresses: list[BlockAddress]) -> None:
        """Do not want these any more."""
        if not addresses:
            return
        for address in addresses:
            self._runs.pop(address, None)
            self._singles.pop(address, None)
            self._remember(address)
        if self._ended is None:
            self._link.post(Message(wants=tuple(Want(a, cancel=True) for a in addresses)))

    def _remember(self, address: BlockAddress) -> None:
        self._past[address] = None
        if len(self._past) > self._limits.remembered:
            del self._past[next(iter(self._past))]

    def _keep_asking(self, tree: AskedTree, known: RangeSet) -> None:
        old = self._holdings.pop(tree.root, None)
        if old is not None:
            old.cancel()

        def tell(added: RangeSet) -> bool:
            return self._ports.on_update(self.peer, HaveUpdate(tree.root, tree.leaf_count, added))

        holding = PartialHolding(tree, known, self._limits)
        task = self._loop.create_task(holding.watch(self._questions, tell))
        self._holdings[tree.root] = task
        task.add_done_callback(lambda _: self._forget_holding(tree.root, task))

    def _forget_holding(self, root: bytes, task: asyncio.Task[None]) -> None:
        if self._holdings.get(root) is task:
            del self._holdings[root]

    def _checker(self, tree: AskedTree) -> ProofChecker:
        key = (tree.root, tree.leaf_count)
        checker = self._checkers.get(key)
        if checker is None:
            checker = self._checkers[key] = ProofChecker(*key)
            if len(self._checkers) > _KEPT_CHECKERS:
                del self._checkers[next(iter(self._checkers))]
        return checker

    def _check_open(self) -> None:
        if self._ended is not None:
            raise PeerGone(self._ended.message, peer=self.peer)
