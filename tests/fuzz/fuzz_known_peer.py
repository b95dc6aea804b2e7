"""Fuzz `parse_known_peer` and `parse_peer`: texts give a peer, the first with an address, or a
`BadConfig`."""

from quire.base.errors import BadConfig
from quire.formats.peer_id import decode_peer_id
from quire.net.known_peer import parse_known_peer, parse_peer

VECTORS = ("multiaddr.json", "peer_record.json")
SEEDS = (b"/ip4/1.2.3.4/tcp/8070/p2p/16Uiu2HAkvnTcP2AQX8KQPkqFNq7gKjCkSmHo6ZzCbWQyuCf6NtVp",)


def check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for parse in (parse_known_peer, parse_peer):
        try:
            known = parse(text)
        except BadConfig:
            continue
        assert known.addresses or parse is parse_peer
        assert decode_peer_id(known.peer)


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
