"""Receipts as the journal of a client has them, and who signed them: said by eth-account, by none
of our own code."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import fields
from pathlib import Path

from eth_account import Account
from eth_account.messages import encode_typed_data

from quire.chain.hub import HubDomain
from quire.chain.values import Address
from quire.node.trading import JOURNAL_FILE
from quire.point.link import LinkState
from quire.point.link_record import decode_link
from quire.point.values import Receipt
from quire.services.machine_run import decode_run

FIELDS = [
    {"type": kind, "name": name}
    for kind, name in (
        ("bytes32", "linkId"),
        ("address", "client"),
        ("address", "provider"),
        ("bytes32", "peer"),
        ("bytes32", "sealedRoot"),
        ("uint64", "sealedBytes"),
        ("uint32", "blockSize"),
        ("uint64", "startsAt"),
        ("uint64", "expiresAt"),
        ("uint256", "pricePerByteSecond"),
        ("bytes32", "offerHash"),
    )
]


def links_in(data_dir: Path) -> list[LinkState]:
    """All links that a node, which does not run, has in its journal."""
    with closing(sqlite3.connect(data_dir / JOURNAL_FILE)) as journal:
        rows = journal.execute("SELECT value FROM record WHERE kind LIKE 'link %' ORDER BY serial")
        return [decode_link(decode_run(value)[1]) for (value,) in rows]


def signer_of(receipt: Receipt, domain: HubDomain) -> Address:
    """Whose key signed all the terms of a receipt."""
    terms = receipt.terms
    values = [getattr(terms, field.name) for field in fields(terms)]
    values[0] = terms.link_id.ljust(32, b"\0")
    message = encode_typed_data(
        {
            "name": "QuireReplica",
            "version": "1",
            "chainId": domain.chain_id,
            "verifyingContract": f"0x{domain.contract.hex()}",
        },
        {"Receipt": FIELDS},
        {
            field["name"]: f"0x{value.hex()}" if field["type"] == "address" else value
            for field, value in zip(FIELDS, values, strict=True)
        },
    )
    account = Account.recover_message(message, signature=receipt.signature)
    return bytes.fromhex(account.removeprefix("0x"))
