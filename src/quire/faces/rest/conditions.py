"""Conditional requests on content that never changes: its entity tag is its CID (RFC 9110 13)."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from multidict import CIMultiDictProxy

_TAGS = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\U0010ffff]*)"')

Verdict: TypeAlias = Literal["serve", "unchanged", "failed"]


def verdict(headers: CIMultiDictProxy[str], etag: str) -> Verdict:
    """What If-Match and If-None-Match say about a representation that exists, in their order."""
    wanted = headers.getall("If-Match", [])
    if wanted and not _names(wanted, etag, allow_weak=False):
        return "failed"
    known = headers.getall("If-None-Match", [])
    return "unchanged" if known and _names(known, etag, allow_weak=True) else "serve"


def range_counts(headers: CIMultiDictProxy[str], etag: str) -> bool:
    """Whether a Range header is to be followed: there is no If-Range, or it is this very tag.
    There are no dates here that it could be compared with."""
    given = headers.getall("If-Range", [])
    return not given or [value.strip() for value in given] == [etag]


def _names(lines: list[str], etag: str, *, allow_weak: bool) -> bool:
    """Whether a list of tags has `etag`; a `*` has every tag."""
    for line in lines:
        if line.strip() == "*":
            return True
        for weak, tag in _TAGS.findall(line):
            if f'"{tag}"' == etag and (allow_weak or not weak):
                return True
    return False
