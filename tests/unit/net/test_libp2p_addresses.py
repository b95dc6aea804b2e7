"""Which addresses can be dialled."""

import pytest

from quire.formats.multiaddr import Multiaddr
from quire.net.identity import make_identity
from quire.net.libp2p_addresses import is_circuit, is_dialable, usable

RELAY = make_identity().peer_id
CIRCUIT = f"/ip4/5.6.7.8/tcp/1/p2p/{RELAY}/p2p-circuit"


async def test_a_way_through_a_relay_is_dialled_without_the_name_at_its_end():
    target = make_identity().peer_id
    assert await usable([f"{CIRCUIT}/p2p/{target}", CIRCUIT]) == [CIRCUIT]


async def test_an_address_is_dialled_without_the_name_at_its_end():
    assert await usable([f"/ip4/5.6.7.8/tcp/1/p2p/{RELAY}"]) == ["/ip4/5.6.7.8/tcp/1"]


@pytest.mark.parametrize(
    "text",
    [
        "/p2p-circuit",
        f"/p2p/{RELAY}/p2p-circuit",
        "/ip4/5.6.7.8/tcp/1/p2p-circuit",
        f"/ip4/5.6.7.8/udp/1/p2p/{RELAY}/p2p-circuit",
        f"{CIRCUIT}/p2p/{RELAY}/p2p-circuit",
        f"/dns4/example.org/tcp/1/p2p/{RELAY}/p2p-circuit",
        "/ip4/5.6.7.8/udp/1",
        f"/p2p/{RELAY}",
    ],
)
def test_what_leads_nowhere_is_left_out(text):
    address = Multiaddr.parse(text)
    assert not is_circuit(address)
    assert not is_dialable(address)
