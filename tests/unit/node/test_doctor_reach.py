"""What the doctor says about reachability: one thing to change, or that all is well."""

from quire.net.reachability import AddressCheck, PortMapping, Reachability, RelayUse
from quire.node.doctor_reach import examine_reach

HOME = ["/ip4/127.0.0.1/tcp/8070", "/ip4/192.168.1.5/tcp/8070"]
OUTSIDE = "/ip4/5.6.7.20/tcp/8070"
FAILED = (AddressCheck(OUTSIDE, "16Uiu2HAmTester", 1.0, "no connection"),)


def test_a_node_on_loopback_is_not_meant_to_be_reached():
    finding = examine_reach(Reachability("unknown", ()), HOME[:1], "any")
    assert finding.state == "ok"
    assert "--listen /ip4/0.0.0.0/tcp/8070" in finding.remedy


def test_without_peers_that_can_test_it_wants_a_node_on_the_internet():
    finding = examine_reach(Reachability("unknown", ()), HOME, "any")
    assert finding.state == "warning"
    assert "--bootstrap" in finding.remedy


def test_on_a_local_network_all_is_well():
    finding = examine_reach(Reachability("unknown", (HOME[1],), testers=2), HOME, "any")
    assert (finding.state, finding.remedy) == ("ok", "")
    assert "local network" in finding.message


def test_while_tests_run_it_asks_for_patience():
    reach = Reachability("unknown", (), observed=(OUTSIDE,), testers=1)
    assert "testing" in examine_reach(reach, HOME, "any").message


def test_a_public_node_is_told_where():
    reach = Reachability("public", (OUTSIDE,), verified=(OUTSIDE,))
    finding = examine_reach(reach, HOME, "any")
    assert (finding.state, finding.remedy) == ("ok", "")
    assert OUTSIDE in finding.message


def test_a_working_mapping_is_mentioned():
    mapping = PortMapping(HOME[1], OUTSIDE)
    reach = Reachability("public", (OUTSIDE,), verified=(OUTSIDE,), mappings=(mapping,))
    assert "by UPnP" in examine_reach(reach, HOME, "upnp").message


def private(**facts):
    return Reachability(
        "private", (), observed=(OUTSIDE,), checks=FAILED, testers=1, **({"gateway": "off"} | facts)
    )


def test_behind_a_router_that_was_not_asked_the_remedy_is_to_ask_it():
    finding = examine_reach(private(), HOME, "none")
    assert finding.state == "warning"
    assert finding.remedy.startswith("start with --nat upnp, or forward TCP 8070 to 192.168.1.5")


def test_behind_a_router_without_upnp_the_remedy_is_to_forward_and_the_address_is_known():
    finding = examine_reach(private(gateway="not-found"), HOME, "any")
    assert "no connection" in finding.message
    assert finding.remedy == (
        "forward TCP 8070 to 192.168.1.5 in your router (it does not answer UPnP), or start with "
        "--nat extip:5.6.7.20"
    )


def test_behind_two_routers_forwarding_is_not_recommended():
    finding = examine_reach(private(gateway="not-public"), HOME, "any")
    assert "forwarding does not help" in finding.remedy


def test_a_mapping_that_does_not_work_is_named():
    reach = private(gateway="found", mappings=(PortMapping(HOME[1], OUTSIDE),))
    assert (
        "agreed to do so by UPnP, but nothing arrives" in examine_reach(reach, HOME, "any").remedy
    )


def test_an_external_address_at_which_nothing_arrives_is_doubted():
    assert "correct --nat extip:5.6.7.20" in examine_reach(private(), HOME, "extip:5.6.7.20").remedy


def test_with_and_without_relays_it_says_how_peers_get_here():
    assert "none of them relays" in examine_reach(private(), HOME, "any").message
    assert "1 asked" in examine_reach(private(relay_offers=1), HOME, "any").message
    use = RelayUse("16Uiu2HAmRelay", "/ip4/9.9.9.9/tcp/1/p2p/16Uiu2HAmRelay/p2p-circuit")
    relayed = Reachability("relayed", (use.address,), relays=(use,), checks=FAILED, testers=1)
    message = examine_reach(relayed, HOME, "any").message
    assert "until then peers reach you through relay 16Uiu2HAmRelay" in message


def test_both_ports_are_named():
    listen = [*HOME, "/ip4/192.168.1.5/udp/8071/quic-v1"]
    assert "TCP 8070 and UDP 8071" in examine_reach(private(), listen, "any").message
