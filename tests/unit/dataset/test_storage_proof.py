"""A proof as it is told to others, and texts that are none."""

import json

import pytest

from quire.base.errors import BadEncoding, InputError
from quire.dataset.circuit import OFFICIAL, CircuitParameters, parse_circuit_id
from quire.dataset.storage_proof import (
    MAX_JSON_BYTES,
    Claim,
    StorageProof,
    decode_proof_json,
    parse_host,
)
from quire.formats.felt import MODULUS

CLAIM = Claim((5).to_bytes(32, "little"), (6).to_bytes(32, "little"), 7, bytes(range(20)))


def proof_of(claim: Claim = CLAIM) -> StorageProof:
    family = "quire" if claim.host else OFFICIAL
    circuit = CircuitParameters(family)
    return StorageProof(circuit, b"k" * 32, bytes(range(256)), claim.public(), "zDv")


@pytest.mark.parametrize("host", [None, bytes(range(20))])
def test_a_proof_comes_back_from_its_json(host) -> None:
    proof = proof_of(Claim(CLAIM.entropy, CLAIM.dataset_root, 7, host))
    assert decode_proof_json(proof.to_json().encode()) == proof
    assert proof.claim.host == host
    assert len(proof.public) == (4 if host else 3)


def test_public_inputs_are_big_endian_words_in_the_order_of_the_circuit() -> None:
    words = CLAIM.public()
    assert [int.from_bytes(word, "big") for word in words[:3]] == [5, 6, 7]
    assert words[3] == bytes(12) + bytes(range(20))


def changed(**changes: object) -> bytes:
    values = proof_of().as_dict() | changes
    return json.dumps({name: value for name, value in values.items() if value != "gone"}).encode()


WORD = "0x" + "00" * 32
BAD = {
    "empty": b"",
    "not JSON": b"{",
    "not text": b"\xff\xfe",
    "a list": b"[]",
    "a number": b"7",
    "deep": b"[" * 20_000,
    "too long": b" " * (MAX_JSON_BYTES + 1),
    "another format": changed(format="quire-proof/2"),
    "no format": changed(format="gone"),
    "no circuit": changed(circuit="gone"),
    "an unknown circuit": changed(circuit="other-5-32-8-5-67"),
    "a circuit that is no text": changed(circuit=5),
    "no key": changed(keyHash="gone"),
    "a short key": changed(keyHash="ab"),
    "no proof": changed(proof="gone"),
    "a short proof": changed(proof="0x" + "00" * 255),
    "a long proof": changed(proof="0x" + "00" * 257),
    "other digits": changed(proof="0x" + "0g" * 256),
    "blanks": changed(keyHash=("ab " * 32)[:64]),
    "no public inputs": changed(public="gone"),
    "public inputs that are no list": changed(public=WORD),
    "three for a circuit of four": changed(public=[WORD] * 3),
    "five": changed(public=[WORD] * 5),
    "thousands": changed(public=[WORD] * 900),
    "numbers": changed(public=[1, 2, 3, 4]),
    "the modulus": changed(public=[hex(MODULUS)[2:].rjust(64, "0"), WORD, WORD, WORD]),
    "a slot out of this world": changed(public=[WORD, WORD, "0x01" + "00" * 31, WORD]),
    "a host that is no address": changed(public=[WORD] * 3 + ["01" + "00" * 31]),
    "more than it has": changed(more=1),
    "a name that is no text": changed(cid=3),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_is_no_proof_is_refused(data) -> None:
    with pytest.raises(InputError):
        decode_proof_json(data)


def test_a_proof_with_a_short_part_cannot_be_made() -> None:
    circuit, words = CircuitParameters(), CLAIM.public()
    for key, proof, public in (
        (b"k", bytes(256), words),
        (bytes(32), bytes(255), words),
        (bytes(32), bytes(256), words[:3]),
        (bytes(32), bytes(256), (*words[:3], b"")),
    ):
        with pytest.raises(BadEncoding):
            StorageProof(circuit, key, proof, public)


def test_addresses_are_forty_digits() -> None:
    assert parse_host("0x" + "aB" * 20) == parse_host("ab" * 20) == b"\xab" * 20
    for text in ("", "0x", "ab" * 19, "ab" * 21, "0x" + "zz" * 20, "-" + "a" * 39, "\u0661" * 40):
        with pytest.raises(InputError, match="address"):
            parse_host(text)


def test_a_host_of_another_length_is_refused() -> None:
    with pytest.raises(InputError):
        Claim(bytes(32), bytes(32), 0, bytes(19)).public()


def test_circuits_are_named_by_what_is_fixed_in_them() -> None:
    assert CircuitParameters().id == "quire-5-32-8-5-67"
    for family in ("quire", "codex"):
        for numbers in ((5, 32, 8, 5, 67), (100, 16, 4, 1, 67), (1, 2, 1, 1, 1)):
            circuit = CircuitParameters(family, *numbers)
            assert parse_circuit_id(circuit.id) == circuit
            assert circuit.public_count == (4 if circuit.binds_host else 3)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quire",
        "quire-5",
        "quire-5-32-8-5",
        "quire-5-32-8-5-67-1",
        "quire-05-32-8-5-67",
        "quire-5-32-8-5-67 ",
        "QUIRE-5-32-8-5-67",
        "other-5-32-8-5-67",
        "quire-0-32-8-5-67",
        "quire-1001-32-8-5-67",
        "quire-5-33-8-5-67",
        "quire-5-5-8-5-67",
        "quire-5-32-9-5-67",
        "quire-5-32-8-0-67",
        "quire-5-32-8-5-0",
        "../quire-5-32-8-5-67",
        "quire-5-32-8-5-67\n",
        "quire-\u0665-32-8-5-67",
        "quire-" + "9" * 5000 + "-32-8-5-67",
    ],
)
def test_names_of_no_circuit_are_refused(text) -> None:
    with pytest.raises(InputError):
        parse_circuit_id(text)
