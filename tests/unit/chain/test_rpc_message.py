"""What nodes of chains send: results, refusals with the data of a revert, notices."""

from __future__ import annotations

import json
from typing import Any

import pytest

from quire.base.errors import ChainUnreachable, RpcRefused
from quire.chain.block import parse_block, parse_logs
from quire.chain.quantity import octets, quantity
from quire.chain.receipt import Verdict, parse_mined, verdict_of
from quire.chain.rpc_message import Answer, Notice, decode_message, encode_calls, revert_data

GETH = {"code": 3, "message": "execution reverted", "data": "0xdeadbeef"}
ANVIL = {"code": 3, "message": "execution reverted: custom error 0xdeadbeef", "data": "0xdeadbeef"}
HARDHAT = {
    "code": -32603,
    "message": "Error: VM Exception while processing transaction: reverted with custom error 'X()'",
    "data": {"message": "Error: VM Exception", "txHash": "0x01", "data": "0xdeadbeef"},
}
NETHERMIND = {"code": -32015, "message": "VM execution error.", "data": "Reverted 0xdeadbeef"}


@pytest.mark.parametrize("error", [GETH, ANVIL, HARDHAT, NETHERMIND])
def test_the_data_of_a_revert_is_found_wherever_it_stands(error: dict[str, Any]) -> None:
    assert revert_data(error) == bytes.fromhex("deadbeef")


@pytest.mark.parametrize(
    "error",
    [
        {"code": 3, "message": "execution reverted", "data": "0x"},
        {"code": -32000, "message": "execution reverted"},
        {"code": 3, "message": "execution reverted", "data": "0xabc"},
        {"code": 3, "message": "execution reverted", "data": "no hexadecimal"},
        {"code": 3, "message": "execution reverted", "data": {"result": "0x"}},
    ],
)
def test_a_revert_without_a_reason_is_one_nevertheless(error: dict[str, Any]) -> None:
    assert revert_data(error) == b""


@pytest.mark.parametrize(
    "error",
    [
        {"code": -32000, "message": "nonce too low"},
        {"code": -32601, "message": "Method not found", "data": "0xdeadbeef"},
        {"code": -32603, "message": "EVM error InvalidFEOpcode"},
        {},
    ],
)
def test_other_errors_are_no_reverts(error: dict[str, Any]) -> None:
    assert revert_data(error) is None


def test_messages_come_apart() -> None:
    notice = {"method": "eth_subscription", "params": {"subscription": "0x1", "result": {"a": 1}}}
    parts = decode_message(
        json.dumps([{"id": 7, "result": None}, {"id": 8, "error": GETH}, notice])
    )
    assert parts[0] == Answer(7, None)
    assert isinstance(parts[1], Answer)
    assert isinstance(parts[1].reply, RpcRefused)
    assert parts[1].reply.rpc_code == 3
    assert parts[2] == Notice({"a": 1})


def test_one_call_is_an_object_and_more_are_an_array() -> None:
    one = {"jsonrpc": "2.0", "id": 1, "method": "eth_a", "params": [1]}
    assert json.loads(encode_calls([1], [("eth_a", [1])])) == one
    assert json.loads(encode_calls([1, 2], [("eth_a", [1]), ("eth_b", [])])) == [
        one,
        {"jsonrpc": "2.0", "id": 2, "method": "eth_b", "params": []},
    ]


@pytest.mark.parametrize(
    "text",
    ["", "x", "1", "[1]", "{}", '{"id":1}', '{"id":"1","result":1}', '{"id":true,"result":1}',
     '{"params":{"subscription":1}}', '{"params":[]}'],
)  # fmt: skip
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(ChainUnreachable):
        decode_message(text)


def test_what_a_node_says_is_shown_short_and_printable() -> None:
    (part,) = decode_message(json.dumps({"id": 1, "error": {"message": "\x1b[31m" + "x" * 9999}}))
    assert isinstance(part, Answer)
    assert part.reply.message.isprintable()
    assert len(part.reply.message) < 400


@pytest.mark.parametrize(
    ("text", "number"), [("0x0", 0), ("0x1f", 31), ("0x" + "f" * 64, 2**256 - 1)]
)
def test_quantities(text: str, number: int) -> None:
    assert quantity(text, "number") == number


@pytest.mark.parametrize(
    "value", [None, 5, "", "5", "0x", "0x-1", "0x_1", "0xg", "0x" + "f" * 65, "0x٣"]
)
def test_what_is_no_quantity_is_refused(value: object) -> None:
    with pytest.raises(ChainUnreachable):
        quantity(value, "number")


def test_octets() -> None:
    assert octets("0x", "data") == b""
    assert octets("0x00ff", "data", 2) == b"\x00\xff"


@pytest.mark.parametrize("value", [None, "00", "0x0", "0x 00", "0xzz", "0x00ff00", b"0x00ff"])
def test_what_are_no_octets_is_refused(value: object) -> None:
    with pytest.raises(ChainUnreachable):
        octets(value, "data", 2)


@pytest.mark.parametrize(
    ("message", "verdict"),
    [
        ("already known", Verdict.TAKEN),
        ("transaction already imported", Verdict.TAKEN),
        ("AlreadyKnown", Verdict.TAKEN),
        ("Known transaction", Verdict.TAKEN),
        ("nonce too low: next nonce 5, tx nonce 4", Verdict.NONCE_USED),
        ("OldNonce", Verdict.NONCE_USED),
        ("replacement transaction underpriced", Verdict.NONCE_BUSY),
        ("Insufficient funds for gas * price + value", Verdict.POOR),
        ("transaction underpriced: gas tip cap 1, minimum needed 2", Verdict.FEE_LOW),
        ("max fee per gas less than block base fee", Verdict.FEE_LOW),
        ("exceeds block gas limit", Verdict.REFUSED),
        ("", Verdict.REFUSED),
    ],
)
def test_what_a_node_means_when_it_takes_no_transaction(message: str, verdict: Verdict) -> None:
    assert verdict_of(RpcRefused(message)) is verdict


def test_blocks_logs_and_receipts_that_are_not_there_are_told_from_broken_ones() -> None:
    assert parse_block(None) is None
    assert parse_mined(None) is None
    assert parse_mined({"blockNumber": None}) is None
    assert parse_logs([]) == []
    assert parse_logs([{"removed": True}]) == []
    for broken in ({}, [], "0x", {"number": "0x1"}):
        with pytest.raises(ChainUnreachable):
            parse_block(broken)
    for broken in ({}, "0x", [{}], [{"topics": []}], None):
        with pytest.raises(ChainUnreachable):
            parse_logs(broken)
    for broken in ([], "0x", {"blockNumber": "0x1"}):
        with pytest.raises(ChainUnreachable):
            parse_mined(broken)
