"""What a provider's settings mean, and what is refused before anything is opened."""

from __future__ import annotations

import pytest

from quire.base.errors import BadConfig
from quire.base.units import MIB
from quire.node.build import build_node
from quire.node.config import NodeConfig
from quire.node.retail_providing import provider_settings


def config(tmp_path, **settings):
    chain = {"persistence": True, "eth_private_key": tmp_path / "none"}
    return NodeConfig(data_dir=tmp_path / "data", **(chain | settings))


def test_a_node_keeps_no_replicas_unless_told_to(tmp_path):
    assert provider_settings(config(tmp_path)) is None


def test_settings_are_the_terms_of_its_offers(tmp_path):
    found = provider_settings(
        config(
            tmp_path,
            provider=True,
            retail_price=7,
            retail_get_price=8,
            retail_put_price=9,
            retail_space=100 * MIB,
            retail_term=3600.0,
            retail_credit=2 * MIB,
            operator="Müller & Söhne",
        )
    )
    assert found is not None
    assert (found.price_byte_second, found.price_get_byte, found.fee_put_byte) == (7, 8, 9)
    assert (found.space_bytes, found.max_seconds, found.credit_bytes) == (100 * MIB, 3600, 2 * MIB)
    assert found.operator.decode() == "Müller & Söhne"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"operator": "x" * 65}, "65 bytes, at most 64"),
        ({"retail_term": 0.5}, "at least 1 s"),
        ({"persistence": False}, "needs a chain"),
    ],
)
async def test_what_cannot_be_offered_is_refused_early(tmp_path, settings, words):
    with pytest.raises(BadConfig, match=words):
        await build_node(config(tmp_path, provider=True, **settings))
    assert not (tmp_path / "data").exists()
