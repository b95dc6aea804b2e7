"""Fuzz `parse_asn_table`: it reads a table or says which line is none."""

import ipaddress

from quire.base.errors import BadConfig
from quire.point.asn_table import ASN_MAX, parse_asn_table

VECTORS = ()
SEEDS = (
    b"1.0.0.0\t1.0.0.255\t13335\tUS\tNAME\n",
    b"# none\n\n8.8.8.0\t8.8.8.255\t15169\n2001:4860::\t2001:4860:ffff::\t15169\n",
    b"1.0.1.0\t1.0.3.255\t0\tNone\tNot routed\n",
)
ADDRESSES = [ipaddress.ip_address(text) for text in ("1.0.0.7", "8.8.8.8", "2001:4860::1")]


def check(data: bytes) -> None:
    try:
        table = parse_asn_table(data.decode("utf-8", "replace"))
    except BadConfig:
        return
    assert len(table) <= len(data)
    for address in ADDRESSES:
        found = table.asn_of(address)
        assert found is None or 0 < found <= ASN_MAX


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
