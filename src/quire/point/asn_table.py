"""Which autonomous system an IP address belongs to, from a table that the user has.

The format is that of the free tables of ip2asn: a line for each range, its columns separated by
tabs: first address, last address, number of the system; what follows is not read. Ranges do not
overlap; systems numbered 0 are not routed and count as none. IPv6 ranges are told apart by their
first 64 bits.

Source   point.md 5.2, 2
"""

from __future__ import annotations

import ipaddress
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from quire.base.errors import BadConfig
from quire.point.networks import Ip, public_ips

ASN_MAX = (1 << 32) - 1
_IPV6_SHIFT = 64


@dataclass(frozen=True, slots=True)
class _Ranges:
    """Sorted by their first address; 20 bytes each."""

    firsts: array[int]
    lasts: array[int]
    numbers: array[int]

    def find(self, place: int) -> int | None:
        index = bisect_right(self.firsts, place) - 1
        if index < 0 or place > self.lasts[index]:
            return None
        return self.numbers[index]


class AsnTable:
    """Half a million ranges take 10 MB."""

    def __init__(self, rows: Iterable[tuple[int, int, int, int]]) -> None:
        """Rows: version (4 or 6), first and last address, number."""
        rows = sorted(rows)
        self._ranges = {version: _ranges(rows, version) for version in (4, 6)}

    def __len__(self) -> int:
        return sum(len(ranges.firsts) for ranges in self._ranges.values())

    def asn_of(self, ip: Ip) -> int | None:
        """None where the table has nothing of it."""
        return self._ranges[ip.version].find(_place(ip))

    def asns_of(self, addresses: Iterable[str]) -> tuple[int, ...]:
        """Of the public addresses among these multiaddresses, each once."""
        found = (self.asn_of(ip) for ip in public_ips(addresses))
        return tuple(dict.fromkeys(asn for asn in found if asn is not None))


def parse_asn_table(text: str) -> AsnTable:
    """Raises BadConfig, which names the line."""
    return AsnTable(_rows(text))


def _rows(text: str) -> Iterator[tuple[int, int, int, int]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            first_text, last_text, asn_text = line.split("\t")[:3]
            first, last = ipaddress.ip_address(first_text), ipaddress.ip_address(last_text)
            asn = int(asn_text)
        except ValueError:
            raise BadConfig(
                f"line {number} of the table of autonomous systems, {line[:80]!r}, is not: first "
                "address, tab, last address, tab, number"
            ) from None
        if first.version != last.version or _place(first) > _place(last):
            raise BadConfig(f"line {number} of the table of autonomous systems is no range")
        if not 0 <= asn <= ASN_MAX:
            raise BadConfig(f"line {number}: {asn} is no number of an autonomous system")
        if asn:
            yield first.version, _place(first), _place(last), asn


def _place(ip: Ip) -> int:
    return int(ip) if ip.version == 4 else int(ip) >> _IPV6_SHIFT


def _ranges(rows: list[tuple[int, int, int, int]], version: int) -> _Ranges:
    of = [row for row in rows if row[0] == version]
    return _Ranges(
        array("Q", (row[1] for row in of)),
        array("Q", (row[2] for row in of)),
        array("L", (row[3] for row in of)),
    )
