"""Either side of an order is killed at random moments, real processes, real chain, real SIGKILL:
the order goes on by itself, what comes of it is right, and it is paid once.

QUIRE_ORDER_KILLS sets how often (default 6).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from pathlib import Path

import pytest

from quire.formats.cid import tree_cid
from support.aggregator_pair import AGGREGATOR, CLIENT, Pair, a_pair
from support.cluster import CODEX, QUIRE, call, put
from support.protect_kit import expected

KILLS = int(os.environ.get("QUIRE_ORDER_KILLS", "6"))
SIZE, BLOCK, K, M = 2 << 20, 65_536, 4, 2
FIRST_PART = 1200  # tokens, due when the coding was checked
LIFE_SECONDS = 1.2  # that an order has at most before a side is killed
PATIENCE_SECONDS = 40.0


async def order(pair: Pair, cid: str) -> None:
    """Asking again for what is under way, or was done, orders nothing new."""
    body = json.dumps({"cid": cid, "nodes": K + M, "tolerance": M, "via": ["auto"]}).encode()
    status, told = await asyncio.to_thread(
        call, pair.client, "POST", QUIRE + "/encodings", body, Content_Type="application/json"
    )
    assert status == 202, told


async def states(pair: Pair, cid: str) -> dict[str, tuple[str, int]]:
    """Of the orders for a dataset: state and tokens paid."""
    orders = (await pair.ask(CLIENT, "/jobs"))["orders"]
    return {
        each["jobId"]: (each["state"], int(each["paid"]))
        for each in orders
        if each["subject"] == cid
    }


async def until_coded(pair: Pair, cid: str) -> None:
    """An order may be refused when the aggregator was restarted since its offer; who asked for it
    died with the client, and asks again."""
    seen: dict[str, tuple[str, int]] = {}
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while "serving" not in [state for state, _ in seen.values()]:
                await asyncio.sleep(0.1)
                seen = await states(pair, cid)
                if all(state == "refused" for state, _ in seen.values()):
                    await order(pair, cid)
    except TimeoutError:
        whys = [await pair.ask(CLIENT, f"/jobs/{key}/why") for key in seen]
        raise AssertionError(f"not coded in {PATIENCE_SECONDS:.0f} s: {seen}; {whys}") from None


@pytest.mark.slow
@pytest.mark.timeout(120 + 30 * KILLS)
async def test_an_order_is_paid_once_whenever_either_side_is_killed(tmp_path: Path) -> None:
    rng = random.Random(8)
    contents = [rng.randbytes(SIZE) for _ in range(KILLS)]
    async with a_pair(tmp_path) as pair:
        cids = []
        for number, content in enumerate(contents):
            cid = await asyncio.to_thread(put, pair.client, content)
            cids.append(cid)
            await order(pair, cid)
            await asyncio.sleep(rng.uniform(0.0, LIFE_SECONDS))  # the moment of death is random
            victim = AGGREGATOR if number % 2 else CLIENT
            await asyncio.to_thread(pair.nodes[victim].kill)
            await pair.start(victim)
            await until_coded(pair, cid)
        for cid, content in zip(cids, contents, strict=True):
            await is_coded_and_paid_once(pair, cid, content)
        (earned,) = (await pair.ask(AGGREGATOR, "/channels"))["earning"]
        assert int(earned["received"]) == int(earned["billed"]) == KILLS * FIRST_PART
        jobs = (await pair.ask(AGGREGATOR, "/jobs"))["jobs"]
        paid = [int(job["paid"]) for job in jobs if int(job["paid"])]
        assert paid == [FIRST_PART] * KILLS


async def is_coded_and_paid_once(pair: Pair, cid: str, content: bytes) -> None:
    found = list((await states(pair, cid)).values())
    assert found.count(("serving", FIRST_PART)) == 1
    assert sum(paid for _, paid in found) == FIRST_PART
    orders = (await pair.ask(CLIENT, "/jobs"))["orders"]
    coded = next(
        each["result"]["cid"]
        for each in orders
        if each["subject"] == cid and each["state"] == "serving"
    )
    status, told = await asyncio.to_thread(
        call, pair.client, "GET", f"{CODEX}/data/{coded}/network/manifest"
    )
    assert status == 200, told
    root, _ = expected(content, K, M, BLOCK)
    assert json.loads(told)["manifest"]["treeCid"] == str(tree_cid(root))
