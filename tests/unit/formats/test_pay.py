"""Messages of payment: what is sent is what is read, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.base.errors import BadEncoding
from quire.formats.pay import (
    MAX_MEMO_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_SIGNATURE_BYTES,
    MAX_SUM,
    MAX_TEXT_BYTES,
    PayAnswer,
    PayRequest,
    decode_pay_answer,
    decode_pay_request,
)
from quire.formats.protobuf import bytes_field, uint_field
from quire.formats.replica_codes import Code

PAYER, PAYEE = bytes(range(20)), bytes(range(20, 40))
SIGNATURE = bytes(range(100, 165))

SUMS = st.one_of(st.integers(0, 300), st.integers(0, MAX_SUM))
REQUESTS = st.builds(
    PayRequest,
    st.binary(min_size=20, max_size=20),
    st.binary(min_size=20, max_size=20),
    SUMS,
    st.binary(max_size=80),
    st.text(max_size=60),
)
ANSWERS = st.builds(
    PayAnswer,
    SUMS,
    st.sampled_from(list(Code)),
    st.text(max_size=80),
    st.binary(max_size=80),
    SUMS,
    st.booleans(),
)


@given(REQUESTS)
def test_a_request_comes_back(request_):
    assert decode_pay_request(request_.encode()) == request_


@given(ANSWERS)
def test_an_answer_comes_back(answer):
    assert decode_pay_answer(answer.encode()) == answer


def test_the_fields_are_those_of_the_specification():
    message = PayRequest(PAYER, PAYEE, 258, SIGNATURE, "m").encode()
    assert message.hex() == (
        "0a14"
        + PAYER.hex()
        + "1214"
        + PAYEE.hex()
        + "1a020102"
        + "2241"
        + SIGNATURE.hex()
        + "2a016d"
    )
    assert PayAnswer(258).encode()[:4].hex() == "0a020102"


def test_the_largest_voucher_and_unknown_fields_are_read():
    request = PayRequest(PAYER, PAYEE, MAX_SUM, SIGNATURE, "x" * MAX_MEMO_BYTES)
    assert decode_pay_request(request.encode() + uint_field(99, 7)) == request


def test_a_text_that_is_too_long_is_cut_between_letters():
    answer = decode_pay_answer(PayAnswer(0, Code.REFUSED, "ä" * MAX_TEXT_BYTES).encode())
    assert answer.text == "ä" * (MAX_TEXT_BYTES // 2)


def test_a_signature_shows_in_no_repr():
    for message in (PayRequest(PAYER, PAYEE, 1, SIGNATURE), PayAnswer(1, signature=SIGNATURE)):
        assert repr(SIGNATURE)[2:12] not in repr(message)


def request_with(**changes: bytes) -> bytes:
    fields = {
        "payer": bytes_field(1, PAYER),
        "payee": bytes_field(2, PAYEE),
        "cumulative": bytes_field(3, b"\x07"),
        "sig": bytes_field(4, SIGNATURE),
        "memo": bytes_field(5, b"a/0"),
    }
    return b"".join((fields | changes).values())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        request_with(payer=b""),
        request_with(payee=b""),
        request_with(payer=bytes_field(1, PAYER[1:])),
        request_with(payee=bytes_field(2, PAYEE + b"\0")),
        request_with(cumulative=bytes_field(3, b"\x01" + bytes(16))),
        request_with(cumulative=bytes_field(3, b"\x00\x01")),
        request_with(cumulative=bytes_field(3, bytes(33))),
        request_with(sig=bytes_field(4, bytes(MAX_SIGNATURE_BYTES + 1))),
        request_with(memo=bytes_field(5, b"x" * (MAX_MEMO_BYTES + 1))),
        request_with(memo=bytes_field(5, b"\xff")),
        request_with()[:-1],
        request_with() + b"\xff",
        request_with() + bytes_field(9, bytes(MAX_MESSAGE_BYTES)),
    ],
)
def test_what_is_no_request_is_refused(data):
    with pytest.raises(BadEncoding):
        decode_pay_request(data)


@pytest.mark.parametrize(
    "data",
    [
        uint_field(2, 18),
        uint_field(2, 1 << 32),
        bytes_field(1, b"\x01" + bytes(16)),
        bytes_field(1, b"\x00"),
        bytes_field(3, b"\xff"),
        bytes_field(3, b"x" * (MAX_TEXT_BYTES + 1)),
        bytes_field(4, bytes(MAX_SIGNATURE_BYTES + 1)),
        bytes_field(5, b"\x01" + bytes(16)),
        b"\x0a\x05\x01",
        bytes(MAX_MESSAGE_BYTES + 1),
    ],
)
def test_what_is_no_answer_is_refused(data):
    with pytest.raises(BadEncoding):
        decode_pay_answer(data)
