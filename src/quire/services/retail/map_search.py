"""Finds the map of a file's replicas: locator -> DHT -> providers -> the highest valid version.

At least two peers are asked, as far as there are two, because one alone could show an old version.
A map with a wrong signature is ignored and its sender reported.
Source   point.md 6.5
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from quire.base.clock import Clock
from quire.base.errors import IntegrityError, PeerError, QuireError, WrongKey
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.dataset.envelope.replica_map import map_keys
from quire.dataset.envelope.signed_blob import BlobKeys, SignedBlob
from quire.formats.cap import RepairCap
from quire.formats.cid import manifest_cid
from quire.formats.holders import Holders, decode_holders
from quire.formats.replica_asking import MapGet
from quire.formats.replica_blob import MapBlob
from quire.net.discovery import Finder
from quire.net.transport import ProviderRecord
from quire.point.choice_port import Choice, Outcome
from quire.point.values import Code
from quire.services.pointer_answers import received
from quire.services.pointers import locator_cid
from quire.services.retail.replica_client import NOBODY, ReplicaClient

ASKED_LEAST = 2  # answers that are waited for, as long as others may come
PEERS_MAX = 8
SECOND_SECONDS = 2.0  # how long a second answer is waited for after the first


@dataclass(frozen=True, slots=True)
class FoundMap:
    version: int
    holders: Holders


class MapSearch:
    """As reader, or as owner that has lost his own copy."""

    def __init__(
        self, client: ReplicaClient, finder: Finder, choice: Choice, clock: Clock,
        events: EventBus, waits: Waits,
    ) -> None:  # fmt: skip
        self._client = client
        self._finder = finder
        self._choice = choice
        self._clock = clock
        self._events = events
        self._waits = waits

    async def find(
        self, cap: RepairCap, seconds: float, near: Sequence[ProviderRecord] = ()
    ) -> FoundMap | None:
        """The newest map that somebody shows; None when nobody has any.

        near     peers that are asked without a search
        Raises   IntegrityError  the newest one is of another dataset, or broken
        """
        keys = map_keys(cap.seal_root)
        deadline = self._clock.monotonic() + seconds
        reason = "asking providers for the map of its replicas"
        with self._waits.waiting(str(cap.cid), reason, deadline):
            found = await self._ask_all(keys, near, deadline)
        newest = max(found, key=lambda each: each[0].version, default=None)
        if newest is None:
            return None
        blob, plain = newest
        try:
            holders = decode_holders(plain)
        except QuireError as error:
            raise IntegrityError(
                f"version {blob.version} of the replica map of {cap.cid} is broken: {error.message}"
            ) from None
        if manifest_cid(holders.manifest) != cap.cid:
            raise IntegrityError(
                f"the replica map found is of {manifest_cid(holders.manifest)}, not of {cap.cid}"
            )
        return FoundMap(blob.version, holders)

    async def _ask_all(
        self, keys: BlobKeys, near: Sequence[ProviderRecord], deadline: float
    ) -> list[tuple[SignedBlob, bytes]]:
        """What the first peers answer, valid ones only."""
        asked: dict[str, asyncio.Task[tuple[SignedBlob, bytes] | None]] = {}

        def ask(record: ProviderRecord) -> None:
            if record.peer not in asked and len(asked) < PEERS_MAX:
                work = self._ask(record, keys)
                asked[record.peer] = asyncio.get_running_loop().create_task(work)

        async def search() -> None:
            async for record in self._finder.find(locator_cid(keys.locator), deadline):
                ask(record)

        for record in near:
            ask(record)
        searching = asyncio.get_running_loop().create_task(search())
        try:
            return await self._gather(asked, searching, deadline)
        finally:
            tasks = [searching, *asked.values()]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _gather(
        self,
        asked: dict[str, asyncio.Task[tuple[SignedBlob, bytes] | None]],
        searching: asyncio.Task[None],
        deadline: float,
    ) -> list[tuple[SignedBlob, bytes]]:
        """Until two have answered, or nobody is left, or it has taken long."""
        first_at: float | None = None
        while True:
            found = [t.result() for t in asked.values() if t.done() and not t.cancelled()]
            good = [each for each in found if each is not None]
            running = [task for task in asked.values() if not task.done()]
            if not searching.done():
                running.append(searching)
            now = self._clock.monotonic()
            if good and first_at is None:
                first_at = now
            until = deadline if first_at is None else min(deadline, first_at + SECOND_SECONDS)
            if len(good) >= ASKED_LEAST or not running or now >= until:
                return good
            # A short look from time to time, because the search adds peers while we wait.
            pause = min(until - now, 0.25)
            await asyncio.wait(running, timeout=pause, return_when=asyncio.FIRST_COMPLETED)

    async def _ask(self, record: ProviderRecord, keys: BlobKeys) -> tuple[SignedBlob, bytes] | None:
        """None: it has none, or none that is valid."""
        try:
            answer = await self._client.ask(
                record.peer, record.addresses, NOBODY, MapGet(keys.locator)
            )
        except PeerError:
            return None
        body = answer.body
        if answer.code is not Code.OK or not isinstance(body, MapBlob):
            return None
        blob = received(body)
        try:
            return blob, keys.open(blob)
        except (WrongKey, IntegrityError) as error:
            why = f"it gave a replica map that is not valid: {error.message}"
            self._events.publish("replica.bad-map", record.peer, why)
            await self._choice.report(record.peer, Outcome.BAD_DATA, why)
            return None
