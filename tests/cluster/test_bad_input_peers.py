"""Peers that send garbage, lie, flood or stall, against real nodes over the real network."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal

import pytest

from quire.base.errors import PeerError
from quire.faces.local import LocalNode
from quire.formats.exchange import BlockReply, HaveRequest, Status
from support import hostile as bad
from support.cluster import CODEX, QUIRE, ask, call, held, put, until, until_held
from support.command import quire
from support.libp2p import make_node

SIZE = (12 << 20) + 777
DATA = random.Random(1).randbytes(SIZE)
LEAVES = -(-SIZE // bad.BLOCK)

LIARS = {
    "garbage": (bad.garbage, "garbage"),
    "wrong proofs": (bad.wrong_proofs, "do not verify"),
    "other blocks": (bad.other_blocks, "was asked for"),
    "oversized": (bad.oversized, "8388608"),
    "false manifest": (bad.false_manifest, "are not"),
    "never asked": (bad.never_asked, "nobody asked for"),
}

ASKED_FIRST = ("false manifest",)  # who answers a race too late has lied to nobody


async def in_thread(call, *arguments, **options):
    """The hostile peer lives on this loop, so whatever blocks goes elsewhere."""
    return await asyncio.to_thread(call, *arguments, **options)


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    with LocalNode(tmp_path_factory.mktemp("honest") / "node") as node:
        node.cid = put(node, DATA)
        yield node


def is_connected(node, *peers):
    return set(peers) <= {peer["peerId"] for peer in ask(node, "/peers")["peers"]}


def connect(node, other):
    address = other.address.partition("/p2p/")[0]
    status, _ = call(node, "GET", f"{CODEX}/connect/{other.peer_id}?addrs={address}")
    assert status == 200


def fetch_and_compare(node, cid):
    done = quire("fetch", cid, "--json", "--timeout", "30s", api=node.api)
    assert done.code == 0, done.err
    status, body = call(node, "GET", f"{CODEX}/data/{cid}")
    assert status == 200
    assert hashlib.sha256(body).digest() == hashlib.sha256(DATA).digest()
    return done.json


async def open_to(peer, node):
    """A channel on which a peer of this process asks a node."""
    soon = asyncio.get_running_loop().time() + 5
    await peer.dial(node.peer_id, [node.address.partition("/p2p/")[0]], soon)
    return await peer.open(
        node.peer_id, bad.PROTOCOL, max_message_bytes=bad.MOST_BYTES, deadline=soon
    )


def check_nothing_is_left(node, honest):
    until(lambda: not ask(node, "/status")["waits"], "something still waits")
    status = ask(node, "/status")
    assert (status["fetches"], status["uploads"], status["downloads"]) == ([], [], [])
    assert status["space"]["quotaUsedBytes"] == ask(honest, "/space")["quotaUsedBytes"]
    assert status["space"]["quotaReservedBytes"] == 0


@pytest.mark.parametrize("kind", LIARS)
async def test_a_liar_is_banned_and_named_and_the_fetch_completes(tmp_path, honest, kind):
    make, words = LIARS[kind]
    async with bad.hostile(make(bad.Dataset(LEAVES))) as liar:
        node = LocalNode(tmp_path / "node", bootstrap=[bad.address_of(liar)])
        try:
            await in_thread(node.start)
            await in_thread(until, lambda: is_connected(node, liar.peer_id))
            if kind in ASKED_FIRST:
                await in_thread(call, node, "POST", f"{QUIRE}/datasets/{honest.cid}/fetch")
                await in_thread(until, lambda: ask(node, "/peers")["banned"])
            await in_thread(connect, node, honest)
            if kind not in ASKED_FIRST:
                await in_thread(call, node, "GET", f"{CODEX}/data/{honest.cid}/network/manifest")
                os.kill(honest.pid, signal.SIGSTOP)  # who is quicker would leave nothing to ask for
                try:
                    await in_thread(call, node, "POST", f"{QUIRE}/datasets/{honest.cid}/fetch")
                    await in_thread(until, lambda: ask(node, "/peers")["banned"])
                finally:
                    os.kill(honest.pid, signal.SIGCONT)
            await in_thread(fetch_and_compare, node, honest.cid)
            await in_thread(until, lambda: ask(node, "/peers")["banned"])
            found = await in_thread(ask, node, "/peers")
            (ban,) = found["banned"]
            assert ban["peerId"] == liar.peer_id
            assert words in ban["reason"]
            assert liar.peer_id not in [peer["peerId"] for peer in found["peers"]]
            log = node.log_path.read_text()
            assert any(liar.peer_id in line and "banned" in line for line in log.splitlines())
            assert "Traceback" not in log
            why = await in_thread(quire, "peers", api=node.api)
            assert f"{liar.peer_id}  banned: " in why.out.decode()
            with pytest.raises(PeerError):
                await (await open_to(liar, node)).receive()
            await in_thread(check_nothing_is_left, node, honest)
        finally:
            assert await in_thread(node.stop) == 0


@pytest.mark.parametrize("make", [bad.stalls, bad.mute])
async def test_a_peer_that_stalls_for_ever_holds_nothing_up(tmp_path, honest, make):
    async with bad.hostile(make(bad.Dataset(LEAVES))) as staller:
        node = LocalNode(tmp_path / "node", bootstrap=[bad.address_of(staller), honest.address])
        try:
            await in_thread(node.start)
            await in_thread(until, lambda: is_connected(node, staller.peer_id, honest.peer_id))
            async with asyncio.timeout(25):
                await in_thread(fetch_and_compare, node, honest.cid)
            assert (await in_thread(ask, node, "/peers"))["banned"] == []
            await in_thread(check_nothing_is_left, node, honest)
        finally:
            assert await in_thread(node.stop) == 0


async def test_with_nobody_but_a_staller_the_caller_is_answered_in_time(tmp_path):
    async with bad.hostile(bad.mute(bad.Dataset(LEAVES))) as staller:
        node = LocalNode(tmp_path / "node", bootstrap=[bad.address_of(staller)])
        try:
            await in_thread(node.start)
            await in_thread(until, lambda: is_connected(node, staller.peer_id))
            before = await in_thread(held, node)
            cid = "zDvZRwzm3ppx9HGyRaysqEp7BK65JQXTKcPr3dUfzDNMZ7LgPdhE"
            path = f"{CODEX}/data/{cid}/network/stream?timeout=2"
            status, body = await in_thread(call, node, "GET", path)
            assert status in (404, 504)
            assert cid in body.decode()
            done = await in_thread(quire, "get", cid, "--timeout", "1s", api=node.api)
            assert done.code in (3, 8)
            await in_thread(until_held, node, before)
        finally:
            assert await in_thread(node.stop) == 0


def reply():
    return b"".join(bytes(s) for s in BlockReply(1, Status.NOT_HAVE).segments())


REQUESTS = {
    "garbage": random.Random(5).randbytes(2000),
    "nothing": b"",
    "a reply": reply(),
    "oversized": bytes(9 << 20),
}


@pytest.mark.parametrize("kind", REQUESTS)
async def test_who_asks_wrongly_is_banned_and_others_are_served(tmp_path, honest, kind):
    """The hostile peer opens the channel itself."""
    liar = make_node(kad_protocol="/quire/kad/1.0.0")
    await liar.start()
    server = LocalNode(tmp_path / "server", bootstrap=[honest.address])
    try:
        await in_thread(server.start)
        await in_thread(until, lambda: is_connected(server, honest.peer_id))
        channel = await open_to(liar, server)
        await channel.send(REQUESTS[kind])
        with pytest.raises(PeerError):
            await asyncio.wait_for(channel.receive(), 10)
        await in_thread(until, lambda: ask(server, "/peers")["banned"])
        (ban,) = (await in_thread(ask, server, "/peers"))["banned"]
        assert ban["peerId"] == liar.peer_id
        assert ban["reason"]
        assert liar.peer_id in server.log_path.read_text()
        await in_thread(fetch_and_compare, server, honest.cid)
        await in_thread(check_nothing_is_left, server, honest)
    finally:
        await liar.stop(asyncio.get_running_loop().time() + 5)
        assert await in_thread(server.stop) == 0


async def test_one_who_asks_and_never_reads_stops_only_itself(honest, tmp_path):
    greedy = make_node(kad_protocol="/quire/kad/1.0.0")
    await greedy.start()
    try:
        channel = await open_to(greedy, honest)
        asking = HaveRequest(1, bytes(32)).segments()

        async def flood():
            while True:
                await channel.send(*asking)

        flooding = asyncio.create_task(flood())
        node = LocalNode(tmp_path / "node", bootstrap=[honest.address])
        try:
            await in_thread(node.start)
            await in_thread(fetch_and_compare, node, honest.cid)
        finally:
            await in_thread(node.stop)
        peak = honest.resources()["peak_rss_bytes"]
        assert peak < 400 << 20
        flooding.cancel()
        await asyncio.wait([flooding])
    finally:
        await greedy.stop(asyncio.get_running_loop().time() + 5)
