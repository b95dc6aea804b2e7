"""What a promise to submit is hashed to, and how much of a bond stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account.messages import encode_typed_data

from quire.chain.bonds import Bond, BondsDomain, Promise, promise_digest
from quire.kernels.keccak import keccak256

DOMAIN = BondsDomain(31337, bytes([0x11]) * 20)
PROMISE = Promise(bytes([1]) * 20, bytes([2]) * 20, bytes(range(32)), 15_000_000, 10**19)


def by_the_book(domain: BondsDomain, promise: Promise) -> bytes:
    """The digest as another implementation of EIP-712 has it."""
    types = {
        "SubmitPromise": [
            {"name": "aggregator", "type": "address"},
            {"name": "host", "type": "address"},
            {"name": "slotId", "type": "bytes32"},
            {"name": "period", "type": "uint64"},
            {"name": "amount", "type": "uint256"},
        ]
    }
    place = {
        "name": "QuireSubmissionBonds",
        "version": "1",
        "chainId": domain.chain_id,
        "verifyingContract": domain.contract,
    }
    message = {
        "aggregator": promise.aggregator,
        "host": promise.host,
        "slotId": promise.slot_id,
        "period": promise.period,
        "amount": promise.amount,
    }
    signable = encode_typed_data(place, types, message)
    return keccak256(b"\x19\x01" + signable.header + signable.body)


@pytest.mark.parametrize(
    "promise",
    [
        PROMISE,
        replace(PROMISE, amount=0),
        replace(PROMISE, amount=2**256 - 1),
        replace(PROMISE, period=2**64 - 1),
        replace(PROMISE, host=bytes(20)),
    ],
)
def test_a_promise_is_hashed_as_typed_data(promise: Promise) -> None:
    assert promise_digest(DOMAIN, promise) == by_the_book(DOMAIN, promise)


def test_another_chain_or_contract_makes_another_promise() -> None:
    places = (DOMAIN, replace(DOMAIN, chain_id=1), replace(DOMAIN, contract=bytes(20)))
    assert len({promise_digest(place, PROMISE) for place in places}) == 3


@pytest.mark.parametrize(
    ("bond", "timestamp", "stays"),
    [
        (Bond(), 100, 0),
        (Bond(50), 100, 50),
        (Bond(50, 20, 99), 100, 30),
        (Bond(50, 20, 100), 100, 50),  # nothing can be claimed in that second any more
        (Bond(50, 20, 101), 100, 50),
        (Bond(50, 50, 1), 100, 0),
    ],
)
def test_what_leaves_before_then_does_not_count(bond: Bond, timestamp: int, stays: int) -> None:
    assert bond.until(timestamp) == stays
