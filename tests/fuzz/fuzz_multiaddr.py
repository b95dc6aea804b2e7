"""Fuzz `Multiaddr.decode` and `Multiaddr.parse`: bytes and text agree."""

from quire.base.errors import BadEncoding
from quire.formats.multiaddr import Multiaddr

VECTORS = ("multiaddr.json",)


def check(data: bytes) -> None:
    for read in (Multiaddr.decode, lambda raw: Multiaddr.parse(raw.decode("utf-8", "replace"))):
        try:
            address = read(data)
        except BadEncoding:
            continue
        assert Multiaddr.decode(address.encode()) == address
        assert Multiaddr.parse(str(address)) == address


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
