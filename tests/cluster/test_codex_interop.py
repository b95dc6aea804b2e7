"""Real nodes and scripted peers that behave like the Codex reference, over TCP, Noise and mplex."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import signal
from dataclasses import replace
from functools import partial

import pytest

from quire.faces.local import LocalNode
from quire.formats.cid import Cid
from support.cluster import CODEX, QUIRE, ask, call, put, until
from support.command import quire
from support.reference import Habits, ReferenceNode
from support.reference.bytes_ import lp, uvarint
from support.reference.content import Address, Held
from support.reference.messages import Entry, encode
from support.reference.node import running

DATA = random.Random(1).randbytes((3 << 20) + 777)
ARCHIVIST = Habits(protocols=("/archivist/blockexc/1.0.0",), trimmed=True)
PROMETHEI = Habits(protocols=("/promethei/blockexc/1.0.0",), trimmed=True)
SOON = 25


async def in_thread(work, *arguments, **options):
    """The scripted peers live on this loop, so whatever blocks goes elsewhere."""
    return await asyncio.to_thread(work, *arguments, **options)


@contextlib.asynccontextmanager
async def node_of(directory, profile="codex"):
    node = LocalNode(directory, arguments=["--profile", profile])
    try:
        await in_thread(node.start)
        yield node
    finally:
        code = await in_thread(node.stop)
        assert "Traceback" not in node.log_path.read_text()
        assert code == 0


async def connect(node, *peers):
    """By REST, as a user of the reference does it; no DHT is shared."""
    for peer in peers:
        path = f"{CODEX}/connect/{peer.peer_id}?addrs={peer.address.partition('/p2p/')[0]}"
        status, body = await in_thread(call, node, "GET", path)
        assert status == 200, body


def port_of(node):
    return int(node.address.split("/tcp/")[1].partition("/")[0])


async def fetch(node, name, data=DATA, timeout="20s"):
    """A node fetches a dataset and reads it back; what the fetch says."""
    cid = str(Cid.decode(name))
    done = await in_thread(quire, "fetch", cid, "--json", "--timeout", timeout, api=node.api)
    assert done.code == 0, done.err
    status, body = await in_thread(call, node, "GET", f"{CODEX}/data/{cid}")
    assert status == 200
    assert hashlib.sha256(body).digest() == hashlib.sha256(data).digest()
    return done.json


async def ask_the_peer(peer, text):
    async with asyncio.timeout(SOON):
        return await peer.engine.fetch(Cid.parse(text).encode())


@pytest.mark.parametrize(
    ("profile", "habits", "block_size"),
    [
        ("codex", Habits(), 4096),
        ("codex", Habits(), 65_536),
        ("codex", Habits(), 524_288),
        ("codex", ARCHIVIST, 65_536),
        ("archivist", ARCHIVIST, 131_072),
        ("promethei", PROMETHEI, 131_072),
    ],
)
async def test_data_moves_both_ways_by_connect_alone(tmp_path, profile, habits, block_size):
    peer = ReferenceNode(replace(habits))
    async with running(peer), node_of(tmp_path / "node", profile) as node:
        await connect(node, peer)
        await fetch(node, peer.content.add(DATA, block_size))
        mine = random.Random(2).randbytes(5 * 131_072)
        status, body = await in_thread(call, node, "POST", f"{CODEX}/data", mine)
        assert status == 200, body
        assert await ask_the_peer(peer, body.decode()) == mine
        assert peer.engine.spurious == 0
        leaves = 5 if profile == "promethei" else 10  # of the block size of the network
        assert peer.engine.blocks_from == {node.peer_id: 1 + leaves}
        protocols = (await in_thread(ask, node, "/status"))["exchange"]["peers"]
        assert [p["protocol"] for p in protocols] == [habits.protocols[0]]


async def test_the_peer_may_be_the_one_that_connects(tmp_path):
    peer = ReferenceNode()
    async with running(peer), node_of(tmp_path / "node") as node:
        cid = await in_thread(put, node, DATA)
        await peer.dial(port_of(node))
        assert await ask_the_peer(peer, cid) == DATA
        await fetch(node, peer.content.add(DATA[::-1]), DATA[::-1])


async def test_streams_that_the_peer_resets_are_opened_again(tmp_path):
    peer = ReferenceNode(Habits(idle_seconds=0.2))
    async with running(peer), node_of(tmp_path / "node") as node:
        await connect(node, peer)
        for seed in range(3):
            data = random.Random(seed).randbytes(300_000)
            await fetch(node, peer.content.add(data), data)
            cid = await in_thread(put, node, data[::-1])
            assert await ask_the_peer(peer, cid) == data[::-1]
            await asyncio.sleep(0.5)  # longer than the peer leaves a stream idle
        assert list(peer.connections) == [node.peer_id]


async def test_an_archive_that_is_not_there_is_said_so(tmp_path):
    peer = ReferenceNode()
    async with running(peer), node_of(tmp_path / "node") as node:
        await connect(node, peer)
        cid = "zDvZRwzm3ppx9HGyRaysqEp7BK65JQXTKcPr3dUfzDNMZ7LgPdhE"
        done = await in_thread(quire, "get", cid, "--timeout", "2s", api=node.api)
        assert done.code == 3, done.err


def spoil_data(_address, held):
    return replace(held, data=held.data[:-1] + bytes([held.data[-1] ^ 1])) if held.proof else held


def spoil_proof(_address, held):
    if not held.proof:
        return held
    return replace(held, proof=held.proof[:-1] + bytes([held.proof[-1] ^ 1]))


def other_block(_address, held):
    if not held.proof:
        return held
    data = bytes(len(held.data))
    return Held(held.cid[:-32] + hashlib.sha256(data).digest(), data, held.proof)


def never(address, held):
    return None if address.index is not None else held


LIES = {"data": spoil_data, "proof": spoil_proof, "another block": other_block}


@pytest.mark.parametrize("lie", LIES)
async def test_a_liar_is_banned_and_the_fetch_completes(tmp_path, lie):
    liar = ReferenceNode(Habits(spoil=LIES[lie]))
    honest = ReferenceNode()
    async with running(liar, honest), node_of(tmp_path / "node") as node:
        name = liar.content.add(DATA)
        await connect(node, liar)
        cid = str(Cid.decode(name))
        await in_thread(call, node, "POST", f"{QUIRE}/datasets/{cid}/fetch")
        await in_thread(until, lambda: ask(node, "/peers")["banned"], "the liar is not banned")
        honest.content.add(DATA)
        await connect(node, honest)
        await fetch(node, name)
        (ban,) = (await in_thread(ask, node, "/peers"))["banned"]
        assert ban["peerId"] == liar.peer_id
        assert not liar.connections


def has_sent(*peers):
    return any(peer.engine.sent_blocks for peer in peers)


@pytest.mark.parametrize(
    "habits", [Habits(dies_after=40), Habits(spoil=never), Habits(spoil=spoil_proof)]
)
async def test_a_swarm_of_both_kinds_outlives_its_worst_member(tmp_path, habits):
    bad, good = ReferenceNode(habits), ReferenceNode()
    data = random.Random(5).randbytes(12 << 20)
    async with (
        running(bad, good),
        node_of(tmp_path / "holder", "quire") as holder,
        node_of(tmp_path / "node") as node,
    ):
        cid = await in_thread(put, holder, data)
        bad.content.add(data)
        good.content.add(data, leaves=range(96))  # a half of it
        await connect(node, bad, good, holder)
        await in_thread(call, node, "GET", f"{CODEX}/data/{cid}/network/manifest")
        # It is quicker than the others, and would leave them nothing to send.
        os.kill(holder.pid, signal.SIGSTOP)
        await in_thread(call, node, "POST", f"{QUIRE}/datasets/{cid}/fetch")
        await in_thread(until, partial(has_sent, good, bad), "neither of them sends anything")
        os.kill(holder.pid, signal.SIGCONT)
        done = await fetch(node, Cid.parse(cid).encode(), data, timeout="50s")
        assert done["state"] == "complete", done


RAW = {
    "no protobuf": lp(b"\xff" * 100),
    "endless varint": b"\xff" * 40,
    "above the limit": uvarint(101 << 20) + bytes(1000),
    "an index that ends a Nim process": lp(bytes.fromhex("0a10") + bytes(16)),
    "a want of a third kind": lp(bytes.fromhex("0a0a0a060a0208002005") + b"\x10\x00"),
}


@pytest.mark.parametrize("kind", RAW)
async def test_hostile_messages_end_in_a_close_or_a_ban_and_others_are_served(tmp_path, kind):
    hostile, honest = ReferenceNode(), ReferenceNode()
    async with running(hostile, honest), node_of(tmp_path / "node") as node:
        cid = await in_thread(put, node, DATA)
        await connect(node, hostile, honest)
        for _ in range(6):
            connection = hostile.connections.get(node.peer_id)
            if connection is None:
                break
            with contextlib.suppress(OSError):
                connection.send_raw(RAW[kind])
            await asyncio.sleep(0.1)
        assert await ask_the_peer(honest, cid) == DATA
        banned = (await in_thread(ask, node, "/peers"))["banned"]
        assert [ban["peerId"] for ban in banned] in ([], [hostile.peer_id])


async def test_a_flood_of_blocks_that_nobody_asked_for_is_a_ban(tmp_path):
    hostile = ReferenceNode()
    async with running(hostile), node_of(tmp_path / "node") as node:
        await connect(node, hostile)
        name = hostile.content.add(DATA)
        await fetch(node, name)
        stray = [(a, h) for a, h in hostile.content.blocks.items() if a.index is not None]
        other = [(replace(a, index=a.index + 1_000_000), h) for a, h in stray]
        for _ in range(8):
            if node.peer_id in hostile.connections:
                hostile.connections[node.peer_id].send(encode(deliveries=other))
            await asyncio.sleep(0.05)
        await in_thread(until, lambda: ask(node, "/peers")["banned"])


async def test_a_window_of_wants_for_what_is_not_there_is_borne(tmp_path):
    greedy, honest = ReferenceNode(), ReferenceNode(Habits(silence_seconds=2))
    async with running(greedy, honest), node_of(tmp_path / "node") as node:
        cid = await in_thread(put, node, DATA)
        await connect(node, greedy, honest)
        greedy.content.add(DATA)
        root = next(a.cid for a in greedy.content.blocks if a.index is not None)
        for at in range(0, 40 * 1024, 1024):
            wants = [Entry(Address(root, 10_000 + at + i)) for i in range(1024)]
            greedy.connections[node.peer_id].send(encode(entries=wants))
        assert await ask_the_peer(honest, cid) == DATA
