"""A node refuses to host with a key whose proofs the contract would not take, and says why."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from quire.base.errors import BadKey, Refused
from quire.kernels.groth16 import VerifyingKey, setup_key
from quire.services.circuit_files import NOTE, VERIFYING_KEY, CircuitPlaces, NoCircuit
from quire.services.circuits import Circuits, hash_of
from quire.services.market_key import key_for_market, verifying_key_for_market
from support.circuits import squares_r1cs
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


# ---- nodes that only verify, as others prove for them ----


@pytest.fixture
def verifying(tmp_path: Path) -> Circuits:
    """Those of a node that was given the verifying key and its note."""
    own = tmp_path / TINY.id
    own.mkdir()
    for name in (VERIFYING_KEY, NOTE):
        shutil.copy(tiny_keys() / TINY.id / name, own)
    return Circuits(CircuitPlaces(tmp_path, TINY))


async def test_a_verifying_key_with_its_note_is_enough_to_have_others_prove(verifying) -> None:
    found = await key_for_market(circuits(), TINY, TERMS)
    for name in (file_hash(), "0x" + file_hash().upper(), found.key_hash.hex(), ""):
        terms = replace(TERMS, zkey_hash=name)
        assert await verifying_key_for_market(verifying, TINY, terms) == found.verifying_key
        assert await verifying_key_for_market(circuits(), TINY, terms) == found.verifying_key
    with pytest.raises(NoCircuit):
        await key_for_market(verifying, TINY, TERMS)


async def test_a_verifying_key_of_another_contract_or_network_is_refused(verifying) -> None:
    other = replace(TERMS, zkey_hash="ab" * 32)
    for has in (verifying, circuits()):
        with pytest.raises(BadKey, match=f"{'ab' * 32}.*the hash is {file_hash()}"):
            await verifying_key_for_market(has, TINY, other)
        with pytest.raises(BadKey, match="3 public inputs"):
            await verifying_key_for_market(has, TINY, replace(TERMS, proof_inputs=3))
    published = Circuits(CircuitPlaces(verifying.places.directory, TINY, key_hash=bytes(32)))
    with pytest.raises(BadKey, match="published is 0000"):
        await verifying_key_for_market(published, TINY, TERMS)


async def test_a_verifying_key_of_which_nothing_is_known_must_be_named_by_the_contract(
    verifying,
) -> None:
    [note] = verifying.places.directory.rglob(NOTE)
    note.unlink()
    key = await verifying.verifying_key(TINY)
    named = replace(TERMS, zkey_hash=hash_of(key).hex())
    assert await verifying_key_for_market(verifying, TINY, named) == key
    with pytest.raises(BadKey, match="nothing says the hash"):
        await verifying_key_for_market(verifying, TINY, replace(TERMS, zkey_hash=file_hash()))


async def test_without_any_key_no_proof_can_be_ordered(tmp_path) -> None:
    with pytest.raises(NoCircuit):
        await verifying_key_for_market(Circuits(CircuitPlaces(tmp_path, TINY)), TINY, TERMS)
    named = tmp_path / VERIFYING_KEY
    named.write_text(squares_key(tmp_path).to_json())
    with pytest.raises(BadKey, match="has 2 public inputs, the circuit 4"):
        await verifying_key_for_market(Circuits(CircuitPlaces(tmp_path, TINY)), TINY, TERMS)


def squares_key(directory: Path) -> VerifyingKey:
    """Of a circuit that has nothing to do with storage."""
    (directory / "other.r1cs").write_bytes(squares_r1cs(2))
    return setup_key(directory / "other.r1cs", directory / "other.zkey", bytes(32))
