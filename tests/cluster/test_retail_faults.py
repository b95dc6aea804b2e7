"""Providers that fail, and lie, on real processes (point.md 6.7, scenarios 2 to 6).

All scenes are played on one street. P1, P2 and P3 take a thousandth of what P4 and P5 take, so that
those two, with no weight beside them, are for the time when the three have failed.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from quire.base.clock import SystemClock
from quire.node.trading import JOURNAL_FILE
from quire.point.link import At
from quire.services.retail.upload_tick import TICK_SECONDS
from support.receipts import links_in
from support.replica_street import CLIENT, Kept, Street, replica_street
from support.watched_client import Asked, asked_in, copy_of, under_watch

CHEAP, DEAR = ("P1", "P2", "P3"), ("P4", "P5")
DEAR_PRICE = 1000
BLOCKS, GONE_AFTER, RUN_BLOCKS = 256, 100, 8
# Padded to 2^24 bytes: 257 records, so one chunk of 256 blocks and one of a single block.
LARGE, SMALL = 16_700_000, 1 << 20
ONE_CHUNK, ITS_BLOCKS = 16_500_000, 253
TERM = 3600
WEEK = 7 * 86_400
SECOND = "second"
SILENCE_SECONDS = 120

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def street(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Street]:
    async with replica_street(tmp_path_factory.mktemp("street")) as street:
        await street.client(under=under_watch(notes_of(street, CLIENT)))
        await asyncio.gather(
            *(street.provider(name) for name in CHEAP),
            *(street.provider(name, retail_price=DEAR_PRICE) for name in DEAR),
        )
        yield street


def notes_of(street: Street, name: str) -> Path:
    return street.town.directory / f"{name}.notes"


async def put(street: Street, size: int, redundancy: int, *, seed: int, at: str = CLIENT) -> Kept:
    """Random bytes, when the offers of all providers are known to the client."""

    async def are_known() -> bool:
        listed = await providers(street, at)
        return all(name in listed and listed[name]["offer"] for name in CHEAP + DEAR)

    await street.town.until(are_known, f"{at} knows what all providers ask for")
    data = random.Random(seed).randbytes(size)
    return await street.put(data, at=at, redundancy=redundancy, seconds=TERM, autorenew=False)


async def providers(street: Street, at: str) -> dict[str, dict[str, Any]]:
    """What a client knows of providers, by name."""
    names = {street.peer(name): name for name in CHEAP + DEAR}
    async with street.api(at) as api:
        listed = (await api.json("GET", "/providers?timeout=5"))["providers"]
    return {names[each["peerId"]]: each for each in listed if each["peerId"] in names}


async def back(street: Street, **lies: str) -> None:
    """Start providers anew, at the same time; "" for an honest one."""
    await asyncio.gather(*(street.back(name, lies=mode) for name, mode in lies.items()))


def asked(street: Street, link: str, *, at: str = CLIENT) -> list[Asked]:
    """What was asked about a link, and answered."""
    return [each for each in asked_in(notes_of(street, at)) if each.link == link]


def blocks(requests: list[Asked]) -> int:
    return sum(each.blocks for each in requests)


async def is_paid_to_the_token(street: Street, *, by: str = CLIENT) -> None:
    """What was promised to each provider is what it has billed, and has."""
    for name in CHEAP + DEAR:
        promised = await street.promised(name, by=by)
        assert promised == await street.billed(name, to=by) == await street.received(name, of=by)


async def test_who_is_back_within_half_a_minute_gets_only_what_is_missing(street: Street) -> None:
    await back(street, P2=f"dies:{GONE_AFTER}")
    file = await put(street, LARGE, 3, seed=1)
    await street.town.until_dead("P2")
    (link,) = [each for each in await street.links(file, of="P2") if each["blocks"] == BLOCKS]
    before = asked(street, link["id"])
    await back(street, P2="")
    await street.until_state(file, "UPLOADED")

    links = await street.links(file)
    assert [each["state"] for each in links] == ["SIGNED"] * 6  # nobody failed
    assert link["id"] in [each["id"] for each in links]
    after = asked(street, link["id"])[len(before) :]
    assert 0 < blocks(after) <= BLOCKS - GONE_AFTER + RUN_BLOCKS
    assert BLOCKS <= blocks(before) + blocks(after) + RUN_BLOCKS <= BLOCKS + 2 * RUN_BLOCKS
    await is_paid_to_the_token(street)


async def test_what_a_provider_has_already_is_not_sent_and_is_paid_once(street: Street) -> None:
    notes = notes_of(street, CLIENT)
    await street.back(CLIENT, under=under_watch(notes, loses=True), knows=DEAR[0])
    promised = {name: await street.promised(name) for name in CHEAP}
    file = await put(street, SMALL, 1, seed=2)
    await street.town.until_dead(CLIENT)
    kept = [x for x in links_in(copy_of(notes)) if x.order.upload_id.hex() == file.upload_id]
    (order,) = [x.order for x in kept]
    assert kept[0].at is At.ENCRYPTED
    before = asked(street, order.link_id.hex())
    set_back(street.node(CLIENT).data_dir, copy_of(notes))
    await street.back(CLIENT, under=under_watch(notes), knows=DEAR[0])
    await street.until_state(file, "UPLOADED")

    (link,) = await street.links(file)
    assert link["id"] == order.link_id.hex()
    after = asked(street, link["id"])[len(before) :]
    assert [(x.kind, x.code) for x in after] == [
        ("SegmentMap", "ALREADY_STORED"),
        ("AuditRequest", "OK"),
        ("SignRequest", "OK"),
    ]
    assert before[-1] == after[-1]  # the same receipt, to the last byte
    assert (blocks(before), blocks(after)) == (order.blocks, 0)
    name = street.name_of(order.peer)
    (terms,) = [
        x.receipt.terms
        for x in links_in(street.node(CLIENT).data_dir)
        if x.receipt is not None and x.order == order
    ]
    bill = order.sealed_bytes * (terms.expires_at - terms.starts_at)
    assert int(link["paid"]) == bill > 0
    assert await street.promised(name) == promised[name] + bill
    await is_paid_to_the_token(street)


def set_back(data_dir: Path, copy: Path) -> None:
    """Put the copy in the place of the journal of a node that does not run."""
    for rest in ("-wal", "-shm"):
        (data_dir / f"{JOURNAL_FILE}{rest}").unlink(missing_ok=True)
    shutil.copyfile(copy / JOURNAL_FILE, data_dir / JOURNAL_FILE)


async def test_who_signs_something_else_is_excluded_for_a_week_and_not_paid(street: Street) -> None:
    await back(street, P1="other-key", P2="other-root", P3="other-expiry")
    promised = {name: await street.promised(name) for name in CHEAP}
    file = await put(street, SMALL, 2, seed=3)
    await street.until_state(file, "UPLOADED")
    for name in CHEAP:
        link = await only_link(street, file, name)
        assert link["state"] == "FAILED"
        assert link["words"].startswith("BAD_SIGNATURE")
        assert link["paid"] == "0"
        assert await street.promised(name) == promised[name]
    for name in DEAR:
        link = await only_link(street, file, name)
        assert link["state"] == "SIGNED"

    now = SystemClock().now()
    known = await providers(street, CLIENT)
    left = [known[name]["reputation"]["excludedUntil"] - now for name in CHEAP]
    assert all(WEEK - 60 < seconds <= WEEK for seconds in left)
    again = await put(street, SMALL, 2, seed=4)
    await street.until_state(again, "UPLOADED")
    assert not any([await street.links(again, of=name) for name in CHEAP])


async def test_who_refuses_has_nothing_or_vanishes_is_replaced_and_not_paid(street: Street) -> None:
    await asyncio.gather(
        back(street, P1="no-space", P2="already", P3=f"dies:{GONE_AFTER}"),
        street.client(SECOND, under=under_watch(notes_of(street, SECOND))),
    )
    file = await put(street, ONE_CHUNK, 2, seed=5, at=SECOND)
    await street.town.until_dead("P3")
    for name in ("P1", "P2"):  # before the time that they have to answer in is a twelfth
        await street.until_link(file, name, "FAILED")
    os.kill(street.node(SECOND).pid, signal.SIGUSR1)  # its clock hurries
    await street.until_link(file, "P3", "FAILED")
    os.kill(street.node(SECOND).pid, signal.SIGUSR1)
    await street.until_state(file, "UPLOADED")

    refused, lied, gone = [await only_link(street, file, name) for name in CHEAP]
    assert refused["words"].startswith("NO_SPACE")
    assert gone["words"] == "the provider took no data for too long"
    assert lied["words"].startswith("it said that it has the data already")
    told = [(x.kind, x.code) for x in asked(street, lied["id"], at=SECOND)]
    assert told[:2] == [("StoreRequest", "OK"), ("SegmentMap", "ALREADY_STORED")]
    assert told[2][0] == "AuditRequest"
    assert blocks(asked(street, lied["id"], at=SECOND)) == 0
    for link in (refused, lied, gone):
        assert (link["state"], link["paid"]) == ("FAILED", "0")
    for name in DEAR:
        link = await only_link(street, file, name)
        assert link["state"] == "SIGNED"
        assert blocks(asked(street, link["id"], at=SECOND)) == ITS_BLOCKS  # sealed for it alone
    roots = [x.sealed_root for x in links_in(street.node(SECOND).data_dir) if x.sealed_root]
    assert len({*roots}) == len(roots)
    for name in CHEAP:
        assert await street.promised(name, by=SECOND) == 0

    begun, failed = await turns(street, file)
    assert failed[gone["id"]] - begun[gone["id"]] > SILENCE_SECONDS
    links = await street.links(file)
    for link in links:
        if link["id"] in failed:  # somebody has its place in the same tick
            after = [begun[other["id"]] - failed[link["id"]] for other in links]
            assert any(0 <= seconds < TICK_SECONDS for seconds in after), (link, after)


async def only_link(street: Street, file: Kept, of: str) -> dict[str, Any]:
    """The link of a provider, which has one."""
    (link,) = await street.links(file, of=of)
    return link


async def turns(street: Street, file: Kept) -> tuple[dict[str, float], dict[str, float]]:
    """When each link was begun, and when those failed that have; in the time of the client."""
    begun: dict[str, float] = {}
    failed: dict[str, float] = {}
    states = Counter(link["state"] for link in await street.links(file))
    query = {"since": "0", "kind": "link."}
    async with street.api(file.at) as api, api.open("/events", query=query) as answer:
        async for line in answer.content:
            if line.startswith(b"data: "):
                event = json.loads(line[6:])
                begun.setdefault(event["subject"], event["at"])
                if event["kind"] == "link.FAILED":
                    failed.setdefault(event["subject"], event["at"])
            if (len(begun), len(failed)) == (states.total(), states["FAILED"]):
                break
    return begun, failed
