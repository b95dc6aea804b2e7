"""Capabilities: known texts, everything that is none, and the one character that is wrong."""

import re
from dataclasses import replace

import pytest

from quire.base.errors import BadCap
from quire.formats.cap import LiteralCap, ReadCap, is_cap_text, parse_cap
from support.vectors import accepted, load, rejected

READ = load("cap.json")["accept"][0]["text"]


@accepted("cap.json")
def test_known_texts_are_read_and_written(row):
    cap = parse_cap(row["text"])
    assert cap.text == row["text"]
    assert cap.kind == row["kind"]
    assert is_cap_text(row["text"])
    if isinstance(cap, LiteralCap):
        assert cap.content.hex() == row["content"]
    else:
        found = (cap.suite, cap.flags, str(cap.cid), cap.body.hex())
        assert found == (row["suite"], row["flags"], row["cid"], row["body"])


@rejected("cap.json")
def test_other_texts_are_refused_and_one_wrong_character_is_named(row):
    with pytest.raises(BadCap) as refused:
        parse_cap(row["text"])
    named = re.match(r"character (\d+) of", refused.value.message)
    assert (int(named[1]) if named else None) == row.get("character")


@pytest.mark.parametrize("kind", "rpvl")
def test_every_place_of_a_capability_is_found_when_it_is_wrong(kind):
    text = next(row["text"] for row in load("cap.json")["accept"] if row["kind"] == kind)
    for index in range(0, len(text), 7):
        other = "b" if text[index] != "b" else "c"
        with pytest.raises(BadCap, match=rf"character {index + 1} of"):
            parse_cap(text[:index] + other + text[index + 1 :])


def test_what_is_shown_of_a_capability_or_said_of_a_bad_one_does_not_hold_its_secret():
    cap = parse_cap(READ)
    assert isinstance(cap, ReadCap)
    for shown in (repr(cap), str(cap), f"{cap}", repr([cap]), repr(replace(cap, flags=1))):
        assert cap.text[5:] not in shown
        assert cap.file_key.hex() not in shown
        assert repr(cap.file_key) not in shown
        assert str(cap.cid) in shown
    with pytest.raises(BadCap) as refused:
        parse_cap(READ[:-1] + "q")
    assert READ[6:20] not in str(refused.value.as_dict())
    assert "secret" not in repr(LiteralCap(b"secret"))
