"""Fuzz what is read of a request before its handler: who asks, from which page, under which id."""

import base64
import random
import types

from opentelemetry.sdk.trace import TracerProvider

from quire.base.errors import QuireError
from quire.faces.rest.guard import Guard
from quire.faces.rest.observe import request_name
from quire.faces.rest.reply import Plain
from quire.node.tracing import Tracing

VECTORS = ()
TOKEN = "a-token-of-some-length"
HOST = "127.0.0.1:8080"
GUARDS = [
    Guard(TOKEN, origins, frozenset())
    for origins in ((), ("https://a.example", "b.example", "c.example:81"))
]
TRACING = Tracing(TracerProvider(shutdown_on_exit=False))
REQUEST = types.SimpleNamespace(host=HOST)
SEEDS = (
    f"Bearer {TOKEN}".encode(),
    b"Basic " + base64.b64encode(f"user:{TOKEN}".encode()),
    b"https://a.example",
    b"http://b.example:99",
    b"http://[::1]:8080",
    f"http://{HOST}".encode(),
    b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"8f3c2a-request:1.0",
    b"null",
)


def check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for guard in GUARDS:
        _check_token(guard, text)
        if guard._may_change(REQUEST, [text]):
            assert any(name in text.lower() for name in (HOST, "a.ex", "b.ex", "c.ex")), text
        assert not guard._may_change(REQUEST, [text, "http://evil.example"])
    name = request_name(text, random.Random(1))
    assert 0 < len(name) <= 64
    assert name.isascii()
    assert name.isprintable()
    context = TRACING.begin("http.request", None, text, {}).span.get_span_context()
    assert context.is_valid


def _check_token(guard: Guard, text: str) -> None:
    try:
        guard._check_token(text)
    except Plain as refused:
        found = refused
    else:
        assert text.lower().startswith(("bearer ", "basic "))
        assert TOKEN in text or TOKEN.encode() in base64.b64decode(text.partition(" ")[2])
        return
    assert found.status == 401
    assert isinstance(found.error, QuireError)


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
