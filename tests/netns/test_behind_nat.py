"""Nodes behind routers, one on the internet that relays and tests: who reaches whom, and how."""

import contextlib

import pytest

from support.netns_nodes import SpaceNode, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

RELAY = ["--relay-server"]


def data(mebibytes):
    return bytes(range(256)) * 4096 * mebibytes


def reached_by_relay(node):
    until(lambda: node.reach()["status"] == "relayed", node.reach)


def test_two_nodes_behind_different_routers_meet_at_a_relay_and_then_directly(net, tmp_path):
    public = net.host("relay", "5.6.7.1")
    one = net.router("home1", "5.6.7.20", "192.168.1").host("alice", 10)
    other = net.router("home2", "5.6.7.30", "192.168.2").host("bob", 10)
    with (
        SpaceNode(public, tmp_path, arguments=RELAY) as relay,
        SpaceNode(one, tmp_path, bootstrap=[relay]) as alice,
        SpaceNode(other, tmp_path, bootstrap=[relay]) as bob,
    ):
        reached_by_relay(alice)
        reached_by_relay(bob)
        cid = alice.put(data(3))
        until(lambda: not alice.ask("/status")["announce"]["queued"], lambda: alice.ask("/status"))
        assert bob.get(cid) == data(3)
        until(lambda: alice.peer_id in bob.reach()["upgraded"], bob.reach)
        until(
            lambda: bob.ways_to(alice) and not any("p2p-circuit" in w for w in bob.ways_to(alice)),
            lambda: bob.ways_to(alice),
        )
        assert any(way.startswith("/ip4/5.6.7.20/") for way in bob.ways_to(alice))
        again = alice.put(data(1) + b"more")
        assert bob.get(again) == data(1) + b"more"


def test_behind_symmetric_routers_the_relay_stays_and_works(net, tmp_path):
    public = net.host("relay", "5.6.7.1")
    one = net.router("home1", "5.6.7.20", "192.168.1", symmetric=True).host("alice", 10)
    other = net.router("home2", "5.6.7.30", "192.168.2", symmetric=True).host("bob", 10)
    with (
        SpaceNode(public, tmp_path, arguments=RELAY) as relay,
        SpaceNode(one, tmp_path, bootstrap=[relay]) as alice,
        SpaceNode(other, tmp_path, bootstrap=[relay]) as bob,
    ):
        reached_by_relay(alice)
        cid = alice.put(data(3))
        assert bob.get(cid) == data(3)
        until(lambda: bob.peer_id in alice.reach()["notUpgraded"], alice.reach)
        assert all("/p2p-circuit" in way for way in bob.ways_to(alice))
        assert bob.reach()["upgraded"] == alice.reach()["upgraded"] == []
        again = alice.put(data(1) + b"more")
        assert bob.get(again) == data(1) + b"more"


def test_a_node_learns_from_others_whether_it_can_be_reached_and_the_doctor_says_so(net, tmp_path):
    first = net.host("first", "5.6.7.1")
    second = net.host("second", "5.6.7.2")
    home = net.router("home", "5.6.7.20", "192.168.1").host("alice", 10)
    with SpaceNode(first, tmp_path) as tester, contextlib.ExitStack() as later:
        assert tester.doctor()["state"] == "warning"
        assert "--bootstrap" in tester.doctor()["remedy"]

        public = later.enter_context(SpaceNode(second, tmp_path, bootstrap=[tester]))
        alice = later.enter_context(SpaceNode(home, tmp_path, bootstrap=[tester]))
        until(lambda: public.reach()["status"] == "public", public.reach)
        assert public.reach()["verified"] == ["/ip4/5.6.7.2/tcp/8070"]
        assert public.doctor()["state"] == "ok"

        until(lambda: tester.reach()["status"] == "public", tester.reach)

        until(lambda: alice.reach()["status"] == "private", alice.reach)
        assert alice.reach()["announced"] == []
        finding = alice.doctor()
        assert "TCP 8070 is not reachable from outside" in finding["message"]
        assert "none of them relays" in finding["message"]
        assert "forward TCP 8070 to 192.168.1.10" in finding["remedy"]
        assert not any("192.168" in address for address in alice.ask("/status")["addresses"])
