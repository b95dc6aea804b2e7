"""Real processes on a real chain: a host without a proving key sells, as an aggregator makes its
proofs from the cells that were drawn."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from quire.chain.values import RequestState, SlotState
from quire.faces.local import LocalNode
from quire.services.circuit_files import NOTE, VERIFYING_KEY
from support.cluster import ask
from support.market_town import QUICK_CIRCUIT, SLOT_BYTES, K, M, Town, market_town

PRICE = 1000
SELLS = ("--aggregator", "--aggregator-services", "prove", "--aggregator-prove-price", str(PRICE))


def verifying_only(town: Town, directory: Path) -> Path:
    """A circuit directory with what a host needs that proves nothing itself."""
    own = directory / QUICK_CIRCUIT.id
    own.mkdir(parents=True)
    for name in (VERIFYING_KEY, NOTE):
        shutil.copy(town.market.circuits / QUICK_CIRCUIT.id / name, own)
    return directory


async def jobs(node: LocalNode, kind: str) -> list[dict[str, Any]]:
    return list((await asyncio.to_thread(ask, node, "/jobs"))[kind])


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_host_without_a_key_fills_and_proves_slots(tmp_path: Path) -> None:
    async with market_town(tmp_path) as town:
        client = await town.start("client", arguments=SELLS)
        circuits = verifying_only(town, tmp_path / "verifying")
        arguments = ["--circuit-dir", str(circuits), "--prove-via", client.address]
        host = await town.start("host", arguments=arguments)
        await town.offer("host", totalSize=3 * SLOT_BYTES, totalCollateral=str(10**12))
        request_id = await town.request("client", proofProbability="1")
        await town.until_request(request_id, RequestState.STARTED)
        assert await town.holders(request_id) == ["host"] * (K + M)

        async def has_proved_a_period() -> bool:
            settled = [each for each in await jobs(host, "orders") if each["state"] == "settled"]
            return len(settled) > K + M

        await town.until(has_proved_a_period, "a proof of a period was ordered, made and paid")
        earned = await jobs(client, "jobs")
        assert {each["paid"] for each in earned if each["state"] == "settled"} == {str(PRICE)}
        await town.until_slots(request_id, SlotState.FILLED, K + M)
