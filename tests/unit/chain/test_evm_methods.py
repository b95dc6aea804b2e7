"""Calls and refusals of the contract, against its artefact and the selectors of the reference."""

from __future__ import annotations

import pytest

from quire.chain.abi import encode
from quire.chain.artefact import artefact
from quire.chain.evm import methods
from quire.chain.evm.methods import Method, proof_value
from quire.chain.reverts import TOKEN_ERRORS, WORDS, reverted
from quire.kernels.keccak import keccak256

REFERENCE = {  # market.md 1.2
    methods.REQUEST_STORAGE: "99b6da0c", methods.RESERVE_SLOT: "12827602",
    methods.CAN_RESERVE_SLOT: "d02bbe33", methods.FILL_SLOT: "1d873c1b",
    methods.FREE_SLOT: "a29c29a4", methods.FREE_SLOT_TO: "0aefaabe",
    methods.SUBMIT_PROOF: "e8aa0a07", methods.CAN_MARK: "d1bb36b6", methods.MARK: "237d8482",
    methods.WITHDRAW_FUNDS: "6e2b54ee", methods.CONFIG: "6c70bee9", methods.TOKEN: "fc0c546a",
    methods.CURRENT_COLLATERAL: "26d6f834", methods.GET_REQUEST: "fb1e61ca",
    methods.GET_ACTIVE_SLOT: "b396dc79", methods.GET_HOST: "6b00c8cf",
    methods.MY_REQUESTS: "9777b72c", methods.MY_SLOTS: "5da73835",
    methods.REQUEST_STATE: "05b90773", methods.SLOT_STATE: "be5cdc48",
    methods.REQUEST_END: "02fa8e65", methods.REQUEST_EXPIRY: "329b5a0b",
    methods.IS_PROOF_REQUIRED: "c0cc4add", methods.WILL_PROOF_BE_REQUIRED: "a3a0807e",
    methods.GET_CHALLENGE: "458d2bf1", methods.GET_POINTER: "4641dce6",
    methods.MISSING_PROOFS: "f752196b",
}  # fmt: skip
ERRORS = {  # market.md 1.4
    "Marketplace_InvalidExpiry": "df63f61a", "Marketplace_SlotNotFree": "ff556acf",
    "Marketplace_UnknownRequest": "bdd64a7a", "Marketplace_NothingToWithdraw": "bd8bdd94",
    "Proofs_InvalidProof": "fcd03a47", "Proofs_ProofNotRequired": "d3ffa66b",
    "SlotReservations_ReservationNotAllowed": "424a04ab",
    "Periods_InvalidSecondsPerPeriod": "2aa6d8e0",
}  # fmt: skip


def all_methods() -> list[Method]:
    return [value for value in vars(methods).values() if isinstance(value, Method)]


@pytest.mark.parametrize(("method", "selector"), REFERENCE.items(), ids=lambda v: str(v)[:40])
def test_calls_of_the_reference_have_its_selectors(method, selector):
    assert method.selector.hex() == selector


def test_every_call_is_one_of_the_contracts():
    shipped = {
        selector
        for name in ("Marketplace", "TestToken", "Groth16Verifier")
        for selector in artefact(name).methods.values()
    }
    unknown = [m.signature for m in all_methods() if m.selector not in shipped]
    assert unknown == []


def test_every_error_of_the_contract_has_words():
    declared = {e["name"] for e in artefact("Marketplace").abi if e["type"] == "error"}
    assert declared <= set(WORDS)


@pytest.mark.parametrize(("name", "selector"), ERRORS.items())
def test_errors_of_the_reference_are_known_by_their_data(name, selector):
    error = reverted(bytes.fromhex(selector), "it")
    assert error.facts["name"] == name
    assert WORDS[name] in error.message


@pytest.mark.parametrize("signature", TOKEN_ERRORS)
def test_errors_of_the_token_are_known_with_their_arguments(signature):
    error = reverted(keccak256(signature.encode())[:4] + bytes(96), "it")
    assert error.facts["name"] == signature.partition("(")[0]


def test_refusals_in_words_of_others_are_told():
    text = bytes.fromhex("08c379a0") + encode(["string"], ["no\nmore"])
    assert '"no more"' in reverted(text, "it").message
    assert (
        "panic 0x11" in reverted(bytes.fromhex("4e487b71") + encode(["uint256"], [17]), "x").message
    )
    assert "gives no reason" in reverted(b"", "it").message
    assert "0x01020304" in reverted(b"\1\2\3\4\5", "it").message


def test_a_proof_is_eight_words_in_order():
    words = b"".join(i.to_bytes(32, "big") for i in range(1, 9))
    assert proof_value(words) == ((1, 2), ((3, 4), (5, 6)), (7, 8))
