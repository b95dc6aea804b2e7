"""Fuzz `Fields`: values lie inside the message and the limits hold."""

from quire.base.errors import BadEncoding
from quire.formats.protobuf import Fields

VECTORS = ("manifest.json", "blockexc.json", "merkle.json")


def check(data: bytes) -> None:
    try:
        fields = Fields(data, max_bytes=4096, max_fields=50)
    except BadEncoding:
        return
    assert len(data) <= 4096
    assert sum(len(blob) for number in range(100) for blob in fields.blobs(number)) <= len(data)
    for number in range(20):
        try:
            fields.int32(number)
            fields.text(number)
        except BadEncoding:
            continue


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
