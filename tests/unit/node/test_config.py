"""One name everywhere; flags over environment over file over defaults; no typo passes."""

import itertools
from pathlib import Path

import pytest

from quire.base.errors import BadConfig
from quire.base.units import GIB
from quire.node.config import NodeConfig, default_text, settings
from quire.node.config_load import load_config
from quire.node.reference_options import ALIASES, WITHOUT_EFFECT
from quire.node.setting import NatSetting

SOURCES = {"file": 1, "environment": 2, "flag": 3}


def load(tmp_path, **given):
    file = None
    if "file" in given:
        file = tmp_path / "quire.toml"
        file.write_text(f'storage-quota = "{given["file"]}g"\n')
    environment = (
        {"QUIRE_STORAGE_QUOTA": f"{given['environment']}g"} if "environment" in given else {}
    )
    flags = {"storage-quota": f"{given['flag']}g"} if "flag" in given else {}
    return load_config(flags, environment, file)


@pytest.mark.parametrize(
    "present", [c for n in range(4) for c in itertools.combinations(SOURCES, n)]
)
def test_flag_over_environment_over_file_over_default(tmp_path, present):
    config = load(tmp_path, **{name: SOURCES[name] for name in present})
    expected = max((SOURCES[name] for name in present), default=20)
    assert config.storage_quota == expected * GIB


def test_the_defaults_are_loopback_and_sensible():
    config = load_config({}, {}, None)
    assert config.api_bindaddr == "127.0.0.1"
    assert all(address.startswith("/ip4/127.0.0.1/") for address in config.listen)
    assert (config.block_ttl, config.request_timeout) == (30 * 86400, 30)
    assert not str(config.data_dir).startswith("~")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("storage-quota", "1.5GiB", int(1.5 * GIB)),
        ("storage-quota", 4096, 4096),
        ("block-ttl", "2h", 7200.0),
        ("block-ttl", 60, 60.0),
        ("block-ttl", "0", 0.0),
        ("api-port", "0", 0),
        ("api-port", 65535, 65535),
        ("mdns", "yes", True),
        ("mdns", False, False),
        (
            "listen",
            "/ip4/1.2.3.4/tcp/1, /ip4/1.2.3.4/tcp/2",
            ("/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4/tcp/2"),
        ),
        ("bootstrap", ["spr:a"], ("spr:a",)),
        ("data-dir", Path("/x"), Path("/x")),
        ("max-peers", "5", 5),
        ("nat", "none", NatSetting("none")),
        ("nat", "ANY", NatSetting("any")),
        ("nat", "extip:203.0.113.7", NatSetting("extip", "203.0.113.7")),
        ("nat", "extip:2001:db8::1", NatSetting("extip", "2001:db8::1")),
        ("nat", "pmp:192.168.1.1", NatSetting("pmp", "192.168.1.1")),
        ("num-threads", "2", 2),
        ("num-threads", 0, 0),
        ("workers", "ray:auto", "ray:auto"),
        ("workers", "ray:10.0.0.7:6379", "ray:10.0.0.7:6379"),
        ("workers", "ray:[fd00::7]:6379", "ray:[fd00::7]:6379"),
        ("workers", "local", "local"),
        ("worker-cores", "8", 8),
        ("log-file", "/x.log", Path("/x.log")),
        ("metrics", "on", True),
        ("api-cors-origin", "http://a.example, b.example", ("http://a.example", "b.example")),
        ("log-format", "none", "none"),
        ("check-confidence", "0.999", 0.999),
        ("check-confidence", 0.5, 0.5),
        ("aggregator-services", "encode, submit", ("encode", "submit")),
    ],
)
def test_what_people_write_is_understood(name, text, value):
    config = load_config({name: text}, {}, None)
    assert getattr(config, name.replace("-", "_")) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("storage-quota", "much"),
        ("storage-quota", -1),
        ("storage-quota", 1.5),
        ("storage-quota", True),
        ("block-ttl", "soon"),
        ("block-ttl", -1),
        ("api-port", "65536"),
        ("api-port", -1),
        ("api-port", "80a"),
        ("api-port", True),
        ("mdns", "maybe"),
        ("mdns", 1),
        ("listen", []),
        ("listen", 5),
        ("bootstrap", [5]),
        ("profile", ""),
        ("log-format", "xml"),
        ("log-format", "text"),
        ("nat", "extip"),
        ("nat", "extip:"),
        ("nat", "extip:here"),
        ("nat", "upnp:192.168.1.1"),
        ("nat", "none:"),
        ("nat", "maybe"),
        ("nat", 5),
        ("num-threads", 1),
        ("workers", "ray"),
        ("workers", "ray:"),
        ("workers", "ray:host"),
        ("workers", "ray:host:0"),
        ("workers", "ray:host:65536"),
        ("workers", "ray://host:10001"),
        ("workers", "dask:host:1"),
        ("workers", "local:2"),
        ("workers", 3),
        ("worker-cores", 0),
        ("num-threads", -1),
        ("num-threads", "4096"),
        ("block-mn", 0),
        ("metrics-port", 65536),
        ("request-timeout", 0),
        ("block-mi", "0"),
        ("max-peers", 0),
        ("data-dir", ""),
        ("check-confidence", 0),
        ("check-confidence", "1"),
        ("check-confidence", "99%"),
        ("check-confidence", "nan"),
        ("check-confidence", None),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_name(name, text):
    with pytest.raises(BadConfig, match=name):
        load_config({name: text}, {}, None)


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("storag-quota", "storage-quota"), ("listens", "listen"), ("apiport", "api-port")],
)
def test_a_name_that_does_not_exist_is_refused_with_the_nearest(tmp_path, wrong, near):
    file = tmp_path / "c.toml"
    file.write_text(f"{wrong} = 1\n")
    for given in (({wrong: "1"}, {}, None), ({}, {}, file)):
        with pytest.raises(BadConfig, match=near):
            load_config(*given)
    with pytest.raises(BadConfig, match=near):
        load_config({}, {f"QUIRE_{wrong.upper().replace('-', '_')}": "1"}, None)


