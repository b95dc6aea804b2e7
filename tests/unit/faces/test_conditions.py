"""Conditional requests and Accept headers, by the letter of RFC 9110."""

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from quire.faces.rest.accept import asks_for, preferred_type
from quire.faces.rest.conditions import range_counts, verdict
from quire.faces.rest.disposition import disposition, may_be_shown

ETAG = '"zDvA"'


def headers(**given):
    pairs = [(name.replace("_", "-"), value) for name, value in given.items()]
    return CIMultiDictProxy(CIMultiDict(pairs))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "serve"),
        ({"If_None_Match": ETAG}, "unchanged"),
        ({"If_None_Match": f"W/{ETAG}"}, "unchanged"),
        ({"If_None_Match": f'"x", {ETAG}'}, "unchanged"),
        ({"If_None_Match": "*"}, "unchanged"),
        ({"If_None_Match": '"zDvAB"'}, "serve"),
        ({"If_None_Match": "zDvA"}, "serve"),  # not a tag
        ({"If_None_Match": '"x'}, "serve"),
        ({"If_Match": ETAG}, "serve"),
        ({"If_Match": "*"}, "serve"),
        ({"If_Match": f'"x" , {ETAG}'}, "serve"),
        ({"If_Match": '"x"'}, "failed"),
        ({"If_Match": f"W/{ETAG}"}, "failed"),  # weak tags never match strongly
        ({"If_Match": ""}, "failed"),
        ({"If_Match": '"x"', "If_None_Match": ETAG}, "failed"),
        ({"If_Match": ETAG, "If_None_Match": ETAG}, "unchanged"),
    ],
)
def test_conditions(given, expected):
    assert verdict(headers(**given), ETAG) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, True),
        ({"If_Range": ETAG}, True),
        ({"If_Range": f"W/{ETAG}"}, False),
        ({"If_Range": '"x"'}, False),
        ({"If_Range": "Sat, 29 Oct 1994 19:43:31 GMT"}, False),
        ({"If_Range": f"{ETAG}, {ETAG}"}, False),
    ],
)
def test_if_range(given, expected):
    assert range_counts(headers(**given), ETAG) is expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", ""),
        ("text/plain", "text/plain"),
        ("text/plain, application/json", "text/plain"),
        ("application/json, text/plain", "application/json"),
        ("text/plain;q=0.5, application/json;q=0.9", "application/json"),
        ("Text/Plain ; Q=1", "text/plain"),
        ("text/plain;q=high, */*;q=0.1", "*/*"),
    ],
)
def test_the_preferred_type(accept, expected):
    assert preferred_type(accept) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/problem+json", True),
        ("text/html, application/problem+json;q=0.1", True),
        ("application/problem+json;q=0", False),
        ("application/json", False),
        ("*/*", False),
        ("x-application/problem+json", False),
    ],
)
def test_a_type_counts_only_when_it_is_named(accept, expected):
    assert asks_for(accept, "application/problem+json") is expected


@pytest.mark.parametrize(
    "media_type", ["image/png", "IMAGE/JPEG", "video/mp4", "audio/ogg", "text/plain"]
)
def test_safe_types_may_be_shown(media_type):
    assert may_be_shown(media_type)


@pytest.mark.parametrize(
    "media_type",
    ["text/html", "image/svg+xml", "text/xml", "application/xhtml+xml", "application/json",
     "text/javascript", "image/pngx", "text/plainx", ""],
)  # fmt: skip
def test_types_that_could_run_something_may_not(media_type):
    assert not may_be_shown(media_type)


def test_inline_keeps_the_name():
    assert disposition("a/é.png", inline=True) == (
        "inline; filename=\"_.png\"; filename*=UTF-8''%C3%A9.png"
    )
