"""Fuzz `decode_record` and `decode_spr`, with real signature checks and with none."""

from collections.abc import Callable

from quire.base.errors import BadEncoding
from quire.formats.peer_record import PeerRecord, decode_record, decode_spr, encode_record
from quire.kernels import signing

VECTORS = ("peer_record.json",)


def check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for verify in (signing.verify, lambda *_: True):
        _check(lambda verify=verify: decode_record(data, verify))
        _check(lambda verify=verify: decode_spr(text, verify))


def _check(read: Callable[[], PeerRecord]) -> None:
    try:
        record = read()
    except BadEncoding:
        return
    again = encode_record(record, lambda _: b"signature")
    assert decode_record(again, lambda *_: True) == record


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
