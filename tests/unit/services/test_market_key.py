"""A node refuses to host with a key whose proofs the contract would not take, and says why."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from quire.base.errors import BadKey, Refused
from quire.services.circuit_files import CircuitPlaces, NoCircuit
from quire.services.circuits import Circuits
from quire.services.market_key import key_for_market
from support.market_terms import TERMS
from support.prove_kit import SMALL, TINY, tiny_keys


def circuits() -> Circuits:
    return Circuits(CircuitPlaces(tiny_keys(), TINY))


def file_hash() -> str:
    [zkey] = tiny_keys().rglob("*.zkey")
    return hashlib.sha256(zkey.read_bytes()).hexdigest()


async def test_the_key_of_the_contract_is_taken_by_either_of_its_names() -> None:
    found = await key_for_market(circuits(), TINY, TERMS)
    names = (file_hash(), "0x" + file_hash().upper(), found.key_hash.hex(), "")
    for name in names:
        taken = await key_for_market(circuits(), TINY, replace(TERMS, zkey_hash=name))
        assert taken.key_hash == found.key_hash


async def test_another_key_is_refused_with_both_hashes() -> None:
    with pytest.raises(BadKey, match=f"ab{'00' * 31}.*{file_hash()}"):
        await key_for_market(circuits(), TINY, replace(TERMS, zkey_hash="ab" + "00" * 31))


async def test_a_contract_with_another_number_of_inputs_is_refused_to_who_could_host() -> None:
    other = replace(TERMS, proof_inputs=3)
    with pytest.raises(BadKey, match=r"3 public inputs; circuit .* has 4"):
        await key_for_market(circuits(), TINY, other)
    with pytest.raises(NoCircuit):  # and so may buy there
        await key_for_market(circuits(), SMALL, other)


async def test_a_node_without_a_key_cannot_host() -> None:
    with pytest.raises(NoCircuit):
        await key_for_market(circuits(), SMALL, TERMS)
    keyless = Circuits(CircuitPlaces(tiny_keys(), TINY, has_no_key=True))
    with pytest.raises(Refused, match="circom-no-zkey"):
        await key_for_market(keyless, TINY, TERMS)
