"""Fuzz the file of remembered peers: what is read are peers that can be dialled."""

from quire.base.errors import BadEncoding
from quire.formats.multiaddr import Multiaddr
from quire.net.peerbook import MAX_ADDRESSES, _decode

_PEER = b"16Uiu2HAkvnTcP2AQX8KQPkqFNq7gKjCkSmHo6ZzCbWQyuCf6NtVp"
VECTORS = ()
SEEDS = (
    b'{"version":1,"peers":[]}',
    b'{"version":1,"peers":[{"peer":"' + _PEER + b'","addresses":["/ip4/1.2.3.4/tcp/8070"],'
    b'"seen_at":1.5}]}',
)


def check(data: bytes) -> None:
    try:
        entries = _decode(data)
    except BadEncoding:
        return
    for entry in entries:
        assert 0 < len(entry.addresses) <= MAX_ADDRESSES
        assert all(Multiaddr.parse(address) for address in entry.addresses)


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
