"""Networks differ in data, not in code."""

import pytest

from quire.base.errors import BadConfig
from quire.chain.abi import parse_address
from quire.chain.deployment import ADDRESSES
from quire.node.profile import decode_profile, load_profile, profile_names

GOOD = """
name = "mine"
brand = "mine"
agent = "Mine"
rest-bases = ["/api/mine/v1"]
[protocols]
exchange = "/mine/exchange/1.0.0"
kad = "/mine/kad/1.0.0"
blockexc = ["/mine/blockexc/1.0.0", "/yours/blockexc/1.0.0"]
trimmed = ["/yours/blockexc/1.0.0"]
"""


def test_the_profiles_that_come_with_quire_are_valid():
    assert profile_names() == ["archivist", "codex", "promethei", "quire"]
    for name in profile_names():
        profile = load_profile(name)
        assert profile.name == name
        ids = profile.protocols.blockexc
        assert ids[0] == f"/{profile.brand}/blockexc/1.0.0"
        assert sorted(ids) == [f"/{n}/blockexc/1.0.0" for n in ("archivist", "codex", "promethei")]
        assert set(profile.protocols.trimmed) == set(ids) - {"/codex/blockexc/1.0.0"}


def test_block_sizes_and_bases_are_those_of_the_networks():
    assert load_profile("promethei").block_size == 131072
    assert load_profile("quire").rest_bases == ("/api/codex/v1",)
    assert load_profile("archivist").rest_bases[0] == "/api/archivist/v1"


def test_every_network_knows_the_contract_of_a_local_chain():
    for name in profile_names():
        chain = load_profile(name).chain
        assert chain.contracts["31337"] == "0x322813Fd9A801c5507c9de605d63CEA4f2CE6c44"
        assert parse_address(chain.hubs["31337"]) == ADDRESSES["ChannelHub"]
        assert parse_address(chain.bonds["31337"]) == ADDRESSES["SubmissionBonds"]
    assert len(load_profile("codex").chain.contracts) == 4


def test_a_file_is_a_profile_too(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(GOOD)
    assert load_profile(str(file)).block_size == 65536


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "mine"', ""),
        ('brand = "mine"', "brand = 5"),
        ('agent = "Mine"', 'agent = "Mine"\nsurprise = 1'),
        ('"/api/mine/v1"', '"api/mine/v1"'),
        ('"/api/mine/v1"', '"/api/mine/v1/"'),
        ("[protocols]", "block-size = 65537\n[protocols]"),
        ("[protocols]", "block-size = 2048\n[protocols]"),
        ("[protocols]", "block-size = 1048576\n[protocols]"),
        ("[protocols]", "[protocol]"),
        ("exchange", "exchanges"),
        ('trimmed = ["/yours', 'trimmed = ["/theirs'),
        ("[protocols]", '[chain]\ndialect = "vault"\n[protocols]'),
        ("[protocols]", '[chain]\nkey-hash = "ab"\n[protocols]'),
        (
            "[protocols]",
            '[chain.contracts]\n0 = "0x322813Fd9A801c5507c9de605d63CEA4f2CE6c44"\n[protocols]',
        ),
        (
            "[protocols]",
            '[chain.contracts]\nmain = "0x322813Fd9A801c5507c9de605d63CEA4f2CE6c44"\n[protocols]',
        ),
        (
            "[protocols]",
            '[chain.contracts]\n1 = "0x322813fd9A801c5507c9de605d63CEA4f2CE6c44"\n[protocols]',
        ),
        (
            "[protocols]",
            '[chain.hubs]\n1 = "0x322813fd9A801c5507c9de605d63CEA4f2CE6c44"\n[protocols]',
        ),
        ("[protocols]", '[chain.bonds]\n1 = "0x32"\n[protocols]'),
    ],
)
def test_a_profile_that_is_not_whole_is_refused(old, new):
    assert old in GOOD
    with pytest.raises(BadConfig, match="mine"):
        decode_profile(GOOD.replace(old, new, 1), "mine")


@pytest.mark.parametrize("name", ["nothing", "../quire", "/does/not/exist.toml", ""])
def test_a_profile_that_does_not_exist_is_refused(name):
    with pytest.raises(BadConfig):
        load_profile(name)
