"""The connector, over a network in memory."""

from __future__ import annotations

from pathlib import Path

from conform.transport import until
from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.base.rng import seeded_rng
from quire.net.connector import Connector
from quire.net.identity import Identity
from quire.net.known_peer import KnownPeer
from quire.net.memory import MemoryNetwork, MemoryTransport
from quire.net.peerbook import PeerBook
from support.networks import make_network


def node(network: MemoryNetwork, number: int) -> MemoryTransport:
    identity = Identity.of(number.to_bytes(32, "big"))
    return MemoryTransport(network, identity.peer_id, f"/ip4/10.0.0.{number}/tcp/1")


def known(transport: MemoryTransport) -> KnownPeer:
    return KnownPeer(transport.peer_id, tuple(transport.listen_addresses()))


def connector(
    transport: MemoryTransport, *bootstrap: KnownPeer, book: PeerBook | None = None
) -> tuple[Connector, EventBus]:
    clock = SystemClock()
    events = EventBus(clock)
    made = Connector(transport, book, bootstrap, clock=clock, rng=seeded_rng(1), events=events)
    return made, events


async def test_bootstrap_peers_are_connected_and_remembered(tmp_path: Path) -> None:
    network = make_network()
    one, other, third = (node(network, number) for number in (1, 2, 3))
    for each in (one, other, third):
        await each.start()
    book = PeerBook(tmp_path / "peers")
    made, _ = connector(one, known(other), known(third), known(one), book=book)
    await made.start()
    await until(lambda: len(one.connections()) == 2)
    assert [entry["state"] for entry in made.status()] == ["connected"] * 2
    await made.stop()
    again = PeerBook(tmp_path / "peers")
    assert again.load() == ""
    assert {entry.peer for entry in again.peers()} == {other.peer_id, third.peer_id}


async def test_remembered_peers_are_found_again_without_bootstrap(tmp_path: Path) -> None:
    network = make_network()
    one, other = node(network, 1), node(network, 2)
    await one.start()
    await other.start()
    book = PeerBook(tmp_path / "peers")
    book.remember(other.peer_id, other.listen_addresses(), 1.0)
    book.save()
    made, _ = connector(one, book=PeerBook(tmp_path / "peers"))
    await made.start()
    await until(lambda: len(one.connections()) == 1)
    assert one.connections()[0].peer == other.peer_id
    await made.stop()


async def test_a_lost_bootstrap_peer_is_dialled_again() -> None:
    network = make_network()
    one, other = node(network, 1), node(network, 2)
    await one.start()
    await other.start()
    made, _ = connector(one, known(other))
    await made.start()
    await until(lambda: len(one.connections()) == 1)
    network.drop(one.peer_id, other.peer_id)
    assert made.status()[0]["state"] == "waiting"
    await until(lambda: len(one.connections()) == 1)
    await made.stop()


async def test_an_unreachable_peer_is_told_with_its_reason_and_tried_again() -> None:
    network = make_network()
    one, other = node(network, 1), node(network, 2)
    await one.start()
    made, events = connector(one, known(other))
    await made.start()
    await until(lambda: bool(events.history(other.peer_id)))
    event = events.history(other.peer_id)[0]
    assert event.kind == "peer.unreachable"
    assert "nobody answers" in event.message
    assert made.status()[0]["failures"] == 1
    await other.start()
    await until(lambda: len(one.connections()) == 1)
    await made.stop()


async def test_a_spoilt_book_is_told_and_does_not_stop_the_node(tmp_path: Path) -> None:
    path = tmp_path / "peers"
    path.write_bytes(b"garbage")
    network = make_network()
    one, other = node(network, 1), node(network, 2)
    await one.start()
    await other.start()
    made, events = connector(one, known(other), book=PeerBook(path))
    await made.start()
    assert [event.kind for event in events.history()] == ["peerbook.unreadable"]
    await until(lambda: len(one.connections()) == 1)
    await made.stop()
    again = PeerBook(path)
    assert again.load() == ""
    assert len(again) == 1


async def test_a_book_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    network = make_network()
    one, other = node(network, 1), node(network, 2)
    await one.start()
    await other.start()
    made, events = connector(one, known(other), book=PeerBook(tmp_path / "absent" / "peers"))
    await made.start()
    await until(lambda: len(one.connections()) == 1)
    await made.stop()
    assert [event.kind for event in events.history()] == ["peerbook.unwritable"]


async def test_stopping_twice_does_no_harm() -> None:
    network = make_network()
    one = node(network, 1)
    await one.start()
    made, _ = connector(one)
    await made.start()
    await made.stop()
    await made.stop()
    assert made.status() == []
