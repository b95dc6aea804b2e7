"""Terms that are renewed, and terms that end, on real processes; the chain's time is moved.

Source   point.md 6.7, scenarios 7 and 8
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from quire.base.units import MIB
from quire.faces.replicas import Replicas
from quire.point.link import LinkState
from support.doomed_client import NEVER, sent_blocks, under_doomed_client
from support.moved_time import move_to
from support.receipts import links_in, signer_of
from support.replica_street import CLIENT, Kept, Street, replica_street

HOUR, DAY = 3600, 86_400
TERM = 2 * HOUR
REDUNDANCY = 2
SOON = 90  # seconds of the chain on either side of a moment: blocks come, links differ


async def leases(street: Street, provider: str, file: Kept) -> list[dict[str, Any]]:
    """What a provider keeps of a file."""
    ids = {link["id"] for link in await street.links(file)}
    async with street.api(provider) as api:
        found = (await api.json("GET", "/leases"))["leases"]
    return [lease for lease in found if lease["linkId"] in ids]


async def lease_states(street: Street, providers: list[str], file: Kept) -> Counter[str]:
    found = [lease for name in providers for lease in await leases(street, name, file)]
    return Counter(lease["state"] for lease in found)


async def money(street: Street, providers: list[str]) -> int:
    """What was promised to all, which is what they billed and what they received."""
    sums = [0, 0, 0]
    for name in providers:
        told = await asyncio.gather(
            street.promised(name), street.billed(name), street.received(name)
        )
        sums = [before + now for before, now in zip(sums, told, strict=True)]
    assert len(set(sums)) == 1, sums
    return sums[0]


async def until_renewed(street: Street, file: Kept, until: int) -> None:
    async def is_so() -> bool:
        links = await street.links(file)
        return all((x["state"], x["expiresAt"]) == ("SIGNED", until) for x in links)

    await street.town.until(is_so, f"every link is signed until {until}")


async def check_receipts(street: Street, ends: dict[str, int]) -> None:
    """The client's journal has a receipt for each end, signed by its provider."""
    kept: list[LinkState] = links_in(street.node(CLIENT).data_dir)
    found = {link.order.link_id.hex(): link for link in kept}
    for link_id, end in ends.items():
        link = found[link_id]
        assert link.receipt is not None
        assert link.receipt.terms.expires_at == end
        account = street.town.market.account(street.name_of(link.order.peer))
        assert signer_of(link.receipt, street.town.market.hub.domain) == account


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_terms_are_renewed_an_hour_before_their_end_or_end_and_are_deleted_a_day_later(
    tmp_path: Path,
) -> None:
    ledger = tmp_path / "sent"
    async with replica_street(tmp_path) as street:
        await street.town.start(CLIENT, under=under_doomed_client(NEVER, ledger))
        names = await street.providers(REDUNDANCY, retail_price=1)
        rng = random.Random(7)
        kept = await street.put(rng.randbytes(MIB), redundancy=REDUNDANCY, seconds=TERM)
        left = await street.put(
            rng.randbytes(MIB), redundancy=REDUNDANCY, seconds=TERM, autorenew=False
        )
        for file in (kept, left):
            await street.until_state(file, "UPLOADED")
        first, other = await street.status(kept), await street.status(left)
        bill = first["size"] * REDUNDANCY * TERM
        assert other["size"] == first["size"]
        paid = await money(street, names)
        assert paid == int(first["paid"]) + int(other["paid"])
        assert 0 <= 2 * bill - paid <= 2 * bill * SOON // TERM  # a term begins when it is signed
        sent = sent_blocks(ledger)
        end, last_end = first["expiresAt"], other["expiresAt"]

        await move_to(street, end - HOUR - SOON)
        assert {x["expiresAt"] for x in await street.links(kept)} == {end}
        await move_to(street, end - HOUR + 1)
        await until_renewed(street, kept, end + TERM)
        renewed = await street.status(kept)
        assert [x["id"] for x in renewed["links"]] == [x["id"] for x in first["links"]]
        assert await money(street, names) == paid + bill
        assert {x["expiresAt"] for x in await street.links(left)} == {last_end}

        await move_to(street, max(end, last_end) + 1)
        await street.until_state(left, "DEGRADED")
        over = await street.status(left)
        assert [x["state"] for x in over["links"]] == ["EXPIRED"] * REDUNDANCY
        assert any("0 of 2" in note["note"] for note in over["history"]), over["history"]
        await street.town.until(
            lambda: is_all(street, names, left, "GRACE"), "both providers wait in grace"
        )
        assert (await street.status(kept))["state"] == "UPLOADED"
        assert await money(street, names) == paid + bill

        await street.town.stop(CLIENT)
        await check_receipts(street, {x["id"]: end + TERM for x in first["links"]})
        await street.town.start(CLIENT, under=under_doomed_client(NEVER, ledger))
        async with street.api(CLIENT) as api:
            await Replicas(api).release(kept.upload_id)
        await move_to(street, last_end + DAY - SOON)
        assert await lease_states(street, names, left) == {"GRACE": REDUNDANCY}
        await move_to(street, last_end + DAY + 1)
        await street.town.until(
            lambda: is_all(street, names, left, "DELETED"), "both providers delete it"
        )
        for name in names:
            await street.town.until(lambda name=name: is_empty(street, name), f"{name} is empty")
        assert sent_blocks(ledger) == sent
        assert await money(street, names) == paid + bill
        assert len((await street.status(left))["links"]) == REDUNDANCY


