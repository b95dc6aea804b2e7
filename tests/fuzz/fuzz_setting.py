"""Fuzz values of settings of every kind, and arguments of `quire node` as people write them."""

from quire.base.errors import BadConfig, InputError
from quire.chain.abi import address_text, parse_address
from quire.faces.cli.node_options import _plain
from quire.node.logs import LogLevels
from quire.node.setting import PARSERS, NatSetting, parse_flag, parse_nat, parse_value

VECTORS = ()
SEEDS = (
    b"extip:203.0.113.7",
    b"any:fe80::1%eth0",
    b"none:",
    b"debug;trace:node,net;Warning:store",
    b"20g",
    b"1.5h",
    b"8080",
    b"yes",
    b"/ip4/0.0.0.0/tcp/0, /ip4/0.0.0.0/udp/0/quic-v1",
    b"--storage-quota:20g",
    b"-i:127.0.0.1",
    b"--metrics\n--cache-size=5",
    b"0x322813Fd9A801c5507c9de605d63CEA4f2CE6c44",
    b"persistence\n--eth-provider=x",
)


def check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for kind in PARSERS:
        try:
            value = parse_value(kind, text)
        except (InputError, ValueError):
            continue
        _check_value(kind, value)
    levels = LogLevels()
    try:
        levels.set(text)
    except BadConfig:
        assert levels.allows(20, "node")
        assert not levels.allows(10, "node")
    words = text.split("\n")
    assert len(_plain(words)) >= len(words) - words.count("prover")


def _check_value(kind: str, value: object) -> None:
    match kind:
        case "size" | "duration":
            assert 0 <= value < 1 << 62
        case "port":
            assert 0 <= value <= 65535
        case "count":
            assert 1 <= value <= 100_000
        case "whole":
            assert 0 <= value <= 1 << 62
        case "groups":
            assert 2 <= value <= 65535
        case "share":
            assert 0.0 < value < 1.0
        case "address":
            assert address_text(parse_address(value)) == value
        case "threads":
            assert value == 0 or 2 <= value <= 1024
        case "list":
            assert all(isinstance(each, str) and each for each in value)
        case "flag":
            assert parse_flag(value) is value
        case "nat":
            assert isinstance(value, NatSetting)
            assert parse_nat(str(value)) == value


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
