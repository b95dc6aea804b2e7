"""The setting `nat` in words, and what becomes of it."""

import pytest

from quire.base.errors import BadConfig
from quire.net.nat import nat_for_swarm

OPEN = ["/ip4/0.0.0.0/tcp/8070"]
LOCAL = ["/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0"]


@pytest.mark.parametrize("mode", ["any", "upnp"])
def test_the_router_is_asked_unless_the_node_listens_on_this_machine_only(mode):
    assert nat_for_swarm(mode, "", OPEN) == "upnp"
    assert nat_for_swarm(mode, "", [*LOCAL, *OPEN]) == "upnp"
    assert nat_for_swarm(mode, "", LOCAL) == "none"


def test_none_leaves_the_router_alone():
    assert nat_for_swarm("none", "", OPEN) == "none"


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::7"])
def test_an_external_address_is_taken_as_it_is(address):
    assert nat_for_swarm("extip", address, OPEN) == address


@pytest.mark.parametrize("address", ["", "example.org", "1.2.3", "1.2.3.4:80", "1.2.3.4/24"])
def test_an_external_address_that_is_none_is_refused_with_an_example(address):
    with pytest.raises(BadConfig, match="extip:203"):
        nat_for_swarm("extip", address, OPEN)


def test_what_is_not_supported_is_said_in_words():
    with pytest.raises(BadConfig, match="NAT-PMP is not supported; use upnp"):
        nat_for_swarm("pmp", "", OPEN)
    with pytest.raises(BadConfig, match="any, none, upnp or extip"):
        nat_for_swarm("stun", "", OPEN)
