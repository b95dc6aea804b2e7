"""All jobs of this aggregator: their machines, and the doers of its services.

    begin, post ─► machine (aggregation/job_machine.py) ─► journal ─► effects: do the work, drop

Read next: doer.py; aggregator.py, which answers the customers' questions with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quire.aggregation.job import DoWork, Dropped, Job, JobEffect, JobEvent
from quire.aggregation.job_machine import JobMachine
from quire.aggregation.values import JobId, service_of
from quire.base.errors import Busy, Refused
from quire.chain.values import Address
from quire.formats.aggregator_codes import Service, Stage
from quire.services.aggregating.doer import Doer
from quire.services.aggregating.ports import AggregatorPorts
from quire.services.machines import Machines
from quire.services.paying.payer import place_of

AT_WORK = (Stage.ACCEPTED, Stage.WORKING)
OPEN = (*AT_WORK, Stage.READY, Stage.SERVING)


class Jobs:
    """Keys are job ids as hex."""

    def __init__(self, ports: AggregatorPorts, doers: Mapping[Service, Doer]) -> None:
        self._doers = doers
        self._machine = JobMachine()
        self.machines: Machines[Job, JobEvent, JobEffect] = Machines(
            self._machine,
            ports.journal,
            self._perform,
            clock=ports.clock,
            chain=ports.hub.clock,
            events=ports.events,
            waits=ports.waits,
            place=place_of(ports.hub),
        )

    async def start(self) -> None:
        """Go on where each job was. Raises StoreCorrupt."""
        await self.machines.start()

    async def stop(self) -> None:
        await self.machines.stop()

    def __iter__(self) -> Iterator[Job]:
        """All that are remembered, oldest first."""
        return iter(self.machines.states().values())

    def find(self, job_id: JobId) -> Job | None:
        return self.machines.state(job_id.hex())

    def of_customer(self, customer: Address) -> list[Job]:
        return [job for job in self if job.customer == customer]

    def words(self, job: Job) -> str:
        """What is going on with it, for people."""
        return self._machine.words(job)

    def progress(self, job: Job) -> tuple[int, str]:
        """How far it is, in thousandths and in words."""
        if job.at in AT_WORK:
            doer = self._doers.get(service_of(job.work))
            if doer is not None:
                return doer.progress(job)
        return (1000 if job.result else 0), self.words(job)

    async def begin(self, job: Job) -> None:
        """A new job. Raises DiskFull, Busy."""
        if not await self.machines.begin(job.key, job):
            raise Busy(f"job {job.key} is there already, and has not ended")

    async def post(self, job: Job, event: JobEvent) -> Job:
        """Raises DiskFull, Busy, NotFound."""
        return await self.machines.post(job.key, event)

    # ---- inside ----

    async def _perform(self, job: Job, effect: JobEffect) -> JobEvent | None:
        service = service_of(job.work)
        doer = self._doers.get(service)
        if isinstance(effect, DoWork):
            if doer is None:
                raise Refused(f"{service.name} is not offered by this node any more")
            return await doer.do(job)
        if doer is not None:
            await doer.drop(job)
        return Dropped()
