"""What orders of proofs do beside the common life of an order: send the witness, verify the proof.

One pairing check before anybody uses or pays a proof: a false one, or one about another challenge,
slot or host, does not hold for the claim that was ordered. Witnesses are in memory only.

Source   market.md 6.4
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TypeAlias

from quire.aggregation.order import At, Good, Order, Served, Wrong
from quire.aggregation.values import ProveWork
from quire.base.clock import Clock
from quire.base.errors import BadProof, Bug, NotFound, Refused
from quire.base.waits import Waits
from quire.chain.port import ChainClock
from quire.formats.aggregator_asking import AcceptProve, Customer
from quire.formats.aggregator_codes import Reason

REMEMBERED = 256  # claims
WITNESS_SECONDS = 60.0  # that an order of before a restart waits for its witness


Verify: TypeAlias = Callable[[bytes, bytes], bool]  # public inputs joined, proof


class ProofOrders:
    """The Handler of the service PROVE. `key_hash`: of the key that `verify` stands for, which
    raises BadProof for what is no proof; it runs in `executor`, None: the loop's own. `others`:
    all orders of this node."""

    def __init__(
        self,
        key_hash: bytes,
        verify: Verify,
        chain: ChainClock,
        clock: Clock,
        waits: Waits,
        executor: Executor | None = None,
        others: Callable[[], Sequence[Order]] = tuple,
    ) -> None:
        self.key_hash = key_hash
        self._verify = verify
        self._chain = chain
        self._clock = clock
        self._waits = waits
        self._executor = executor
        self._others = others
        self._won: dict[bytes, str] = {}  # claims whose proof is here, and by which order
        self._wanted: dict[bytes, tuple[bytes, int]] = {}  # witness, and how many want the proof
        self._came = asyncio.Event()  # set, and a new one made, with each witness

    def want(self, public: bytes, witness: bytes) -> None:
        """Somebody waits for the proof of this claim until he lets go of it."""
        _, count = self._wanted.get(public, (b"", 0))
        self._wanted[public] = witness, count + 1
        self._came.set()
        self._came = asyncio.Event()

    def let_go(self, public: bytes) -> bool:
        """Whether nobody wants it any more; then the witness is forgotten."""
        witness, count = self._wanted.pop(public)
        if count > 1:
            self._wanted[public] = witness, count - 1
        return count == 1

    async def accept(self, order: Order, customer: Customer) -> AcceptProve:
        """Raises NotFound when its witness does not come again after a restart."""
        work = _work(order)
        witness = await self._witness(order, work)
        return AcceptProve(customer, work.key_hash, witness, order.deadline)

    async def check(self, order: Order) -> Good | Wrong:
        """Raises Refused when the key of this node has changed since, and for a proof that another
        order has brought: of two at the same time one is paid."""
        work = _work(order)
        if work.key_hash != self.key_hash:
            raise Refused("the key of this node is another than when the proof was ordered")
        loop = asyncio.get_running_loop()
        try:
            is_good = await loop.run_in_executor(
                self._executor, self._verify, work.public, order.result
            )
        except BadProof as error:
            return Wrong(Reason.PROOF, f"what it sent is no proof: {error.message}")
        if not is_good:
            why = "the proof is false, or about another challenge, slot or host"
            return Wrong(Reason.PROOF, why)
        if self._is_beaten(order, work):
            raise Refused("another aggregator was quicker with this proof; nothing is paid")
        self._won[work.public] = order.key
        while len(self._won) > REMEMBERED:
            del self._won[next(iter(self._won))]
        return Good("the proof holds")

    def _is_beaten(self, order: Order, work: ProveWork) -> bool:
        if self._won.get(work.public, order.key) != order.key:
            return True
        return any(
            other.work == work and other.key != order.key and (other.at is At.PAYING or other.paid)
            for other in self._others()
        )

    async def watch(self, order: Order) -> Served:
        raise Bug(f"order {order.key} is of a proof; nobody serves anything for it")

    async def closing(self, order: Order) -> None:
        """Nothing is kept for one order: the witness belongs to who wants the proof."""

    async def _witness(self, order: Order, work: ProveWork) -> bytes:
        """At hand, unless the node was restarted: then whoever wants the proof comes with it."""
        left = max(0.0, order.deadline - self._chain.now())
        deadline = self._clock.monotonic() + min(WITNESS_SECONDS, left / 2)
        reason = "the proof that was ordered before the restart is to be asked for again"
        with self._waits.waiting(order.key, reason, deadline):
            try:
                async with asyncio.timeout_at(deadline):
                    while work.public not in self._wanted:
                        await self._came.wait()
            except TimeoutError:
                raise NotFound("nobody wants the proof any more since the restart") from None
        return self._wanted[work.public][0]


def _work(order: Order) -> ProveWork:
    if not isinstance(order.work, ProveWork):
        raise Bug(f"order {order.key} is no order of a proof")
    return order.work
