"""The framing of requests and answers."""

import pytest

from quire.base.errors import BadEncoding
from quire.net.request_frames import (
    Kind,
    Refusal,
    answer_head,
    decode_answer,
    decode_request,
    request_head,
)


@pytest.mark.parametrize("seq", [1, 127, 128, (1 << 64) - 1])
def test_a_request_comes_back_as_it_was(seq):
    decoded, payload = decode_request(request_head(seq) + b"payload")
    assert (decoded, bytes(payload)) == (seq, b"payload")


@pytest.mark.parametrize("seq", [1, 300])
def test_an_answer_comes_back_as_it_was(seq):
    decoded, payload = decode_answer(answer_head(seq) + b"payload")
    assert (decoded, bytes(payload)) == (seq, b"payload")


def test_a_refusal_says_why_and_when():
    refusal = Refusal("all hands full", True, 1.5)
    assert decode_answer(answer_head(3, Kind.BUSY) + refusal.encode()) == (3, refusal)
    never = Refusal("no", False)
    assert decode_answer(answer_head(3, Kind.REFUSED) + never.encode()) == (3, never)


def test_words_of_any_length_fit():
    refusal = Refusal("ä" * 5000, False)
    _, decoded = decode_answer(answer_head(1, Kind.REFUSED) + refusal.encode())
    assert isinstance(decoded, Refusal)
    assert decoded.words == "ä" * 512


@pytest.mark.parametrize("message", [b"", b"\x80", b"\x80\x00", b"\xff" * 11])
def test_what_has_no_number_is_no_request(message):
    with pytest.raises(BadEncoding):
        decode_request(message)


@pytest.mark.parametrize(
    "message",
    [b"", b"\x01", b"\x01\x03", b"\x01\x80", b"\x01\x01\x0a\x05ab", b"\x01\x02" + b"\x0a" * 2000],
)
def test_what_has_no_known_kind_or_no_words_is_no_answer(message):
    with pytest.raises(BadEncoding):
        decode_answer(message)