async def is_all(street: Street, providers: list[str], file: Kept, state: str) -> bool:
    return await lease_states(street, providers, file) == {state: REDUNDANCY}


async def is_empty(street: Street, provider: str) -> bool:
    """Nothing is held, by its own word and on its disk."""
    async with street.api(provider) as api:
        held = (await api.json("GET", "/leases"))["heldBytes"]
        space = (await api.json("GET", "/status"))["space"]
    return held == 0 and space["quotaUsedBytes"] == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_who_becomes_too_dear_is_replaced_before_his_term_ends(tmp_path: Path) -> None:
    async with replica_street(tmp_path) as street:
        await street.client()
        names = await street.providers(2 * REDUNDANCY, retail_price=1)
        data = random.Random(8).randbytes(MIB)
        budget = 2 * REDUNDANCY * 2 * MIB * TERM  # twice the price of now and more
        file = await street.put(data, redundancy=REDUNDANCY, seconds=TERM, budget=budget)
        await street.until_state(file, "UPLOADED")
        first = await street.status(file)
        end, size = first["expiresAt"], first["size"]
        dear = [street.name_of(link["peer"]) for link in first["links"]]
        paid = {name: await street.promised(name) for name in dear}
        await asyncio.gather(*(street.changed(name, retail_price=1000) for name in dear))
        fewest = REDUNDANCY
        watching = asyncio.Event()

        async def watch() -> None:
            nonlocal fewest
            while not watching.is_set():
                fewest = min(fewest, len(held(await street.links(file))))
                await asyncio.sleep(0.1)

        watcher = asyncio.create_task(watch())
        await move_to(street, end - HOUR + 1)
        await move_to(street, end - HOUR // 2 + 1)
        others = [name for name in names if name not in dear]
        for name in others:
            await street.until_link(file, name, "SIGNED")
        await move_to(street, end + 1)
        for name in dear:
            await street.until_link(file, name, "EXPIRED")
        watching.set()
        await watcher
        assert fewest == REDUNDANCY
        assert {x["peer"] for x in held(await street.links(file))} == set(map(street.peer, others))
        assert {name: await street.promised(name) for name in dear} == paid
        for name in others:
            spent = await street.promised(name)
            assert spent == await street.received(name) == await street.billed(name)
            assert 0 < spent <= size * TERM
        assert await street.read(await street.reader(), file) == data


def held(links: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that are signed, whatever else is done with them."""
    return [link for link in links if link["state"] in ("SIGNED", "RENEWING")]
