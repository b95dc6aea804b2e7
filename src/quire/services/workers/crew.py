"""Which workers there are: hired for each machine of a cluster, asked whether they live, replaced.

connect -> [ look: machines, hire, ask ] every few seconds, at once after a death
             `- the cluster does not answer: all are lost, connect again, with pauses -'
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, cast

import quire
from quire.base.errors import EnvironmentProblem, QuireError, WorkersLost
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.services.background import Background
from quire.services.workers.far import Cluster, ClusterGone, FarWorker, WorkerDied
from quire.services.workers.places import SUBJECT, Places
from quire.services.workers.worker import About

START_SECONDS = 120.0  # for the first worker
HIRE_SECONDS = 60.0  # for a worker to say who it is
LOOK_SECONDS = 5.0  # between two looks
ALIVE_SECONDS = 60.0  # for a worker to say that it lives
NONE_SECONDS = 120.0  # without any worker, tasks wait no longer
STOPPING = "the node is stopping and gives no more work away"


class Hand:
    """A worker that was hired and has said who it is."""

    def __init__(self, far: FarWorker, machine: str, about: About) -> None:
        self.machine = machine
        self.about = about
        self._far = far
        self._gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def ask(self, seconds: float, method: str, *values: object) -> object:
        """What the method returns. Raises WorkerDied; also when it takes longer."""
        calling = asyncio.get_running_loop().create_task(self._far.call(method, *values))
        try:
            both: list[asyncio.Future[Any]] = [calling, self._gone]
            await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if calling.done():
                return calling.result()
            if self._gone.done():
                raise WorkerDied(self._gone.result())
            raise WorkerDied(f"it did not answer in {seconds:.0f} s")
        finally:
            calling.cancel()

    def end(self, why: str) -> None:
        """Nobody waits for it any more."""
        if not self._gone.done():
            self._gone.set_result(why)
        self._far.dismiss()


class Crew:
    """The workers of one cluster, and the line for them."""

    def __init__(self, cluster: Cluster, events: EventBus, waits: Waits, *, cores: int) -> None:
        self._cluster = cluster
        self._events = events
        self._cores = cores
        self.era = 0  # connections that were lost; what was shared before is no more
        self.places: Places[Hand] = Places(waits)
        self.died = 0
        self._hands: dict[Hand, None] = {}
        self._hiring: dict[asyncio.Task[None], str] = {}
        self._changed = asyncio.Event()
        self._keeping = Background("keeping workers", self._keep, events)
        self._none_since: float | None = None
        self._is_closed = False
        self._refusal = ""  # why the last worker was not hired

    @property
    def count(self) -> int:
        return len(self._hands)

    @property
    def hands(self) -> list[Hand]:
        return list(self._hands)

    async def start(self) -> None:
        """Raises EnvironmentProblem when there is no worker in time."""
        await self._cluster.connect()
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._look()
                while not self._hands:
                    await self._wait_for_change()
                    await self._look()
        except TimeoutError:
            await self.stop()
            raise EnvironmentProblem(
                f"{self._cluster.name} gave no worker in {START_SECONDS:.0f} s: "
                f"{self._refusal or 'it has no machine with cores for work'}"
            ) from None
        except QuireError:
            await self.stop()
            raise
        self._keeping.start()

    def close(self) -> None:
        """Nobody gets a worker any more."""
        self._is_closed = True
        self.places.refuse(STOPPING)

    async def stop(self) -> None:
        self.close()
        await self._keeping.stop()
        for hiring in self._hiring:
            hiring.cancel()
        for hand in self.hands:
            del self._hands[hand]
            hand.end("the node stops")
        await self._cluster.disconnect()

    async def take(self, urgency: int, what: str) -> Hand:
        """A free worker; waits for one. Raises Busy, WorkersLost."""
        if self._is_closed:
            raise WorkersLost(STOPPING)
        if self._is_without():
            raise WorkersLost(self._none())
        return await self.places.take(urgency, what)

    def give(self, hand: Hand) -> None:
        """It is free again."""
        if hand in self._hands:
            self.places.give(hand)

    def lose(self, hand: Hand, why: str) -> None:
        """It died, or is as good as dead."""
        if hand not in self._hands:
            return
        del self._hands[hand]
        self.places.remove(hand)
        hand.end(why)
        self.died += 1
        message = f"process {hand.about.pid} on {hand.machine}: {why}"
        self._events.publish("workers.died", SUBJECT, message, pid=hand.about.pid)
        self._note_none()
        self._changed.set()

    def lose_all(self, why: str) -> None:
        """The cluster does not answer; whether it does again is looked at at once."""
        for hand in self.hands:
            self.lose(hand, why)

    # ---- inside ----

    async def _keep(self) -> None:
        pause = LOOK_SECONDS
        while True:
            await self._wait_for_change()
            try:
                await self._look()
                await self._ask_all()
                pause = LOOK_SECONDS
            except ClusterGone as error:
                self.era += 1
                self.lose_all(error.message)
                self._events.publish("workers.gone", SUBJECT, error.message)
                pause = min(2 * pause, NONE_SECONDS)
                await self._reconnect(pause)
            if self._is_without():
                self.places.refuse(self._none())

    async def _reconnect(self, pause: float) -> None:
        await self._cluster.disconnect()
        await asyncio.sleep(pause)
        with suppress(EnvironmentProblem):
            await self._cluster.connect()

    async def _wait_for_change(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._changed.wait()
        self._changed.clear()

    async def _look(self) -> None:
        """Hire where there is room; lose who is on a machine that is no more. Raises
        ClusterGone."""
        machines = await self._cluster.machines()
        for hand in self.hands:
            if hand.machine not in machines:
                self.lose(hand, "its machine has left the cluster")
        for machine, cores in machines.items():
            there = sum(hand.machine == machine for hand in self._hands)
            there += sum(each == machine for each in self._hiring.values())
            for _ in range(max(1, cores // self._cores) - there):
                hiring = asyncio.get_running_loop().create_task(
                    self._hire(machine, min(cores, self._cores)), name="hire a worker"
                )
                self._hiring[hiring] = machine
                hiring.add_done_callback(self._hired)

    async def _hire(self, machine: str, cores: int) -> None:
        try:
            async with asyncio.timeout(HIRE_SECONDS):
                far = await self._cluster.hire(machine, cores)
                try:
                    about = cast(About, await far.call("about"))
                    if about.version != quire.__version__:
                        raise WorkerDied(
                            f"it has Quire {about.version}, this node {quire.__version__}"
                        )
                except BaseException:
                    far.dismiss()
                    raise
        except (WorkerDied, ClusterGone, TimeoutError) as error:
            self._refusal = f"a worker on {machine} did not start: {error or 'it takes too long'}"
            self._events.publish("workers.refused", SUBJECT, self._refusal)
            return
        hand = Hand(far, machine, about)
        self._hands[hand] = None
        self._none_since = None
        message = f"process {about.pid} on {machine}, {cores} cores; {self.count} workers now"
        self._events.publish("workers.joined", SUBJECT, message, pid=about.pid)
        self.places.give(hand)

    def _hired(self, hiring: asyncio.Task[None]) -> None:
        del self._hiring[hiring]
        if not hiring.cancelled():
            hiring.result()
            if self._hands:
                self._changed.set()

    async def _ask_all(self) -> None:
        """Lose those that are not alive."""
        await asyncio.gather(*(self._ask(hand) for hand in self.hands))

    async def _ask(self, hand: Hand) -> None:
        try:
            await hand.ask(ALIVE_SECONDS, "about")
        except WorkerDied as death:
            self.lose(hand, str(death))

    def _note_none(self) -> None:
        if not self._hands and self._none_since is None:
            self._none_since = _now()

    def _is_without(self) -> bool:
        """There has been no worker for long."""
        since = self._none_since
        return since is not None and _now() - since > NONE_SECONDS

    def _none(self) -> str:
        return f"there has been no worker for {NONE_SECONDS:.0f} s at {self._cluster.name}"


def _now() -> float:
    return asyncio.get_running_loop().time()
