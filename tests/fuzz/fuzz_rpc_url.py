"""Fuzz `connect`: an address of a chain's node is shown as one, without what may be secret."""

from urllib.parse import urlsplit

from quire.base.errors import BadConfig
from quire.chain.rpc import connect

VECTORS = ()
SEEDS = (
    b"ws://127.0.0.1:8545",
    b"http://user:secret@[fe80::1%25eth0]:80/path?key=secret#part",
    b"wss://mainnet.example/v3/0123456789abcdef",
    b"https://EXAMPLE.org:65536",
    b"https://name@example.org@:1",
    b"ftp://127.0.0.1:8545",
)


def check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    try:
        shown = connect(text).shown_url
    except BadConfig:
        return
    assert shown.isprintable()
    assert connect(shown).shown_url == shown
    parts = urlsplit(shown)
    assert parts.hostname
    assert (parts.username, parts.password, parts.path, parts.query) == (None, None, "", "")


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
