"""A paid contract with real processes: filled, proven, ended; everybody has what is due to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.chain.values import RequestState, SlotState
from support.market_town import DATA, K, M, market_town


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_contract_is_filled_lives_without_its_client_and_pays_everybody(
    tmp_path: Path,
) -> None:
    async with market_town(tmp_path) as town:
        await town.start("client")
        hosts = await town.hosts(K + M)
        had = {name: await town.tokens(name) for name in ["client", *hosts]}
        request_id = await town.request("client")
        await town.until_request(request_id, RequestState.STARTED)
        assert sorted(filter(None, await town.holders(request_id))) == hosts
        await town.until_purchase("client", request_id, "started")
        await town.stop("client")

        reader = await town.start("reader", has_account=False, knows=hosts[0])
        assert await town.download(reader, request_id) == DATA

        await town.market.advance_to(await town.chain.request_end(request_id) + 1)
        await town.until_slots(request_id, SlotState.PAID, K + M)
        await town.start("client")
        await town.until_purchase("client", request_id, "finished")
        await town.until_nothing_is_left()
        paid = {name: await town.tokens(name) - had[name] for name in hosts}
        assert all(tokens > 0 for tokens in paid.values())
        assert await town.tokens("client") == had["client"] - sum(paid.values())
        await town.adds_up()
