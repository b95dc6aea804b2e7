"""All jobs of this aggregator: their machines, and the doers of its services.

    begin, post ─► machine (aggregation/job_machine.py) ─► journal ─► effects: do the work, drop

Read next: doer.py; aggregator.py, which answers the customers' questions with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

from quire.aggregation.job import DoWork, Dropped, Job, JobEffect, JobEvent
from quire.aggregation.job_machine import JobMachine
from quire.aggregation.values import JobId, service_of
from quire.base.errors import Busy, Refused
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
        self._waiting: dict[asyncio.Future[None], str] = {}
        self.machines.listen(self._changed)

    async def start(self) -> None:
        """Go on where each job was. Raises StoreCorrupt."""
        await self.machines.start()

    async def stop(self) -> None:
        await self.machines.stop()
        for waiting in list(self._waiting):
            waiting.cancel()

    def __iter__(self) -> Iterator[Job]:
        """All that are remembered, oldest first."""
        return iter(self.machines.states().values())

    def find(self, job_id: JobId) -> Job | None:
        return self.machines.state(job_id.hex())

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

    async def until_worked(self, job_id: JobId) -> None:
        """Wait until a job is not being worked on any more."""
        while (job := self.find(job_id)) is not None and job.at in AT_WORK:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting[waiting] = job.key
            try:
                await waiting
            finally:
                del self._waiting[waiting]

    # ---- inside ----

    def _changed(self, key: str, _before: Job | None, _job: Job) -> None:
        for waiting, whose in self._waiting.items():
            if whose == key and not waiting.done():
                waiting.set_result(None)

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


def bill_key(job_id: JobId, part: int) -> str:
    """The key of the debt for a part of the price, for ever (channels.port)."""
    return f"job/{job_id.hex()}/{part}"
