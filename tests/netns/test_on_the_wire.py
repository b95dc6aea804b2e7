"""What loopback cannot show: a local network without a bootstrap node, a slow and lossy line."""

import pytest

from support.netns_nodes import SpaceNode, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def test_two_nodes_on_one_local_network_find_each_other_without_being_told(net, tmp_path):
    home = net.router("home", "5.6.7.20", "192.168.1")
    one, other = home.host("alice", 10), home.host("bob", 11)
    with (
        SpaceNode(one, tmp_path, arguments=["--mdns"]) as alice,
        SpaceNode(other, tmp_path, arguments=["--mdns"]) as bob,
    ):
        until(lambda: bob.ways_to(alice), lambda: bob.ask("/peers"))
        cid = alice.put(b"across the room" * 100_000)
        assert bob.get(cid) == b"across the room" * 100_000
        assert all(way.startswith("/ip4/192.168.1.10/") for way in bob.ways_to(alice))
        assert bob.reach()["announced"] == ["/ip4/192.168.1.11/tcp/8070"]


@pytest.mark.parametrize("listen", ["/ip4/0.0.0.0/tcp/8070", "/ip4/0.0.0.0/udp/8070/quic-v1"])
def test_a_transfer_over_a_slow_and_lossy_line_arrives_whole(net, tmp_path, listen):
    one, other = net.host("alice", "5.6.7.1"), net.host("bob", "5.6.7.2")
    one.slow_down("net0", "20mbit")
    other.lose(3)
    data = bytes(range(256)) * 4096 * 2
    with (
        SpaceNode(one, tmp_path, listen=[listen]) as alice,
        SpaceNode(other, tmp_path, listen=[listen], bootstrap=[alice]) as bob,
    ):
        cid = alice.put(data)
        assert bob.get(cid) == data
