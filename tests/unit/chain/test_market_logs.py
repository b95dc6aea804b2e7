"""Events of the contract are read as the reference's contract tells them."""

from __future__ import annotations

from dataclasses import fields

import pytest

from quire.base.errors import BadEncoding
from quire.chain.block import Log
from quire.chain.events import ProofDelegateSet, SlotEvicted, SlotFreed, StorageRequested
from quire.chain.evm.logs import decode_event, events_of, topic_of
from quire.chain.values import Ask
from support.vectors import accepted, rejected


def parts_of(row) -> tuple[list[bytes], bytes]:
    return [bytes.fromhex(topic) for topic in row["topics"]], bytes.fromhex(row["hex"])


def shown(value) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Ask):
        return ",".join(str(getattr(value, f.name)) for f in fields(value))
    return str(value)


@accepted("market_events.json")
def test_an_event_is_read(row):
    event = decode_event(*parts_of(row))
    assert type(event).__name__ == row["event"]
    values = [shown(getattr(event, field.name)) for field in fields(event)]
    expected = [
        ",".join(value.values()) if isinstance(value, dict) else value
        for value in row["args"].values()
    ]
    if isinstance(event, StorageRequested):
        assert values[0] == expected[0]
        assert values[2] == expected[2]
    else:
        assert values == expected


@rejected("market_events.json")
def test_what_is_no_event_is_refused_and_passed_over_in_a_stretch(row):
    topics, data = parts_of(row)
    with pytest.raises(BadEncoding):
        decode_event(topics, data)
    assert events_of([Log(1, bytes(32), 0, bytes(20), tuple(topics), data)]) == ()


def test_events_of_others_are_passed_over():
    assert decode_event([b"\1" * 32], b"") is None
    assert decode_event([], b"") is None


def test_who_may_submit_for_whom_is_read_and_what_is_no_account_refused():
    topic, host, delegate = topic_of("ProofDelegateSet"), b"\1" * 20, b"\2" * 20
    padded = [each.rjust(32, b"\0") for each in (host, delegate)]
    yes, no = (number.to_bytes(32, "big") for number in (1, 0))
    assert decode_event([topic, *padded], yes) == ProofDelegateSet(host, delegate, True)
    assert decode_event([topic, *padded], no) == ProofDelegateSet(host, delegate, False)
    wrong = (
        ([topic, *padded], (2).to_bytes(32, "big")),
        ([topic, *padded], yes[:31]),
        ([topic, b"\1" * 32, padded[1]], yes),
        ([topic, padded[0]], yes),
    )
    for topics, data in wrong:
        with pytest.raises(BadEncoding):
            decode_event(topics, data)


def test_our_own_events_are_told_apart_from_the_reference_s():
    assert topic_of("SlotEvicted") != topic_of("SlotFreed")
    index = (3).to_bytes(32, "big")
    assert decode_event([topic_of("SlotEvicted"), b"\2" * 32], index) == SlotEvicted(b"\2" * 32, 3)
    assert decode_event([topic_of("SlotFreed"), b"\2" * 32], index) == SlotFreed(b"\2" * 32, 3)
