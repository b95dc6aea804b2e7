"""Fuzz what a chain's node sends: messages, blocks, logs and receipts are read or refused."""

import json

from quire.base.errors import ChainUnreachable, RpcRefused
from quire.chain.block import parse_block, parse_logs
from quire.chain.receipt import Verdict, parse_mined, parse_sender, verdict_of
from quire.chain.rpc_message import Answer, decode_message

VECTORS = ()
HASH = "0x" + "11" * 32
BLOCK = {
    "number": "0x1",
    "hash": HASH,
    "parentHash": HASH,
    "timestamp": "0x5",
    "baseFeePerGas": "0x7",
}
LOG = {
    "blockNumber": "0x1",
    "blockHash": HASH,
    "logIndex": "0x0",
    "address": "0x" + "22" * 20,
    "topics": [HASH],
    "data": "0x01",
    "transactionHash": HASH,
    "removed": False,
}
RECEIPT = {
    "transactionHash": HASH,
    "from": "0x" + "33" * 20,
    "blockNumber": "0x1",
    "gasUsed": "0x5208",
    "effectiveGasPrice": "0x7",
    "status": "0x1",
}
HARDHAT = {"code": -32603, "message": "reverted", "data": {"message": "x", "data": "0xdeadbeef"}}
NOTICE = {"method": "eth_subscription", "params": {"subscription": "0x1", "result": BLOCK}}
SEEDS = tuple(
    json.dumps(part).encode()
    for part in (
        {"jsonrpc": "2.0", "id": 1, "result": BLOCK},
        {"jsonrpc": "2.0", "id": 2, "result": [LOG, LOG]},
        {"jsonrpc": "2.0", "id": 3, "result": RECEIPT},
        {"jsonrpc": "2.0", "id": 4, "error": HARDHAT},
        {
            "jsonrpc": "2.0",
            "id": 5,
            "error": {"code": 3, "message": "revert", "data": "0xdeadbeef"},
        },
        {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "Invalid"}},
        {"jsonrpc": "2.0", **NOTICE},
        [{"id": 6, "result": None}, {"id": 7, "error": "nonce too low"}],
    )
)


def check(data: bytes) -> None:
    try:
        parts = decode_message(data)
    except ChainUnreachable:
        return
    for part in parts:
        if isinstance(part, Answer) and isinstance(part.reply, RpcRefused):
            assert part.reply.message.isprintable()
            assert len(part.reply.message) < 400
            assert verdict_of(part.reply) in Verdict
            assert part.reply.data is None or isinstance(part.reply.data, bytes)
            continue
        value = part.reply if isinstance(part, Answer) else part.result
        for parse in (parse_block, parse_logs, parse_mined, parse_sender):
            try:
                parse(value)
            except ChainUnreachable:
                continue


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
