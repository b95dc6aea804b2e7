"""A client that is killed in every state of its links, one after the other: the same links go on.

Real processes, real chain, real SIGKILL. QUIRE_LINK_KILLS=10 kills ten times in each state.

Source   point.md 6.7, scenario 10
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from quire.base.errors import NodeUnreachable, QuireError
from quire.base.units import MIB
from quire.faces.replicas import KeepTerms, Replicas
from quire.formats.cap import ReadCap
from quire.point.link import At
from support.doomed_client import NEVER, sent_blocks, under_doomed_client
from support.receipts import links_in
from support.replica_street import CLIENT, READER, Kept, Street, replica_street

KILLS = int(os.environ.get("QUIRE_LINK_KILLS", "1"))  # in each state
HOUR, TERM = 3600, 7200
PRICE = 1  # of a byte and second
PROVIDERS = 3
BLOCKS = 133  # of 8 MiB, encrypted and padded: one chunk
WINDOW, UNFLUSHED = 8, 64  # blocks under way; acked, and not written down yet
WAY = [at for at in At if at not in (At.RENEWING, At.FAILED, At.LOST, At.EXPIRED, At.RELEASED)]
SENDING_MILLISECONDS = 40
LATER_MILLISECONDS = 25  # the most, in kills after the first


@dataclass
class Story:
    """One client and all that it wanted to have kept."""

    street: Street
    ledger: Path
    rng: random.Random
    files: dict[str, tuple[Kept, bytes]] = field(default_factory=dict)
    links: dict[str, set[str]] = field(default_factory=dict)  # seen, by upload
    deaths: Counter[str] = field(default_factory=Counter)

    async def rise(self, moment: str = NEVER) -> None:
        """Start the client, doomed; dying while it starts is as good as dying later."""
        town = self.street.town
        if CLIENT in town.nodes:
            await town.kill(CLIENT)
        try:
            await town.start(CLIENT, under=under_doomed_client(moment, self.ledger))
        except NodeUnreachable as error:
            if f"exit code -{signal.SIGKILL}" not in error.message:
                raise

    @property
    def is_dead(self) -> bool:
        return self.street.node(CLIENT).has_ended

    async def put(self) -> None:
        """One more file; the client may die before it has answered."""
        data = self.rng.randbytes(8 * MIB)
        async with self.street.sdk(CLIENT) as sdk:
            caps = await sdk.put(data, name="file.bin")
            assert isinstance(caps.read, ReadCap)
            terms = KeepTerms(redundancy=PROVIDERS, seconds=TERM)
            try:
                key = str((await Replicas(sdk.node).put(caps.read, terms))["id"])
            except QuireError:
                key = ""
        if not key:
            await self.street.town.until_dead(CLIENT)
            await self.rise()
            async with self.street.api(CLIENT) as api:
                uploads = await Replicas(api).every()
            (key,) = [each["id"] for each in uploads if each["cid"] == str(caps.cid)]
        self.files[key] = Kept(caps, key), data

    async def uploads(self) -> list[dict[str, Any]]:
        """All of them, with their links; no link that was seen may be missing."""
        found = []
        for key, (file, _) in self.files.items():
            status = await self.street.status(file)
            ids = {link["id"] for link in status["links"]}
            assert self.links.get(key, set()) <= ids
            self.links[key] = ids
            found.append(status)
        return found

    async def until_dead_or_safe(self) -> None:
        async def is_so() -> bool:
            try:
                return all(each["state"] == "UPLOADED" for each in await self.uploads())
            except QuireError:
                return self.is_dead

        await self.street.town.until(is_so, "the client dies, or all its files are safe")

    async def die_in(self, state: At, milliseconds: int) -> None:
        """Killed once in this state, with a file that goes on from wherever it was."""
        await self.rise(f"{state}:1:{milliseconds}")
        if not self.is_dead:
            await self.until_dead_or_safe()
        if not self.is_dead:  # all links were further than that
            await self.put()
        await self.street.town.until_dead(CLIENT)
        self.note_death(state)

    def note_death(self, state: At) -> None:
        links = links_in(self.street.node(CLIENT).data_dir)
        for link in links:
            self.links.setdefault(link.order.upload_id.hex(), set()).add(link.order.link_id.hex())
        self.deaths[state] += 1

    async def until_safe(self) -> list[dict[str, Any]]:
        for file, _ in self.files.values():
            await self.street.until_state(file, "UPLOADED")
        return await self.uploads()

    async def paid(self) -> Counter[str]:
        """What each provider was paid: promised, billed and received are the same, so nothing is
        paid twice."""
        paid: Counter[str] = Counter()
        for status in await self.uploads():
            for link in status["links"]:
                paid[self.street.name_of(link["peer"])] += int(link["paid"])
        for name, tokens in paid.items():
            assert await self.street.promised(name) == tokens
            assert await self.street.billed(name) == tokens
            assert await self.street.received(name) == tokens
        return paid

    def owed(self) -> Counter[str]:
        """The first terms, as the receipts in the journal say. The client must not run."""
        owed: Counter[str] = Counter()
        for link in links_in(self.street.node(CLIENT).data_dir):
            assert link.receipt is not None
            terms = link.receipt.terms
            assert terms.price_byte_second == PRICE
            seconds = terms.expires_at - terms.starts_at
            owed[self.street.name_of(link.order.peer)] += terms.sealed_bytes * PRICE * seconds
        return owed

    def check_sent(self) -> None:
        """Blocks that were sent twice: no more than what was under way at each death."""
        sent = sent_blocks(self.ledger)
        assert set(sent) == set().union(*self.links.values())
        allowed = BLOCKS + (WINDOW + UNFLUSHED) * self.deaths[At.SENDING_DATA]
        assert all(BLOCKS <= count <= allowed for count in sent.values()), sent


@pytest.mark.slow
@pytest.mark.timeout(150 * KILLS + 150)
async def test_a_client_killed_in_every_state_goes_on_with_the_same_links_and_pays_once(
    tmp_path: Path,
) -> None:
    async with replica_street(tmp_path) as street:
        story = Story(street, tmp_path / "sent", random.Random(10))
        await street.client("first")
        await street.providers(PROVIDERS, retail_price=PRICE)
        for kill in range(KILLS):
            for state in WAY:
                least = SENDING_MILLISECONDS if state is At.SENDING_DATA else 0
                await story.die_in(state, least + kill * story.rng.randint(0, LATER_MILLISECONDS))
        await story.rise()
        uploads = await story.until_safe()
        assert story.deaths == dict.fromkeys(WAY, KILLS)
        for status in uploads:
            assert [link["state"] for link in status["links"]] == ["SIGNED"] * PROVIDERS
            assert {link["blocks"] for link in status["links"]} == {BLOCKS}
            assert len({link["peer"] for link in status["links"]}) == PROVIDERS
        paid = await story.paid()
        await street.town.kill(CLIENT)
        assert paid == story.owed()
        story.check_sent()
        sent = sent_blocks(story.ledger)
        await story.rise()

        for _ in range(KILLS):
            before = await story.uploads()
            ends = {each["id"]: each["expiresAt"] for each in before}
            await story.rise(f"{At.RENEWING}:2")
            await street.town.market.advance_to(min(ends.values()) - HOUR + 30)
            await street.town.until_dead(CLIENT)
            story.note_death(At.RENEWING)
            await story.rise()

            async def is_renewed(ends: dict[str, int] = ends) -> bool:
                found = await story.uploads()
                return all(each["expiresAt"] == ends[each["id"]] + TERM for each in found)

            await street.town.until(is_renewed, "every term is renewed once")
        more = TERM * PRICE * sum(each["size"] for each in before) * KILLS
        assert await story.paid() == {name: paid[name] + more for name in paid}
        assert sent_blocks(story.ledger) == sent

        await street.town.kill(CLIENT, and_delete=True)
        await street.reader(READER)
        for file, data in story.files.values():
            assert await street.read(READER, file) == data
