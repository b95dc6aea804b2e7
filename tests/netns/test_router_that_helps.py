"""A router that forwards ports when it is asked to by UPnP."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

import support
from support.netns_nodes import SpaceNode, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

IGD = Path(support.__path__[0]) / "igd.py"


@contextlib.contextmanager
def upnp(router):
    """The lines that the service says, as they come."""
    command = [*router.under, sys.executable, "-P", str(IGD), f"{router.lan}.1", router.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process.stdout
        finally:
            process.kill()


def test_a_node_asks_the_router_for_its_port_becomes_reachable_and_gives_it_back(net, tmp_path):
    public = net.host("tester", "5.6.7.1")
    router = net.router("home", "5.6.7.20", "192.168.1")
    home = router.host("alice", 10)
    with upnp(router) as said, SpaceNode(public, tmp_path) as tester:
        with SpaceNode(home, tmp_path, bootstrap=[tester], nat="upnp") as alice:
            assert said.readline() == "add TCP 8070 192.168.1.10\n"
            until(lambda: alice.reach()["status"] == "public", alice.reach)
            reach = alice.reach()
            assert reach["gateway"] == "found"
            assert reach["announced"] == ["/ip4/5.6.7.20/tcp/8070"]
            assert "by UPnP" in alice.doctor()["message"]
            cid = alice.put(b"reached through the router")
            until(
                lambda: not alice.ask("/status")["announce"]["queued"],
                lambda: alice.ask("/status")["announce"],
            )
            stranger = net.host("stranger", "5.6.7.2")
            with SpaceNode(stranger, tmp_path, bootstrap=[tester]) as asks:
                assert asks.get(cid) == b"reached through the router"
                assert set(asks.ways_to(alice)) == {"/ip4/5.6.7.20/tcp/8070"}
        assert said.readline() == "delete TCP 8070\n"


def test_without_a_router_that_answers_the_doctor_says_what_to_forward(net, tmp_path):
    public = net.host("tester", "5.6.7.1")
    home = net.router("home", "5.6.7.20", "192.168.1").host("alice", 10)
    with (
        SpaceNode(public, tmp_path) as tester,
        SpaceNode(home, tmp_path, bootstrap=[tester], nat="any") as alice,
    ):
        until(lambda: alice.reach()["status"] == "private", alice.reach)
        until(lambda: alice.reach()["gateway"] == "not-found", alice.reach)
        remedy = alice.doctor()["remedy"]
        assert remedy == (
            "forward TCP 8070 to 192.168.1.10 in your router (it does not answer UPnP), or start "
            "with --nat extip:5.6.7.20"
        )


def test_an_address_that_the_operator_names_is_announced_and_tested(net, tmp_path):
    public = net.host("tester", "5.6.7.1")
    router = net.router("home", "5.6.7.20", "192.168.1")
    home = router.host("alice", 10)
    router.nft("add rule ip nat in iifname net0 tcp dport 8070 dnat to 192.168.1.10:8070")
    with (
        SpaceNode(public, tmp_path) as tester,
        SpaceNode(home, tmp_path, bootstrap=[tester], nat="extip:5.6.7.20") as alice,
    ):
        assert alice.reach()["announced"] == ["/ip4/5.6.7.20/tcp/8070"]
        until(lambda: alice.reach()["status"] == "public", alice.reach)
        assert alice.doctor()["state"] == "ok"
