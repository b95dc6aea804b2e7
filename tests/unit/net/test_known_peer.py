"""Peers in text: plain addresses and signed records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quire.base.errors import BadConfig
from quire.formats.multibase import decode_base64url, encode_base64url
from quire.formats.peer_record import decode_spr
from quire.kernels import signing
from quire.net.identity import Identity, make_identity
from quire.net.known_peer import KnownPeer, own_spr, parse_known_peer

PEER = Identity.of(bytes(range(1, 33))).peer_id  # fixed: it names test cases


@pytest.mark.parametrize(
    "address",
    [
        "/ip4/127.0.0.1/tcp/8070",
        "/ip6/::1/udp/8070/quic-v1",
        "/dns4/node.example/tcp/8070",
    ],
)
def test_an_address_with_its_peer(address: str) -> None:
    assert parse_known_peer(f"{address}/p2p/{PEER}") == KnownPeer(PEER, (address,))


def test_a_signed_record_says_peer_and_addresses() -> None:
    identity = make_identity()
    addresses = ["/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.1/udp/1/quic-v1"]
    text = own_spr(identity, addresses, 1234.9)
    assert text is not None
    assert parse_known_peer(text) == KnownPeer(identity.peer_id, tuple(addresses))
    assert decode_spr(text, signing.verify).seq == 1234


def test_who_listens_nowhere_has_no_record() -> None:
    assert own_spr(make_identity(), [], 0.0) is None


def test_records_of_the_reference_are_read() -> None:
    path = Path(__file__).parents[3] / "vectors" / "peer_record.json"
    cases = json.loads(path.read_text())
    texts = [text for text in _texts(cases.get("accept", cases)) if text.startswith("spr:")]
    assert texts
    for text in texts:
        assert parse_known_peer(text).addresses


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spr:",
        "spr:!!!",
        "spr:AAAA",
        "/ip4/127.0.0.1/tcp/8070",
        f"/p2p/{PEER}",
        f"/ip4/127.0.0.1/tcp/8070/p2p/{PEER[:-1]}",
        "/ip4/127.0.0.1/tcp/8070/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf",
        f"/ip4/300.0.0.1/tcp/8070/p2p/{PEER}",
        f"127.0.0.1:8070/p2p/{PEER}",
        "spr:" + "A" * 100_000,
    ],
)
def test_a_text_that_names_no_reachable_peer_is_refused(text: str) -> None:
    with pytest.raises(BadConfig):
        parse_known_peer(text)


def test_a_record_with_a_flipped_bit_anywhere_is_refused() -> None:
    text = own_spr(make_identity(), ["/ip4/10.0.0.1/tcp/1"], 5.0)
    assert text is not None
    data = decode_base64url(text.removeprefix("spr:"))
    for position in range(len(data)):
        bad = bytearray(data)
        bad[position] ^= 1
        with pytest.raises(BadConfig):
            parse_known_peer("spr:" + encode_base64url(bytes(bad)))
