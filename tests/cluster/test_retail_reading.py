"""Files that are read from their replicas by a capability alone, some of whose holders lie.

Source   point.md 6.7, scenarios 12 to 14, 17 and 18
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from pathlib import Path

import pytest

from quire.base.errors import BadCap, NotFound, WrongKey
from quire.base.units import MIB
from quire.dataset.envelope.derive import repair_of
from quire.dataset.envelope.replica_map import map_keys
from quire.dataset.envelope.signed_blob import SignedBlob, decode_blob
from quire.faces.replicas import KeepTerms, Replicas
from quire.formats.cap import ReadCap
from quire.kernels.cipher import NONCE_BYTES
from support.reference import ReferenceNode
from support.reference.node import running
from support.replica_street import CLIENT, GET_PRICE, READER, Kept, Street, replica_street

LARGE_BYTES = int(os.environ.get("QUIRE_RANGE_BYTES", "0"))
RNG = random.Random(12)
DATA = RNG.randbytes(4 * MIB)
PUBLIC = RNG.randbytes(MIB + 777)
BLOCK = 65_536
BLOCKS = 65  # that the content is in; the padding behind them is not read
QUIET_SECONDS = 3.0
RANGE = 1_000_000, 1_000_100
RANGE_BLOCKS_MOST = 3
CACHE_PRICE = 1000
NOW = 10.0  # seconds that are enough to find out that something is not there


async def served(street: Street, names: list[str]) -> dict[str, int]:
    """Bytes of replicas that each provider has served since it was started."""
    found = {}
    for name in names:
        if not street.node(name).has_ended:
            async with street.api(name) as api:
                found[name] = int((await api.json("GET", "/leases"))["readBytes"])
    return found


async def is_excluded(street: Street, provider: str) -> bool:
    """Whether the reader shuns a provider for what it did."""
    async with street.api(READER) as api:
        found = (await api.json("GET", "/providers", timeout_seconds=1))["providers"]
    return any(
        each["reputation"]["excludedUntil"] > 0
        for each in found
        if each["peerId"] == street.peer(provider)
    )


async def a_lying_holder_is_not_paid(street: Street, names: list[str], file: Kept) -> None:
    """12: P1 flips a bit in all that it serves. Channels are open, so that all three are asked."""
    room = 2 * GET_PRICE * len(DATA)
    await asyncio.gather(*(street.open_channel(READER, name, room) for name in names))
    assert await street.read(READER, file) == DATA
    liar, *honest = names

    async def is_found_out() -> bool:
        return (await served(street, names))[liar] > 0 and await is_excluded(street, liar)

    async def is_paid() -> bool:
        bytes_of = await served(street, names)
        paid = [await street.received(name, of=READER) for name in honest]
        return paid == [GET_PRICE * bytes_of[name] for name in honest]

    await street.town.until(is_found_out, "the liar was asked, if only in the end")
    await street.town.until(is_paid, "the honest ones are paid for what they served, exactly")
    bytes_of = await served(street, names)
    assert bytes_of["P2"] + bytes_of["P3"] >= BLOCKS * BLOCK
    assert await street.promised(liar, by=READER) == 0
    assert await street.billed(liar, to=READER) == 0
    assert not await is_excluded(street, "P2")


async def served_in_the_end(street: Street, names: list[str]) -> dict[str, int]:
    """What each has served when nobody serves any more: what was asked twice ends behind what was
    read, as soon as the channel to pay for it is open."""
    seen: dict[str, int] = {}

    async def is_still() -> bool:
        nonlocal seen
        before = seen
        seen = await served(street, names)
        await asyncio.sleep(QUIET_SECONDS)
        return seen == before and min(seen[name] for name in ("P1", "P2")) > 0

    await street.town.until(is_still, "nobody serves any more")
    return seen


async def a_hundred_bytes(street: Street, names: list[str], file: Kept) -> None:
    """14: with one holder left that is not shunned, so that no other is asked beside it."""
    await street.town.kill("P3")
    before = await served_in_the_end(street, names)
    assert await street.read(READER, file, *RANGE) == DATA[slice(*RANGE)]
    after = await served(street, names)
    assert after["P1"] == before["P1"]
    assert 0 < after["P2"] - before["P2"] <= RANGE_BLOCKS_MOST * BLOCK


async def a_wrong_key_reads_nothing(street: Street, names: list[str], file: Kept) -> None:
    """13: a mistake in typing is found in the text, any other key by the commitment to it."""
    text, cap = file.read_cap, file.caps.read
    assert isinstance(cap, ReadCap)
    at = len(text) - 10
    typed = text[:at] + ("q" if text[at] != "q" else "p") + text[at + 1 :]
    key = bytes([*cap.file_key[:5], cap.file_key[5] ^ 1, *cap.file_key[6:]])
    wrong = ReadCap(cap.suite, cap.flags, cap.cid, key)
    before = await served(street, names)
    async with street.sdk(READER) as sdk:
        with pytest.raises(BadCap):
            await anext(sdk.get(typed))
        with pytest.raises(WrongKey):
            await anext(sdk.get(wrong.text, timeout_seconds=NOW))
    assert await served(street, names) == before
    async with street.api(READER) as api:
        space = (await api.json("GET", "/status"))["space"]
    assert space["totalBlocks"] <= 2  # the manifest, and the record that has the commitment


async def maps_are_rolled_back_by_nobody(street: Street, file: Kept) -> None:
    """17: P1 has an old version, P2 a newer, and P3 shows one that nobody has signed."""
    cap = file.caps.read
    assert isinstance(cap, ReadCap)
    keys = map_keys(repair_of(cap).seal_root)
    path = f"/pointers/{keys.locator.hex()}"
    for name in (CLIENT, READER):
        await street.town.kill(name)
    street.town.first = "P2"
    await street.back("P3", lies="forged-map")

    async def put(version: int, plain: bytes) -> None:
        blob = keys.seal(version, bytes([version]) * NONCE_BYTES, plain)

        async def is_kept() -> bool:
            """Also by all who are connected; a peer that has just gone is not for long."""
            async with street.api("P2") as api:
                told = await api.json("PUT", "/pointers", body=blob.encode())
            return bool(told["peersKeeping"] == told["peersAsked"] > 0)

        await street.town.until(is_kept, f"version {version} is kept by P2 and its peers")

    async def seen_by(name: str) -> SignedBlob:
        """The newest that a node finds, at others too."""
        async with street.api(name) as api, api.open(path, timeout_seconds=NOW) as answer:
            return decode_blob(await answer.read())

    newest = await seen_by("P2")
    old, new = newest.version + 1, newest.version + 3
    await put(old, b"a map of long ago, which says nothing any more")
    await street.town.kill("P1")
    await put(new, keys.open(newest))

    async def found() -> int:
        async with street.api(READER) as api:
            body = {"cap": repair_of(cap).text}
            return int((await api.json("POST", "/replicas/find", body=body))["version"])

    async def is_liar_found_out() -> bool:
        """The reader asks the liar as soon as it knows of it, and never believes it."""
        assert await found() == new
        return await is_excluded(street, "P3")

    await street.back(READER)
    await street.town.until(is_liar_found_out, "the liar was asked, if not at once")
    assert not await is_excluded(street, "P2")
    await street.town.kill("P3")
    await street.back("P1")
    await street.back(READER)
    assert await found() == new
    assert await street.read(READER, file, *RANGE) == DATA[slice(*RANGE)]
    await street.town.kill("P2")

    async def is_old_one_seen() -> bool:
        with contextlib.suppress(NotFound):
            return (await seen_by(READER)).version == old
        return False

    await street.town.until(is_old_one_seen, "P1 is found: it had the old map all the time")


async def a_stock_peer_is_served_free(street: Street) -> None:
    """18: a peer that knows nothing but the block exchange of the reference."""
    async with street.sdk("P2") as sdk:
        cid = (await sdk.put(PUBLIC, encrypt="none")).cid
    assert cid is not None
    stock = ReferenceNode()
    async with running(stock):
        where = stock.address.partition("/p2p/")[0]
        async with (
            street.api("P2") as api,
            api.open(f"/connect/{stock.peer_id}", query={"addrs": where}),
        ):
            pass
        async with asyncio.timeout(25):
            assert await stock.engine.fetch(cid.encode()) == PUBLIC
        assert stock.engine.blocks_from == {street.peer("P2"): 1 + -(-len(PUBLIC) // BLOCK)}
        assert stock.engine.spurious == 0
        assert stock.problems == []
        async with street.api("P2") as api:
            trade = await api.json("GET", "/caching")
        assert trade["price"] == str(CACHE_PRICE)
        assert (trade["total"]["soldBytes"], trade["total"]["earned"]) == (0, "0")
        assert trade["total"]["owedToUs"] == "0"


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_holders_that_lie_are_not_believed_and_others_serve_what_was_asked(
    tmp_path: Path,
) -> None:
    async with replica_street(tmp_path) as street:
        await street.client()
        await asyncio.gather(
            street.provider("P1", lies="bit"),
            street.provider("P2", cache_price=CACHE_PRICE, cache_free_bytes=0),
            street.provider("P3"),
        )
        await street.reader()
        names = ["P1", "P2", "P3"]
        await a_stock_peer_is_served_free(street)
        file = await street.put(DATA, redundancy=3)
        await street.until_state(file, "UPLOADED")
        await a_lying_holder_is_not_paid(street, names, file)
        await a_hundred_bytes(street, names, file)
        await a_wrong_key_reads_nothing(street, names, file)
        await maps_are_rolled_back_by_nobody(street, file)


@pytest.mark.skipif(not LARGE_BYTES, reason="QUIRE_RANGE_BYTES is not set (make long)")
@pytest.mark.timeout(1800)
async def test_a_hundred_bytes_of_a_large_file_cost_three_blocks(tmp_path: Path) -> None:
    content = bytes(range(100))
    with (tmp_path / "large").open("wb") as large:
        large.seek(RANGE[0])
        large.write(content)
        large.truncate(LARGE_BYTES)
    async with replica_street(tmp_path) as street:
        await street.client()
        await street.provider("P1")
        await street.reader()
        async with street.sdk(CLIENT) as sdk:
            caps = await sdk.put(tmp_path / "large")
            assert isinstance(caps.read, ReadCap)
            terms = KeepTerms(redundancy=1, seconds=86_400)
            told = await Replicas(sdk.node).put(caps.read, terms)
        file = Kept(caps, str(told["id"]))
        await street.until_state(file, "UPLOADED", 1200)
        await street.town.kill(CLIENT)
        assert await street.read(READER, file, *RANGE) == content
        assert 0 < (await served(street, ["P1"]))["P1"] <= RANGE_BLOCKS_MOST * BLOCK
