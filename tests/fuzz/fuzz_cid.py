"""Fuzz `Cid.decode` and `Cid.parse`: what is read is written the same."""

from quire.base.errors import BadCid
from quire.formats.cid import Cid

VECTORS = ("cid.json",)


def check(data: bytes) -> None:
    try:
        cid = Cid.decode(data)
    except BadCid:
        pass
    else:
        assert cid.encode() == data
        assert Cid.parse(str(cid)) == cid
    try:
        cid = Cid.parse(data.decode("utf-8", "surrogateescape"))
    except BadCid:
        return
    assert Cid.decode(cid.encode()) == cid


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
