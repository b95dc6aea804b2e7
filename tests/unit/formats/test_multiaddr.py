"""Network addresses in text and bytes."""

import pytest

from quire.base.errors import BadEncoding
from quire.formats.multiaddr import Multiaddr
from support.vectors import accepted, rejected

PEER = "16Uiu2HAmLb6x8CmU6v6Mopiftir16SeBnhcat5dWwKCxbs3P8oRt"


@accepted("multiaddr.json")
def test_known_addresses_have_their_bytes(row):
    address = Multiaddr.parse(row["text"])
    data = bytes.fromhex(row["hex"])
    assert str(address) == row["text"]
    assert address.encode() == data
    assert Multiaddr.decode(data) == address


@rejected("multiaddr.json")
def test_other_texts_and_bytes_are_refused(row):
    is_text = "text" in row
    read = Multiaddr.parse if is_text else Multiaddr.decode
    with pytest.raises(BadEncoding):
        read(row["text"] if is_text else bytes.fromhex(row["hex"]))


def test_the_old_name_of_p2p_and_long_ipv6_are_read():
    assert str(Multiaddr.parse(f"/ipfs/{PEER}")) == f"/p2p/{PEER}"
    assert str(Multiaddr.parse("/ip6/0:0:0:0:0:0:0:1/tcp/1")) == "/ip6/::1/tcp/1"


def test_parts_are_found():
    address = Multiaddr.parse(f"/dns4/example.org/tcp/80/p2p/{PEER}")
    assert address.host == "example.org"
    assert address.value_of("tcp") == "80"
    assert address.value_of("udp") is None
    assert address.peer == PEER
    assert str(address.without_peer()) == "/dns4/example.org/tcp/80"
    assert address.without_peer().with_peer(PEER) == address
    assert address.with_peer(PEER) == address
    assert address.without_peer().peer is None


def test_an_address_that_is_only_a_peer_stays():
    address = Multiaddr.parse(f"/p2p/{PEER}")
    assert address.without_peer() == address
    assert address.host is None
