"""A reader that seeks, stops or leaves, in a large dataset that another node has."""

import asyncio
import contextlib
import random
import socket

import pytest

from quire.flow.download import AHEAD_BYTES, PIECE_BYTES
from quire.formats.cid import Cid
from support.http import read_reply, send
from support.live import live_node, memory_network

BASE = "/api/quire/v1"
MIB = 1 << 20
BLOCK = 65_536
SIZE = 256 * MIB
BUFFERS_BYTES = 24 * MIB  # of sockets and of the server, at most, between node and reader
DATA = b"".join(random.Random(k).randbytes(64 * MIB) for k in range(4))
POLL_SECONDS = 0.05
LOOKS = 12


@pytest.fixture
async def remote(tmp_path):
    """(node, url, path): a node that has nothing, and the path of a dataset elsewhere."""
    network = memory_network()
    async with (
        live_node(tmp_path / "seed", network, storage_quota="1g") as (seed, seed_url),
        live_node(tmp_path / "node", network, storage_quota="1g") as (node, url),
    ):
        reply = await send(seed_url, "POST", f"{BASE}/data", {}, DATA)
        assert reply.status == 200
        address = seed.transport.listen_addresses()[0]
        known = await send(url, "GET", f"{BASE}/connect/{seed.transport.peer_id}?addrs={address}")
        assert known.status == 200
        yield node, url, f"{BASE}/data/{reply.text}/network/stream"


async def fetched_bytes(node, path):
    """What has come over the network and was kept."""
    await node.store.flush()
    dataset = await node.store.dataset(Cid.parse(path.split("/")[-3]))
    return 0 if dataset is None else dataset.present_count * BLOCK


async def settled(node, path):
    """The same, as soon as it does not change any more."""
    last, same = -1, 0
    while same < 6:
        await asyncio.sleep(POLL_SECONDS)
        now = await fetched_bytes(node, path)
        same = same + 1 if now == last and not node.exchange.status()["bytesInFlight"] else 0
        last = now
    return last


@contextlib.asynccontextmanager
async def reading(url, path, **headers):
    """An open download of which only the head was read."""
    host, port = url.removeprefix("http://").split(":")
    line = socket.socket()
    # Else the system lets it grow, on some machines to more than BUFFERS_BYTES.
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MIB)
    line.setblocking(False)
    await asyncio.get_running_loop().sock_connect(line, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=line, limit=BLOCK)
    lines = [f"GET {path} HTTP/1.1", "Host: x", *(f"{k}: {v}" for k, v in headers.items())]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
    try:
        yield reader
    finally:
        writer.close()


async def test_a_range_moves_only_its_own_blocks(remote):
    node, url, path = remote
    reply = await send(url, "GET", path, {"Range": f"bytes={128 * MIB + 5}-{128 * MIB + 300_000}"})
    assert reply.status == 206
    assert reply.body == DATA[128 * MIB + 5 : 128 * MIB + 300_001]
    assert await settled(node, path) == 5 * BLOCK


async def test_a_player_that_seeks_gets_right_bytes_and_moves_little_more(remote):
    node, url, path = remote
    rng = random.Random(5)

    for _ in range(LOOKS):
        at = rng.randrange(SIZE)
        size = rng.choice((1, 1000, 70_000, 400_000))
        async with reading(url, path, Range=f"bytes={at}-") as reader:
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 206 " in head
            wanted = min(size, SIZE - at)
            assert await reader.readexactly(wanted) == DATA[at : at + wanted]

    moved = await settled(node, path)
    # What the sockets swallow counts as taken, so a look costs a few MiB and not the rest.
    assert moved <= LOOKS * 12 * MIB


async def test_many_random_ranges_of_a_partly_fetched_dataset_are_right(remote):
    _, url, path = remote
    rng = random.Random(6)
    for start in (0, 100 * MIB, 200 * MIB):
        await send(url, "GET", path, {"Range": f"bytes={start}-{start + 5 * MIB}"})

    async def one(_):
        at = rng.randrange(SIZE)
        stop = min(SIZE, at + rng.choice((1, BLOCK, 300_000, 3 * MIB)))
        reply = await send(url, "GET", path, {"Range": f"bytes={at}-{stop - 1}"})
        assert reply.body == DATA[at:stop]

    for _ in range(10):
        await asyncio.gather(*map(one, range(4)))


async def test_a_reader_that_stops_stops_the_network(remote):
    node, url, path = remote
    async with reading(url, path) as reader:
        await reader.readuntil(b"\r\n\r\n")
        stopped_at = await settled(node, path)
        assert 0 < stopped_at <= BUFFERS_BYTES + AHEAD_BYTES + PIECE_BYTES
        assert len(node.downloads.active) == 1
        await reader.readexactly(64 * MIB)
        further = await settled(node, path)
        assert 64 * MIB < further <= 64 * MIB + BUFFERS_BYTES + AHEAD_BYTES + PIECE_BYTES


async def test_a_reader_that_leaves_ends_the_fetch(remote):
    node, url, path = remote
    async with reading(url, path) as reader:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(MIB)
    while node.downloads.active:
        await asyncio.sleep(POLL_SECONDS)
    assert await settled(node, path) <= BUFFERS_BYTES + AHEAD_BYTES + PIECE_BYTES


async def test_a_reader_that_leaves_is_noticed_while_the_network_is_silent(tmp_path):
    network = memory_network()
    async with (
        live_node(tmp_path / "node", network) as (node, url),
        contextlib.AsyncExitStack() as gone,
    ):
        seed, seed_url = await gone.enter_async_context(live_node(tmp_path / "seed", network))
        reply = await send(seed_url, "POST", f"{BASE}/data", {}, DATA[: 5 * MIB])
        address = seed.transport.listen_addresses()[0]
        await send(url, "GET", f"{BASE}/connect/{seed.transport.peer_id}?addrs={address}")
        path = f"{BASE}/data/{reply.text}/network"
        assert (await send(url, "GET", f"{path}/manifest")).status == 200
        await gone.aclose()
        async with reading(url, f"{path}/stream?timeout=3000s") as reader:
            while not node.downloads.active:
                await asyncio.sleep(POLL_SECONDS)
        async with asyncio.timeout(60):
            while node.downloads.active:
                await asyncio.sleep(POLL_SECONDS)
        with pytest.raises(asyncio.IncompleteReadError):
            await read_reply(reader, "GET")
