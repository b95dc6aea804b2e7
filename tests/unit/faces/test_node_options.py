"""`quire node` takes its options in the reference's syntax too."""

import click
import pytest

from quire.faces.cli.node_options import NodeCommand, given, node_options
from quire.node.config_load import load_config
from quire.node.reference_options import ALIASES, WITHOUT_EFFECT


def parsed(*args):
    """What `quire node` would be told by these arguments."""
    command = NodeCommand("node", params=node_options())
    with command.make_context("node", list(args)) as context:
        return given(context.params)


@pytest.mark.parametrize(
    ("args", "field", "value"),
    [
        (["--storage-quota=1gb"], "storage_quota", 1 << 30),
        (["--storage-quota:1.5g"], "storage_quota", 3 << 29),
        (["--storage-quota", "10"], "storage_quota", 10),
        (["-q:1k"], "storage_quota", 1024),
        (["-q=1k"], "storage_quota", 1024),
        (["-q", "1k"], "storage_quota", 1024),
        (["--block-ttl:10m"], "block_ttl", 600.0),
        (["--block-mi=2w"], "block_mi", 1209600.0),
        (["--metrics"], "metrics", True),
        (["--metrics:false"], "metrics", False),
        (["--metrics=true", "--mdns"], "mdns", True),
        (["--listen-addrs=/ip4/1.2.3.4/tcp/5"], "listen", ("/ip4/1.2.3.4/tcp/5",)),
        (["--listen-addrs:/ip4/1.2.3.4/tcp/5"], "listen", ("/ip4/1.2.3.4/tcp/5",)),
        (["-b", "spr:a", "-b:spr:b"], "bootstrap", ("spr:a", "spr:b")),
        (["--bootstrap-node=spr:a"], "bootstrap", ("spr:a",)),
        (["--api-cors-origin=*"], "api_cors_origin", ("*",)),
        (["--api-cors-origin", "http://a:1"], "api_cors_origin", ("http://a:1",)),
    ],
)
def test_both_ways_of_writing_are_understood(args, field, value):
    assert getattr(load_config(parsed(*args), {}, None), field) == value


def test_the_reference_s_options_are_options():
    names = {option for o in node_options() for option in o.opts}
    assert {f"--{name}" for name in (*ALIASES, *WITHOUT_EFFECT)} <= names
    assert parsed("-u", "8090", "--cache-size:5", "-c=6") == {
        "disc-port": "8090",
        "cache-size": "6",
    }


def test_the_reference_s_sub_commands_are_taken():
    given = parsed("--storage-quota=1g", "persistence", "--eth-provider:ws://x:1", "prover")
    assert given == {"storage-quota": "1g", "persistence": "true", "eth-provider": "ws://x:1"}
    assert parsed("--persistence", "--validator=false") == {
        "persistence": "true",
        "validator": "false",
    }


@pytest.mark.parametrize("args", [["--no-such=1"], ["--no-such:1"], ["word"], ["-x:1"]])
def test_what_is_no_option_is_a_usage_error(args):
    with pytest.raises(click.UsageError):
        parsed(*args)
