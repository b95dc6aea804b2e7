"""The parts of a node that order of aggregators and work for others: joined, started and stopped.

retail (payments, income) ─► orders ── over /quire/aggregator ──► aggregator: jobs, its services
                                └──────────── journal of trading ────────────────┘
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from quire.aggregation.job import Job
from quire.aggregation.keys import service_cid
from quire.aggregation.order import Order
from quire.aggregation.values import JobId, SubmitWork
from quire.base.errors import NotFound
from quire.chain.bonds import Bonds
from quire.formats.aggregator_codes import Stage
from quire.formats.cid import Cid
from quire.market.purchase import At as PurchaseAt
from quire.market.purchase import Purchase
from quire.net.answering import Answering
from quire.node.aggregation_tally import Tally
from quire.node.retail import Retail, RetailPorts
from quire.services.aggregating.aggregator import Aggregator, serve_aggregator
from quire.services.aggregating.jobs import Jobs
from quire.services.aggregating.settings import AggregatorSettings
from quire.services.aggregating.submitting import Submitting
from quire.services.ordering.aggregators import Aggregators
from quire.services.ordering.delegation import Delegation
from quire.services.ordering.encoding import Encoding
from quire.services.ordering.encoding_runs import EncodingRuns
from quire.services.ordering.orders import Orders
from quire.services.ordering.remote_prover import RemoteProver
from quire.services.purchase_effects import content_cid
from quire.services.purchasing import Purchases


@dataclass(slots=True)
class Aggregation:
    """Built when the node has a chain with a hub of payment channels. None: `bonds` where the chain
    has no contract of them, `aggregator` where the node is none, `submitting` where it submits
    nothing for others, `prover` and `delegation` where nobody proves or submits for it. `announce`
    publishes a key in the DHT."""

    retail: Retail
    purchases: Purchases
    aggregators: Aggregators
    orders: Orders
    encoding: Encoding
    runs: EncodingRuns
    tally: Tally
    answering: list[Answering]
    announce: Callable[[Cid], None]
    bonds: Bonds | None = None
    aggregator: Aggregator | None = None
    submitting: Submitting | None = None
    prover: RemoteProver | None = None
    delegation: Delegation | None = None

    def serve(self, aggregator: Aggregator, ports: RetailPorts) -> None:
        """This node is one. To be called before the transport starts."""
        self.aggregator = aggregator
        aggregator.jobs.machines.listen(self.tally.job_changed)
        protocol = ports.protocols.aggregator
        self.answering.append(serve_aggregator(ports.transport, protocol, aggregator))

    def _follow_purchases(self) -> None:
        """The rest for a coding is paid when every slot of its purchase has a host."""

        def changed(_key: str, _before: Purchase | None, now: Purchase) -> None:
            cid = content_cid(now.request)
            if now.at is PurchaseAt.STARTED and cid is not None:
                self.encoding.hosts_have(cid)

        self.purchases.listen(changed)
        for purchase in self.purchases.all():
            changed("", None, purchase)

    async def start(self) -> None:
        """After retail, whose payments and income it uses. Raises StoreCorrupt, DiskFull."""
        await self.aggregators.start()
        if self.submitting is not None:
            await self.submitting.start()
        if self.aggregator is not None:
            await self.aggregator.start()
            for service in self.aggregator.offering.settings.services:
                self.announce(service_cid(service))
        await self.orders.start()
        if self.prover is not None:
            self.prover.start()
        if self.delegation is not None:
            await self.delegation.start()
        self._follow_purchases()

    async def stop(self) -> None:
        """In the opposite order, before retail. What is under way goes on with the next start."""
        for each in self.answering:
            await each.stop()
        if self.delegation is not None:
            await self.delegation.stop()
        if self.prover is not None:
            self.prover.stop()
        await self.runs.stop()
        await self.encoding.stop()
        await self.orders.stop()
        if self.aggregator is not None:
            await self.aggregator.stop()
        if self.submitting is not None:
            await self.submitting.stop()

    # ---- looking ----

    @property
    def jobs(self) -> Jobs | None:
        """What this node does for others; None where it is no aggregator."""
        return None if self.aggregator is None else self.aggregator.jobs

    @property
    def settings(self) -> AggregatorSettings | None:
        """The terms of this node as an aggregator; None where it is none."""
        return None if self.aggregator is None else self.aggregator.offering.settings

    def chain_now(self) -> float:
        """Deadlines of orders and jobs are of this time."""
        return self.retail.hub.clock.now()

    def order(self, job_id: JobId) -> Order | None:
        """One of this node's."""
        try:
            return self.orders.get(job_id.hex())
        except NotFound:
            return None

    def job(self, job_id: JobId) -> Job | None:
        """One that this node does for others."""
        return None if self.jobs is None else self.jobs.find(job_id)

    def earned(self, job: Job) -> int:
        """Of its price, what its customer promised by voucher: what he was billed."""
        income, offer = self.retail.income, job.offer.offer
        return sum(
            offer.part(part)
            for part in (0, 1)
            if income.is_billed(job.customer, f"job/{job.key}/{part}")
        )

    def promised(self) -> int:
        """Tokens that are owed from the bond if no more proofs got into the chain."""
        works = [job.work for job in self.jobs or () if job.at is Stage.WORKING]
        return sum(work.amount for work in works if isinstance(work, SubmitWork))
