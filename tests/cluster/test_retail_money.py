"""Money of replicas on real processes: a channel that runs out, an empty wallet, an account that is
paid for two providers (point.md 6.7, scenarios 9 and 16).

All scenes are played on one street. P4 and P5 are two nodes with one account.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from quire.chain.abi import address_text
from quire.chain.artefact import artefact
from support.receipts import links_in
from support.replica_street import CLIENT, Kept, Street, replica_street

POOR = "poor"
TERM = 3600
BLOCK, CHUNK_BLOCKS, CHUNKS = 65_536, 8, 5
SIZE = 2_550_000  # padded to 2 555 904 bytes: 40 records, so five chunks of eight blocks
ALLOCATE = artefact("ChannelHub").methods["allocate(address[],uint128[])"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def street(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Street]:
    async with replica_street(tmp_path_factory.mktemp("street")) as street:
        await street.client()
        await street.provider("P4")
        yield street


async def put(street: Street, *, at: str, seed: int, redundancy: int) -> Kept:
    """Random bytes in five chunks."""
    data = random.Random(seed).randbytes(SIZE)
    terms: dict[str, Any] = {"redundancy": redundancy, "seconds": TERM, "autorenew": False}
    return await street.put(data, at=at, chunk_blocks=CHUNK_BLOCKS, **terms)


async def post(street: Street, at: str, path: str, amount: int) -> dict[str, Any]:
    async with street.api(at) as api:
        found: dict[str, Any] = await api.json("POST", path, body={"amount": str(amount)})
        return found


async def allocations(street: Street, payer: str) -> int:
    """Transactions of a client, in blocks, that put tokens into channels."""
    sender, found = address_text(street.town.market.account(payer)).lower(), 0
    chain = street.town.market.chain
    for number in range(await chain.block_number() + 1):
        block = await chain.call("eth_getBlockByNumber", hex(number), True)
        for each in block["transactions"]:
            is_theirs = each["from"].lower() == sender
            found += is_theirs and each["input"].startswith(f"0x{ALLOCATE.hex()}")
    return found


async def said(street: Street, at: str, kind: str) -> str:
    """The words of the first event of a kind."""
    query = {"since": "0", "kind": kind}
    async with street.api(at) as api, api.open("/events", query=query) as answer:
        async for line in answer.content:
            if line.startswith(b"data: "):
                return str(json.loads(line[6:])["message"])
    raise AssertionError(f"{at} has never said {kind}")


def bills(street: Street, name: str, file: Kept) -> list[int]:
    """What the links of a file cost, by their receipts and the price of one token."""
    kept = [x for x in links_in(street.node(name).data_dir) if x.receipt is not None]
    terms = [x.receipt.terms for x in kept if x.order.upload_id.hex() == file.upload_id]
    return [each.sealed_bytes * (each.expires_at - each.starts_at) for each in terms]


async def test_a_channel_that_covers_two_bills_of_five_is_topped_up_once(street: Street) -> None:
    payee = address_text(street.town.market.account("P4"))
    await post(street, CLIENT, f"/channels/{payee}/topup", 2 * CHUNK_BLOCKS * BLOCK * TERM)
    assert await allocations(street, CLIENT) == 1
    file = await put(street, at=CLIENT, seed=1, redundancy=1)
    await street.until_state(file, "UPLOADED")

    paid = bills(street, CLIENT, file)
    assert len(paid) == CHUNKS
    assert sum(paid[:2]) <= 2 * CHUNK_BLOCKS * BLOCK * TERM < sum(paid[:3])
    assert await allocations(street, CLIENT) == 2  # one for the other three
    assert await street.promised("P4") == await street.billed("P4") == sum(paid)
    assert await street.received("P4") == sum(paid) == int((await street.status(file))["paid"])


async def test_an_empty_wallet_pauses_and_a_deposit_goes_on(street: Street) -> None:
    await street.client(POOR)
    await street.town.take_tokens(POOR, await street.town.tokens(POOR))
    file = await put(street, at=POOR, seed=2, redundancy=1)
    await street.until_state(file, "PAUSED")
    assert "FUNDS" in (await street.status(file))["words"]
    assert "send it" in await said(street, POOR, "FUNDS")
    assert await street.promised("P4", by=POOR) == 0
    links = {link["id"] for link in await street.links(file)}

    tokens = 100 * SIZE * TERM
    await street.town.give_tokens(POOR, tokens)
    await post(street, POOR, "/channels/deposit", tokens)
    await street.until_state(file, "UPLOADED")
    assert {link["id"] for link in await street.links(file)} == links
    paid = bills(street, POOR, file)
    assert len(paid) == CHUNKS
    assert await street.promised("P4", by=POOR) == sum(paid)
    assert await street.received("P4", of=POOR) == await street.billed("P4", to=POOR) == sum(paid)


async def test_two_providers_of_one_account_never_have_the_same_chunk(street: Street) -> None:
    same = [*street.town.market.arguments("P4"), "--provider", "--retail-get-price", "10"]
    await asyncio.gather(
        street.provider("P1"), street.town.start("P5", has_account=False, arguments=same)
    )
    file = await put(street, at=CLIENT, seed=3, redundancy=3)

    async def have_two() -> bool:
        links = await street.links(file)
        return Counter(x["chunk"] for x in links if x["state"] == "SIGNED") == dict.fromkeys(
            range(CHUNKS), 2
        )

    await street.town.until(have_two, "each chunk has two replicas")
    assert "whom it pays, has a replica of this chunk" in await said(
        street, CLIENT, "provider.short"
    )
    names = [(link["chunk"], street.name_of(link["peer"])) for link in await street.links(file)]
    for chunk in range(CHUNKS):
        held = sorted(name for place, name in names if place == chunk)
        assert held in (["P1", "P4"], ["P1", "P5"])  # the third is for somebody else
