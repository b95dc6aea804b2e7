"""Signed peer records of the reference, and forgeries."""

from functools import partial

import pytest

from quire.base.errors import BadEncoding
from quire.formats.multiaddr import Multiaddr
from quire.formats.peer_record import PeerRecord, decode_spr, encode_spr
from quire.kernels import signing
from support.vectors import accepted, load, rejected


@accepted("peer_record.json")
def test_known_records_are_read_and_written_byte_for_byte(row):
    record = decode_spr(row["text"], signing.verify)
    assert record.peer == row["peer"]
    assert record.seq == row["seq"]
    assert [str(address) for address in record.addresses] == row["addresses"]
    if "privateKey" in row:
        sign = partial(signing.sign, bytes.fromhex(row["privateKey"]))
        assert encode_spr(record, sign) == row["text"]


@rejected("peer_record.json")
def test_forgeries_are_refused(row):
    with pytest.raises(BadEncoding):
        decode_spr(row["text"], signing.verify)


def test_a_new_record_comes_back():
    key = bytes.fromhex(load("peer_id.json")["accept"][0]["privateKey"])
    addresses = tuple(
        Multiaddr.parse(text) for text in ("/ip4/10.0.0.1/tcp/1", "/ip6/::1/udp/2/quic-v1")
    )
    record = PeerRecord(signing.public_key_of(key), 1_800_000_000, addresses)
    assert decode_spr(encode_spr(record, partial(signing.sign, key)), signing.verify) == record
