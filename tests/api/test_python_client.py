"""codex-api-client 0.4.0, the public Python client with strict models, against a live node."""

import asyncio
import random

import codex_api_client as codex
import pytest
from codex_api_client.exceptions import ApiException, ServiceException

from support.live import live_node, memory_network

BYTES = random.Random(1).randbytes(256_000)


@pytest.fixture
async def api(tmp_path):
    """(node, another node, a function that makes one call of the client in a thread)"""
    network = memory_network()
    async with (
        live_node(tmp_path / "a", network) as (node, url),
        live_node(tmp_path / "b", network) as (other, _),
    ):
        client = codex.ApiClient(codex.Configuration(host=f"{url}/api/codex/v1"))

        async def call(kind, name, *args, **kwargs):
            return await asyncio.to_thread(getattr(kind(client), name), *args, **kwargs)

        yield node, other, call
        client.rest_client.pool_manager.clear()


async def refused(call, *args, **kwargs):
    with pytest.raises(ApiException) as caught:
        await call(*args, **kwargs)
    return caught.value.status, caught.value.body


async def test_data_goes_up_is_listed_comes_down_and_goes(api):
    _, _, call = api
    data = codex.DataApi
    disposition = 'attachment; filename="a.bin"'
    cid = await call(data, "upload", body=BYTES, content_disposition=disposition)
    (item,) = (await call(data, "list_data")).content
    assert (item.cid, item.manifest.filename) == (cid, "a.bin")
    assert item.manifest.dataset_size == len(BYTES)
    assert item.manifest.mimetype == "application/octet-stream"
    assert bytes(await call(data, "download_local", cid)) == BYTES
    assert bytes(await call(data, "download_network_stream", cid)) == BYTES
    for name in ("download_network_manifest", "download_network"):
        assert (await call(data, name, cid)).cid == cid
    space = await call(data, "space")
    assert (space.total_blocks, space.quota_reserved_bytes) == (5, 0)
    assert space.quota_used_bytes > 4 * 65536
    assert await call(data, "delete_local", cid) is None
    assert (await refused(call, data, "download_local", cid))[0] == 404


async def test_the_client_s_argument_for_the_media_type_is_refused_as_the_reference_does(api):
    """It sends two headers, the given type and application/octet-stream, which HTTP forbids."""
    _, _, call = api
    status, _ = await refused(call, codex.DataApi, "upload", body=b"x", content_type="text/plain")
    assert status == 400
    await call(codex.DataApi, "upload", body=b"x", _content_type="text/plain")
    (item,) = (await call(codex.DataApi, "list_data")).content
    assert item.manifest.mimetype == "text/plain"


async def test_errors_are_the_reference_s_words(api):
    _, _, call = api
    data = codex.DataApi
    assert await refused(call, data, "download_local", "notacid") == (400, "Incorrect Cid")
    for name in ("download_network_manifest", "download_network"):
        assert await refused(call, data, name, "notacid") == (400, "Incorrect Cid")
    assert await refused(call, data, "upload", body=b"x", _content_type="hello/world") == (
        422, "The MIME type 'hello/world' is not valid.",
    )  # fmt: skip


async def test_the_node_tells_about_itself(api):
    node, other, call = api
    nodes, debug = codex.NodeApi, codex.DebugApi
    # The client asks for JSON and takes it for the text of the model.
    assert node.transport.peer_id in await call(nodes, "get_peer_id")
    assert "spr:" in await call(nodes, "get_spr")
    peer, addresses = other.transport.peer_id, other.transport.listen_addresses()
    await call(nodes, "connect_peer", peer, addrs=addresses)
    assert (await refused(call, nodes, "connect_peer", "nobody"))[0] == 400
    info = await call(debug, "get_debug_info")
    assert info.id == node.transport.peer_id
    assert info.table.local_node.peer_id == node.transport.peer_id
    assert [each.peer_id for each in info.table.nodes] == [peer]
    assert info.codex.version.startswith("v")
    await call(debug, "set_debug_log_level", "DEBUG")
    assert (await refused(call, debug, "set_debug_log_level", "loud"))[0] == 400


SLOT = "0x" + "00" * 32


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("get_active_slots", ()),
        ("get_active_slot_by_id", (SLOT,)),
        ("get_availabilities", ()),
        ("get_reservations", (SLOT,)),
        ("get_purchases", ()),
        ("get_purchase", (SLOT,)),
        ("offer_storage", ()),
        ("update_offered_storage", (SLOT,)),
        ("create_storage_request", ("zDvZRwzkxiLvo2qrK9a74T9meg7wuk7q436Lb8GxT6HcZeu95eZF",)),
    ],
)
async def test_without_a_chain_the_marketplace_is_503_in_the_reference_s_words(api, name, args):
    _, _, call = api
    with pytest.raises(ServiceException) as caught:
        await call(codex.MarketplaceApi, name, *args)
    assert (caught.value.status, caught.value.body) == (503, "Persistence is not enabled")
