"""Requests, ids and addresses are written as the reference's contract and nodes write them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quire.base.errors import BadEncoding, InputError
from quire.chain.abi import (
    address_text,
    decode_request,
    encode_request,
    id_text,
    parse_address,
    parse_id,
    request_id,
    slot_id,
)
from quire.chain.values import Ask, Content, StorageRequest
from support.vectors import accepted, load, rejected

CLIENT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def request_of_row(row) -> StorageRequest:
    return StorageRequest(
        parse_address(row["client"]),
        Ask(*row["ask"]),
        Content(bytes.fromhex(row["cid"]), bytes.fromhex(row["merkle_root"])),
        row["expiry"],
        bytes.fromhex(row["nonce"]),
    )


@accepted("market.json")
def test_a_request_is_encoded_and_named_as_the_contract_does(row):
    request = request_of_row(row)
    assert encode_request(request).hex() == row["hex"]
    assert request_id(request).hex() == row["request_id"]
    for index, expected in row["slot_ids"].items():
        assert slot_id(request_id(request), int(index)).hex() == expected


@accepted("market.json")
def test_a_request_is_read_back(row):
    assert decode_request(bytes.fromhex(row["hex"])) == request_of_row(row)


@rejected("market.json")
def test_bytes_that_are_no_request_are_refused(row):
    with pytest.raises(BadEncoding):
        decode_request(bytes.fromhex(row["hex"]))


def test_a_number_that_does_not_fit_the_contract_is_refused():
    request = request_of_row(load("market.json")["accept"][0])
    for ask in (
        replace(request.ask, slots=1 << 64),
        replace(request.ask, collateral_per_byte=1 << 256),
        replace(request.ask, duration=-1),
    ):
        with pytest.raises(InputError, match="does not fit"):
            encode_request(replace(request, ask=ask))


def test_a_cid_of_more_bytes_than_any_is_refused():
    request = request_of_row(load("market.json")["accept"][0])
    long = replace(request, content=replace(request.content, cid=bytes(129)))
    with pytest.raises(BadEncoding, match="129 bytes"):
        decode_request(encode_request(long))


def test_ids_are_read_with_and_without_their_prefix():
    value = bytes(range(32))
    assert id_text(value) == "0x" + value.hex()
    for text in (id_text(value), value.hex(), value.hex().upper(), "0X" + value.hex()):
        assert parse_id(text) == value


@pytest.mark.parametrize(
    "text",
    ["", "0x", "0x" + "1" * 63, "0x" + "1" * 65, "0x" + "g" * 64, "\u0661" * 64, " 0x" + "1" * 64],
)
def test_texts_that_are_no_ids_are_refused(text):
    with pytest.raises(BadEncoding, match="64 hexadecimal digits"):
        parse_id(text)


def test_an_address_is_written_with_the_letters_that_check_it():
    assert address_text(parse_address(CLIENT.lower())) == CLIENT
    assert parse_address(CLIENT) == parse_address("0x" + CLIENT[2:].upper())


@pytest.mark.parametrize("text", ["", "0x", CLIENT[:-1], CLIENT + "0", CLIENT[2:], "0x" + "g" * 40])
def test_texts_that_are_no_addresses_are_refused(text):
    with pytest.raises(BadEncoding, match="40 hexadecimal digits"):
        parse_address(text)


def test_an_address_with_a_mistyped_letter_is_refused_with_the_right_one():
    with pytest.raises(BadEncoding, match=CLIENT):
        parse_address(CLIENT.replace("C51812", "c51812"))
