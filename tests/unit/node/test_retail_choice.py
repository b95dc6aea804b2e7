"""What the settings say about the choice of providers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from quire.base.clock import SystemClock
from quire.base.errors import BadConfig
from quire.base.events import EventBus
from quire.base.rng import seeded_rng
from quire.base.waits import Waits
from quire.chain.hub import HubDomain
from quire.net.identity import Identity, make_identity
from quire.net.requests import Requests
from quire.node.config_load import load_config
from quire.node.parts import Ground
from quire.node.retail_choice import choice_of, selection_secret
from quire.services.retail.providers import Providers
from quire.store.journal_memory import MemoryJournal
from support.networks import make_network, make_transport
from support.prospects import offer, prospect

PEER = prospect(1).peer
TABLE = "8.8.8.0\t8.8.8.255\t15169\tUS\tGOOGLE\n"


def choice(identity: Identity | None = None, **settings: object) -> Providers:
    clock = SystemClock()
    ground = Ground(clock, seeded_rng(1), EventBus(clock), Waits(clock))
    transport = make_transport(make_network(), "me")
    hub = SimpleNamespace(domain=HubDomain(1, bytes(20)), clock=clock)
    return choice_of(
        load_config(settings, {}, None),
        "/quire/replica/1.0.0",
        identity or make_identity(),
        ground,
        transport,
        SimpleNamespace(),
        Requests(transport),
        hub,
        MemoryJournal(clock),
    )


async def test_providers_of_the_setting_are_known_from_the_start() -> None:
    made = choice(providers=[f"/ip4/127.0.0.1/tcp/8070/p2p/{PEER}"])
    await made.start()
    known = made.book.get(PEER)
    await made.stop()
    assert known is not None
    assert known.is_listed
    assert known.addresses == ("/ip4/127.0.0.1/tcp/8070",)


async def test_a_table_of_autonomous_systems_counts(tmp_path) -> None:
    table = tmp_path / "ip2asn.tsv"
    table.write_text(TABLE)
    made = choice(**{"asn-table": str(table)})
    known = made.book.note(PEER, ["/ip4/8.8.8.8/tcp/1"])
    assert made.book.prospect(known, offer(1)).asns == (15169,)
    without = choice()
    known = without.book.note(PEER, ["/ip4/8.8.8.8/tcp/1"])
    assert without.book.prospect(known, offer(1)).asns == ()


@pytest.mark.parametrize(
    "settings",
    [
        {"providers": ["/ip4/127.0.0.1/tcp/8070"]},
        {"providers": ["nobody"]},
        {"asn-table": "/nowhere/at/all.tsv"},
        {"asn-table": __file__},
    ],
)
def test_what_cannot_be_meant_is_refused_before_the_node_starts(settings) -> None:
    with pytest.raises(BadConfig):
        choice(**settings)


def test_a_nodes_secret_is_its_own_and_the_same_at_each_start() -> None:
    one, other = make_identity(), make_identity()
    assert selection_secret(one) == selection_secret(Identity.of(one.private_key))
    assert selection_secret(one) != selection_secret(other)
    assert one.private_key not in selection_secret(one)
