"""The table of autonomous systems is read as it is published, and anything else is refused."""

from __future__ import annotations

import ipaddress

import pytest

from quire.base.errors import BadConfig
from quire.point.asn_table import parse_asn_table

TABLE = """1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET
8.8.8.0\t8.8.8.255\t15169\tUS\tGOOGLE
1.0.1.0\t1.0.3.255\t0\tNone\tNot routed

# what follows is IPv6
2001:4860::\t2001:4860:ffff:ffff:ffff:ffff:ffff:ffff\t15169\tUS\tGOOGLE
"""


def asn_of(address: str) -> int | None:
    return parse_asn_table(TABLE).asn_of(ipaddress.ip_address(address))


def test_an_address_is_in_the_range_that_holds_it() -> None:
    assert asn_of("1.0.0.0") == asn_of("1.0.0.255") == 13335
    assert asn_of("8.8.8.8") == 15169
    assert asn_of("2001:4860:1::8888") == 15169


def test_an_address_between_ranges_or_not_routed_is_in_none() -> None:
    assert asn_of("0.255.255.255") is None
    assert asn_of("1.0.2.1") is None
    assert asn_of("9.9.9.9") is None
    assert asn_of("2001:4861::1") is None


def test_systems_of_addresses_are_told_once_and_private_ones_never() -> None:
    table = parse_asn_table(TABLE)
    assert len(table) == 3
    addresses = ["/ip4/8.8.8.8/tcp/1", "/ip6/2001:4860::1/tcp/1", "/ip4/1.0.0.1/tcp/1"]
    assert table.asns_of([*addresses, "/ip4/127.0.0.1/tcp/1", "/ip4/9.9.9.9/tcp/1"]) == (
        15169,
        13335,
    )


@pytest.mark.parametrize(
    "line",
    [
        "1.0.0.0\t1.0.0.255",
        "1.0.0.0,1.0.0.255,13335",
        "1.0.0.0\t1.0.0.256\t13335",
        "1.0.0.255\t1.0.0.0\t13335",
        "1.0.0.0\t2001:db8::1\t13335",
        "1.0.0.0\t1.0.0.255\tAS13335",
        "1.0.0.0\t1.0.0.255\t-1",
        "1.0.0.0\t1.0.0.255\t4294967296",
    ],
)
def test_a_line_that_is_none_is_named(line: str) -> None:
    with pytest.raises(BadConfig, match="line 2"):
        parse_asn_table(f"8.8.8.0\t8.8.8.255\t15169\n{line}\n")
