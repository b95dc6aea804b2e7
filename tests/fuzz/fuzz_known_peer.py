"""Fuzz `parse_known_peer`: bootstrap texts give a peer with an address or a `BadConfig`."""

from quire.base.errors import BadConfig
from quire.formats.peer_id import decode_peer_id
from quire.net.known_peer import parse_known_peer

VECTORS = ("multiaddr.json", "peer_record.json")
SEEDS = (b"/ip4/1.2.3.4/tcp/8070/p2p/16Uiu2HAkvnTcP2AQX8KQPkqFNq7gKjCkSmHo6ZzCbWQyuCf6NtVp",)


def check(data: bytes) -> None:
    try:
        known = parse_known_peer(data.decode("utf-8", "surrogateescape"))
    except BadConfig:
        return
    assert known.addresses
    assert decode_peer_id(known.peer)


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