def test_variables_of_the_client_are_not_settings_of_the_node():
    environment = {"QUIRE_API": "http://x", "QUIRE_TOKEN_FILE": "/t", "QUIRE_CONFIG_FILE": "/c"}
    assert load_config({}, environment | {"HOME": "/h"}, None) == load_config({}, {}, None)


@pytest.mark.parametrize("content", [b"not toml", b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_refused(tmp_path, content):
    file = tmp_path / "c.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadConfig, match=r"c\.toml"):
        load_config({}, {}, file)


def test_every_field_has_a_setting_with_a_help_text():
    assert len(settings()) == len(NodeConfig.__struct_fields__)
    assert all(s.help for s in settings().values())
    assert default_text("api-port") == "8080"
    assert default_text("mdns") == ""


REFERENCE = {  # content.md 7.2, its sub-commands' too
    *("config-file", "log-level", "log-format", "metrics", "metrics-address", "metrics-port"),
    *("data-dir", "listen-addrs", "nat", "disc-port", "net-privkey", "bootstrap-node"),
    *("max-peers", "num-threads", "agent-string", "api-bindaddr", "api-port", "api-cors-origin"),
    *("repo-kind", "storage-quota", "block-ttl", "block-mi", "block-mn", "block-retries"),
    *("cache-size", "log-file", "eth-provider", "eth-account", "eth-private-key"),
    *("marketplace-address", "validator", "validator-max-slots", "validator-groups"),
    *("validator-group-index", "reward-recipient", "simulate-proof-failures"),
    *("request-cache-size", "max-priority-fee-per-gas"),
}


def test_every_option_of_the_reference_has_a_place():
    assert REFERENCE - {"config-file"} <= {*settings(), *ALIASES, *WITHOUT_EFFECT}
    assert set(ALIASES.values()) <= set(settings())
    assert not {*ALIASES, *WITHOUT_EFFECT} & set(settings())


def test_the_reference_s_names_are_taken_from_every_source(tmp_path):
    file = tmp_path / "codex.toml"
    file.write_text('listen-addrs = ["/ip4/1.2.3.4/tcp/5"]\nstorage-quota = "1gb"\n')
    environment = {"CODEX_BLOCK_TTL": "1h", "CODEX_BOOTSTRAP_NODE": "spr:a,spr:b"}
    config = load_config({"block-mi": "10m"}, environment, file)
    assert config.listen == ("/ip4/1.2.3.4/tcp/5",)
    assert config.bootstrap == ("spr:a", "spr:b")
    assert (config.storage_quota, config.block_ttl, config.block_mi) == (GIB, 3600, 600)


def test_variables_of_quire_go_before_those_of_codex_and_of_its_forks():
    environment = {"ARCHIVIST_MAX_PEERS": "3", "CODEX_MAX_PEERS": "4"}
    assert load_config({}, environment, None).max_peers == 4
    assert load_config({}, environment | {"QUIRE_MAX_PEERS": "5"}, None).max_peers == 5
    both = {"CODEX_LISTEN_ADDRS": "/ip4/1.1.1.1/tcp/1", "QUIRE_LISTEN": "/ip4/2.2.2.2/tcp/2"}
    assert load_config({}, both, None).listen == ("/ip4/2.2.2.2/tcp/2",)


def test_variables_of_other_programs_that_begin_with_codex_are_passed_over():
    assert load_config({}, {"CODEX_HOME": "/x", "CODEX_ETH": "ws://"}, None) == (
        load_config({}, {}, None)
    )


@pytest.mark.parametrize("name", sorted(WITHOUT_EFFECT))
def test_an_option_without_effect_is_taken_with_one_line_that_says_why(name):
    said = []
    assert load_config({name: "5"}, {}, None, warn=said.append) == load_config({}, {}, None)
    (line,) = said
    assert line.startswith(f"{name} has no effect here: ")
    assert "\n" not in line


def test_settings_of_the_market_are_taken_under_the_reference_s_names():
    config = load_config(
        {
            "persistence": True,
            "eth-private-key": "/k",
            "marketplace-address": "0x322813fd9a801c5507c9de605d63cea4f2ce6c44",
            "validator-groups": "3",
            "validator-group-index": "2",
        },
        {"CODEX_ETH_PROVIDER": "ws://127.0.0.1:1"},
        None,
    )
    assert config.persistence
    assert config.eth_provider == "ws://127.0.0.1:1"
    assert config.marketplace_address == "0x322813Fd9A801c5507c9de605d63CEA4f2CE6c44"
    assert (config.validator_groups, config.validator_group_index) == (3, 2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"eth-private-key": "/k", "eth-keystore": "/s"}, "give one"),
        ({"eth-keystore": "/s"}, "belong together"),
        ({"eth-password-file": "/p"}, "belong together"),
        ({"validator-group-index": 1}, "with no validator-groups it is 0"),
        ({"validator-groups": 4, "validator-group-index": 4}, "with 4 groups it is below 4"),
        ({"validator-groups": 1}, "from 2 to 65535"),
        ({"reward-recipient": "0x12"}, "40 hexadecimal digits"),
        ({"confirmations": -1}, "whole number from 0"),
    ],
)
def test_settings_of_the_market_that_do_not_go_together_are_refused(given, said):
    with pytest.raises(BadConfig, match=said):
        load_config(given, {}, None)


def test_one_setting_under_two_names_is_refused():
    with pytest.raises(BadConfig, match="listen-addrs and listen are the same"):
        load_config({"listen": ["/a"], "listen-addrs": ["/b"]}, {}, None)
