"""An aggregator and its customer as real processes, on a real chain."""

from __future__ import annotations

import asyncio

from quire.base.errors import NodeUnreachable
from quire.faces.local import LocalNode
from quire.faces.local_market import LocalMarket
from support.aggregator_pair import a_pair
from support.cluster import ask, put

BID = ("--for", "1h", "--price", "1", "--collateral", "1", "--nodes", "6", "--tolerance", "2")


async def test_a_client_has_its_file_coded_checked_and_requested(tmp_path):
    async with a_pair(tmp_path) as pair:
        cid = await asyncio.to_thread(put, pair.client, bytes(range(256)) * 8192)
        bought = await pair.run("request", cid, *BID, "--via", "auto", "--yes")
        assert bought.code == 0, bought.err
        out = bought.out.decode()
        assert "checked  8 of 8 columns" in out
        assert "paid     1,200 tokens for the coding; 800 more when hosts have" in out
        (order,) = (await asyncio.to_thread(ask, pair.client, "/jobs"))["orders"]
        assert (order["state"], order["paid"]) == ("serving", "1200")
        (job,) = (await asyncio.to_thread(ask, pair.aggregator, "/jobs"))["jobs"]
        assert (job["jobId"], job["paid"]) == (order["jobId"], "1200")
        why = await asyncio.to_thread(ask, pair.client, f"/jobs/{order['jobId']}/why")
        assert "1,200 of 2,000 tokens were paid." in why["sentences"]
        stream = tmp_path / "stream.bin"
        stream.write_bytes(bytes(range(256)) * 8000)
        sent = await pair.run("request", "--stream", str(stream), *BID, "--via",
                              pair.aggregator.peer_id, "--yes", "--json")  # fmt: skip
        assert sent.code == 0, sent.err
        got = await pair.run("get", sent.json["cap"], "-o", str(tmp_path / "back"))
        assert got.code == 0, got.err
        assert (tmp_path / "back").read_bytes() == stream.read_bytes()


async def test_a_service_that_cannot_be_offered_is_refused_in_words(tmp_path):
    market = LocalMarket(tmp_path, None)
    await market.start()
    market.add_account("aggregator")
    try:
        for service, words in (("prove", "no proving key"), ("submit", "circuit")):
            arguments = [*market.arguments("aggregator"), "--aggregator"]
            arguments += ["--aggregator-services", service]
            node = LocalNode(tmp_path / service, arguments=arguments)
            try:
                await asyncio.to_thread(node.start)
                raise AssertionError(f"{service} was offered")
            except NodeUnreachable as error:
                told = str(error) + node.log_path.read_text()
                assert f"the aggregator cannot offer {service}" in told
                assert words in told
    finally:
        await market.stop()
