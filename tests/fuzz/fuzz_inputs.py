"""Fuzz what comes with a request beside its body: path, query and headers that say what it is."""

import types
from collections.abc import Callable

from multidict import CIMultiDict, MultiDict

from quire.base.errors import InputError
from quire.faces.rest import events, inputs
from quire.faces.rest.identity import _addresses
from quire.faces.rest.reply import Plain
from quire.faces.rest.retention import decode_target
from quire.formats.names import check_filename, is_mimetype

VECTORS = ("names.json", "multiaddr.json")
NODE = types.SimpleNamespace(
    config=types.SimpleNamespace(request_timeout=30.0),
    profile=types.SimpleNamespace(block_size=65536),
)
QUERIES = ("timeout", "blockSize", "mimetype", "filename", "since", "switch", "ttl")
SEEDS = (
    b"10s",
    b"65536",
    b"text/plain; charset=utf-8",
    b"multipart/form-data; boundary=x",
    b'attachment; filename="a.txt"',
    b"true",
    b'{"cid": "zDvZRwzmDVNWU1125VzSjro9c7jtZPjWev2fbBD9wNAJcM8PVLTg"}',
    b'{"more": ' + b"[" * 2000,
)


def check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for request in (
        _request(MultiDict((name, text) for name in QUERIES), CIMultiDict()),
        _request(
            MultiDict(),
            CIMultiDict(
                (n, text) for n in ("Content-Type", "Content-Disposition", "Last-Event-ID")
            ),
        ),
    ):
        _check_request(request)
    number = _read(inputs.whole_of, text, "n", 5, 500)
    assert number is None or 5 <= number <= 500
    assert all(address.startswith("/") for address in _addresses([text]))
    _read(decode_target, data)


def _check_request(request: types.SimpleNamespace) -> None:
    seconds = _read(inputs.timeout_of, request, NODE)
    assert seconds is None or 0 < seconds <= inputs.MAX_TIMEOUT_SECONDS
    size = _read(inputs.block_size_of, request, NODE)
    assert size is None or (size & (size - 1) == 0 and 4096 <= size <= 524288)
    mimetype = _read(inputs.mimetype_of, request)
    assert mimetype is None or is_mimetype(mimetype)
    name = _read(inputs.filename_of, request)
    if name is not None:
        check_filename(name)
    assert _read(inputs.is_wanted, request, "switch") in (None, True, False)
    serial = _read(events._last_serial, request)
    assert serial is None or 0 <= serial < 1 << 63


def _request(query: MultiDict, headers: CIMultiDict) -> types.SimpleNamespace:
    return types.SimpleNamespace(query=query, headers=headers)


def _read(read: Callable, *arguments: object):
    """What is read, None when it is refused in one of the two ways there are."""
    try:
        return read(*arguments)
    except (InputError, Plain):
        return None


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
