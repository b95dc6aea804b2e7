"""Fuzz conditions and Accept: any header has an answer, and the tag of the content is found."""

from multidict import CIMultiDict, CIMultiDictProxy

from quire.faces.rest.accept import asks_for, preferred_type
from quire.faces.rest.conditions import range_counts, verdict

VECTORS = ()
ETAG = '"zDvZRwzk"'
PROBLEM = "application/problem+json"
SEEDS = (
    b"*",
    b'"zDvZRwzk"',
    b'W/"zDvZRwzk", "other"',
    b'"other","zDvZRwzk',
    b"text/html;q=0.3, application/problem+json;q=0.9",
    b"application/json, */*;q=0.1",
    b"text/plain;q=nan, a/b;q=-1, c/d;q=1e400",
)


def check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    must, but = _headers("If-Match", text), _headers("If-None-Match", text)
    assert verdict(must, ETAG) in ("serve", "failed")
    assert verdict(but, ETAG) in ("serve", "unchanged")
    if verdict(must, ETAG) == "serve":  # a strong match is a weak one too
        assert verdict(but, ETAG) == "unchanged"
        assert text.strip() == "*" or ETAG in text
    assert verdict(_headers("If-Match", text, ETAG), ETAG) == "serve"
    assert verdict(_headers("If-None-Match", text, f"W/{ETAG}"), ETAG) == "unchanged"
    assert range_counts(_headers("If-Range", text), ETAG) == (text.strip() == ETAG)
    assert range_counts(but, ETAG)
    best = preferred_type(text)
    assert best == best.strip().lower()
    assert best in text.lower()
    if asks_for(text, PROBLEM):
        assert PROBLEM in text.lower()
    assert asks_for(f"{text},{PROBLEM}", PROBLEM)


def _headers(name: str, *values: str) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict([(name, value) for value in values]))


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
