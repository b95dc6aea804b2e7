"""The peer book: bounded, replaced as a whole, never fatal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quire.net.identity import Identity
from quire.net.known_peer import KnownPeer
from quire.net.peerbook import MAX_ADDRESSES, MAX_FILE_BYTES, MAX_PEERS, PeerBook

ADDRESS = "/ip4/10.0.0.1/tcp/1"


def peer(number: int) -> str:
    return Identity.of(number.to_bytes(32, "big")).peer_id


def entry(**changes: object) -> dict[str, object]:
    return {"peer": peer(1), "addresses": [ADDRESS], "seen_at": 1.0} | changes


def test_what_was_saved_is_loaded_most_recent_first(tmp_path: Path) -> None:
    book = PeerBook(tmp_path / "peers")
    assert book.load() == ""
    for number in (1, 2, 3):
        assert book.remember(peer(number), [ADDRESS], number)
    assert not book.remember(peer(1), [ADDRESS], 9)
    book.save()
    again = PeerBook(tmp_path / "peers")
    assert again.load() == ""
    assert again.peers() == [KnownPeer(peer(n), (ADDRESS,)) for n in (1, 3, 2)]
    assert [file.name for file in tmp_path.iterdir()] == ["peers"]


def test_addresses_gather_newest_first_and_are_bounded(tmp_path: Path) -> None:
    book = PeerBook(tmp_path / "peers")
    for port in range(1, 12):
        assert book.remember(peer(1), [f"/ip4/10.0.0.1/tcp/{port}"], port)
    (known,) = book.peers()
    assert known.addresses[0] == "/ip4/10.0.0.1/tcp/11"
    assert len(known.addresses) == MAX_ADDRESSES


def test_the_least_recent_is_forgotten_first(tmp_path: Path) -> None:
    book = PeerBook(tmp_path / "peers")
    for number in range(1, MAX_PEERS + 3):
        book.remember(f"peer-{number}", [ADDRESS], number)
    assert len(book) == MAX_PEERS
    assert book.peers()[-1].peer == "peer-3"
    book.forget("peer-3")
    book.forget("peer-3")
    assert len(book) == MAX_PEERS - 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        json.dumps({"version": 2, "peers": []}).encode(),
        json.dumps({"version": 1}).encode(),
        json.dumps({"version": 1, "peers": [], "more": 1}).encode(),
        json.dumps({"version": 1, "peers": [entry(peer="nobody")]}).encode(),
        json.dumps({"version": 1, "peers": [entry(addresses=[])]}).encode(),
        json.dumps({"version": 1, "peers": [entry(addresses=[ADDRESS] * 9)]}).encode(),
        json.dumps({"version": 1, "peers": [entry(addresses=["10.0.0.1:1"])]}).encode(),
        json.dumps({"version": 1, "peers": [entry(seen_at="yesterday")]}).encode(),
        b" " * (MAX_FILE_BYTES + 1),
    ],
)
def test_a_bad_file_is_set_aside_and_the_book_is_empty(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "peers"
    path.write_bytes(content)
    book = PeerBook(path)
    assert "peers.bad" in book.load()
    assert book.peers() == []
    assert (tmp_path / "peers.bad").read_bytes() == content
    book.remember(peer(1), [ADDRESS], 1)
    book.save()
    assert PeerBook(path).load() == ""


def test_a_good_file_with_more_than_fits_keeps_the_recent(tmp_path: Path) -> None:
    path = tmp_path / "peers"
    entries = [entry(seen_at=float(number), peer=peer(number)) for number in (1, 2, 3)]
    path.write_text(json.dumps({"version": 1, "peers": entries}))
    book = PeerBook(path)
    assert book.load() == ""
    assert [known.peer for known in book.peers()] == [peer(3), peer(2), peer(1)]
