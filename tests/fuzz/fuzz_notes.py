"""Fuzz what commands read back: notes of begun transfers, errors of a node, CID/path arguments."""

from quire.base.errors import BadCap, BadCid, QuireError
from quire.faces.cli.common import parse_target
from quire.faces.cli.note import decode_note, encode_note
from quire.faces.client import error_of
from quire.formats.cap import LiteralCap
from quire.formats.cid import Cid

VECTORS = ("cid.json",)
CID = b"zDvZRwzmDVNWU1125VzSjro9c7jtZPjWev2fbBD9wNAJcM8PVLTg"
SEEDS = (
    encode_note("cid", CID.decode()),
    encode_note("upload", "0123456789abcdef"),
    b'{"cid": ["a"]}',
    b"[" * 4000,
    b'{"code": "unknown-dataset", "message": "it is not here", "facts": {"a": "b"}}',
    b'{"code": "of-a-later-version", "message": "m", "hint": "h", "facts": 5}',
    CID + b"/a/path/in it",
    CID + b"//",
    LiteralCap(b"hello").text.encode() + b"/path",
)


def check(data: bytes) -> None:
    noted = decode_note(data, "cid")
    assert noted is None or decode_note(encode_note("cid", noted), "cid") == noted
    for status in (400, 404, 507, 599):
        error = error_of(status, data)
        assert isinstance(error, QuireError)
        assert isinstance(error.message, str)
        assert error.as_dict()["message"] == error.message
        assert error.exit != 0
    try:
        target, path = parse_target(data.decode("utf-8", "surrogateescape"))
    except (BadCid, BadCap):
        return
    assert not path.startswith("/")
    text = str(target) if isinstance(target, Cid) else target.text
    assert parse_target(f"{text}/{path}") == (target, path)


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
