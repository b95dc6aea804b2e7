"""What an aggregator's settings mean, and what is refused before anything is opened."""

from __future__ import annotations

import pytest

from quire.base.errors import BadConfig
from quire.base.units import GIB
from quire.formats.aggregator_codes import Service
from quire.node.aggregating import with_services
from quire.node.aggregation_settings import aggregator_settings, via_of
from quire.node.build import build_node
from quire.node.config import NodeConfig
from support.prospects import prospect

PEER = prospect(1).peer


def config(tmp_path, **settings):
    chain = {"persistence": True, "eth_private_key": tmp_path / "none"}
    return NodeConfig(data_dir=tmp_path / "data", **(chain | settings))


def test_a_node_is_no_aggregator_unless_told_to(tmp_path):
    assert aggregator_settings(config(tmp_path)) is None


def test_settings_are_the_terms_of_its_offers(tmp_path):
    found = aggregator_settings(
        config(
            tmp_path,
            aggregator=True,
            aggregator_services=("submit", "encode", "submit"),
            aggregator_encode_price=7,
            aggregator_first_share=80,
            aggregator_prove_price=8,
            aggregator_submit_price=9,
            aggregator_bond=10,
            aggregator_max_size=GIB,
            aggregator_jobs=3,
        )
    )
    assert found is not None
    assert found.services == (Service.SUBMIT, Service.ENCODE)
    assert (found.encode_price, found.first_percent) == (7, 80)
    assert (found.prove_price, found.submit_price, found.bond) == (8, 9, 10)
    assert (found.max_bytes, found.jobs) == (GIB, 3)


def test_without_names_all_that_can_be_done_is_offered(tmp_path):
    settings = aggregator_settings(config(tmp_path, aggregator=True))
    assert settings is not None
    problems = {Service.PROVE: "no key"}
    assert with_services(settings, problems).services == (Service.ENCODE, Service.SUBMIT)
    assert with_services(settings, {}).services == tuple(Service)


def test_what_is_named_and_cannot_be_done_is_refused_in_words(tmp_path):
    settings = aggregator_settings(
        config(tmp_path, aggregator=True, aggregator_services=("encode", "prove"))
    )
    assert settings is not None
    with pytest.raises(BadConfig, match="cannot offer prove: there is no key"):
        with_services(settings, {Service.PROVE: "there is no key"})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"aggregator": True, "aggregator_services": ("cook",)}, "there are encode, prove, submit"),
        ({"aggregator": True, "aggregator_first_share": 101}, "101 is more than 100"),
        ({"aggregator": True, "persistence": False}, "needs a chain"),
        ({"check_confidence": 0.3}, "0.5 to 0.999999999 would work"),
        ({"aggregators": ("nobody",)}, "names no peer"),
        ({"prove_via": ("nobody",)}, "prove-via: .*names no peer"),
        ({"submit_via": ("auto", PEER)}, "auto, which is everybody, or names peers"),
        ({"prove_via": ("auto",), "persistence": False}, "prove-via orders of aggregators"),
        ({"submit_via": (PEER,), "persistence": False}, "submit-via orders of aggregators"),
    ],
)
async def test_what_makes_no_sense_is_refused_before_anything_is_opened(tmp_path, settings, words):
    (tmp_path / "none").write_text("11" * 32)
    (tmp_path / "none").chmod(0o600)
    with pytest.raises(BadConfig, match=words):
        await build_node(config(tmp_path, **settings))
    assert not (tmp_path / "data").exists()


def test_auto_is_everybody_and_nothing_is_nobody():
    assert via_of((), "x") is None
    auto, named = via_of(("auto",), "x"), via_of((PEER,), "x")
    assert (auto and auto.peers, named and named.peers) == ((), (PEER,))
