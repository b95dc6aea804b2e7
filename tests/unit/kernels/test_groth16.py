"""Proofs from keys and witnesses; what verifies, and what is refused in words."""

import hashlib
import json
import threading

import pytest

from oracles import pairing
from quire.base.errors import (
    BadEncoding,
    BadKey,
    BadProof,
    Cancelled,
    NotFound,
    WitnessDoesNotSatisfy,
)
from quire.kernels import groth16
from quire.kernels.groth16 import Cancel, ProvingKey, VerifyingKey
from support.circuits import squares_r1cs, squares_witness, wtns_of
from support.vectors import load, rejected

VECTORS = load("groth16.json")
KNOWN = VECTORS["accept"][0]
PROOF, PUBLIC = bytes.fromhex(KNOWN["hex"]), bytes.fromhex(KNOWN["public"])
SEED = bytes(32)


def known_key() -> VerifyingKey:
    return VerifyingKey.from_json(json.dumps(VECTORS["key"]))


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    directory = tmp_path_factory.mktemp("toy")
    circuit, key = directory / "toy.r1cs", directory / "toy.zkey"
    circuit.write_bytes(squares_r1cs(5))
    groth16.setup_key(circuit, key, SEED)
    return directory


@pytest.fixture(scope="module")
def key(toy):
    return ProvingKey.open(toy / "toy.zkey")


def witness(x=3, y=11):
    return groth16.read_witness(wtns_of(squares_witness(5, x, y)))


def test_a_proof_of_another_prover_verifies():
    assert groth16.verify(known_key(), PUBLIC, PROOF)


def test_a_known_proof_does_not_verify_for_other_inputs():
    for at in (31, 63, 95):
        other = bytearray(PUBLIC)
        other[at] ^= 1
        assert not groth16.verify(known_key(), bytes(other), PROOF)


def test_the_pairing_check_agrees_with_its_slow_twin():
    key, other = known_key(), bytearray(PUBLIC)
    other[95] ^= 1
    assert pairing.verify(key.words, PUBLIC, PROOF)
    assert not pairing.verify(key.words, bytes(other), PROOF)
    # The negative of b, which is a point of the group too.
    moved = pairing.numbers(PROOF)
    moved[4], moved[5] = pairing.P - moved[4], pairing.P - moved[5]
    negated = b"".join(word.to_bytes(32) for word in moved)
    assert not groth16.verify(key, PUBLIC, negated)
    assert not pairing.verify(key.words, PUBLIC, negated)


@rejected("groth16.json")
def test_bytes_that_are_no_proof_are_refused_in_words(row):
    with pytest.raises(BadProof, match=row["why"]):
        groth16.verify(known_key(), PUBLIC, bytes.fromhex(row["hex"]))


def test_the_words_of_the_official_proof_are_points():
    official = VECTORS["official"]
    proof, public = bytes.fromhex(official["words"]), bytes.fromhex(official["public"])
    # Under a key that is not its own it is a proof, but does not hold.
    assert not groth16.verify(known_key(), public, proof)
    assert groth16.proof_from_json(groth16.proof_to_json(proof)) == proof


@pytest.mark.parametrize(
    ("public", "why"),
    [
        (PUBLIC[:-1], "whole public inputs"),
        (PUBLIC[:-32], "2 public inputs were given to a key of 3"),
        (PUBLIC + bytes(32), "4 public inputs"),
        (b"\xff" * 32 + PUBLIC[32:], "public input 0 is not below"),
    ],
)
def test_public_inputs_that_do_not_fit_are_refused(public, why):
    with pytest.raises(BadProof, match=why):
        groth16.verify(known_key(), public, PROOF)


def test_a_verifying_key_comes_back_from_its_json():
    key = known_key()
    assert VerifyingKey.from_json(key.to_json()) == key
    assert json.loads(key.to_json()) == VECTORS["key"]
    assert key.public_count == 3
    assert hash(key) == hash(known_key())


@pytest.mark.parametrize("field", ["vk_alpha_1", "vk_beta_2", "vk_gamma_2", "vk_delta_2", "IC"])
def test_a_verifying_key_with_a_point_off_its_curve_is_refused(field):
    broken = json.loads(json.dumps(VECTORS["key"]))
    point = broken[field][0] if field in ("IC", "vk_alpha_1") else broken[field]
    if field == "vk_alpha_1":
        broken[field][0] = "5"
    elif field == "IC":
        point[0] = "5"
    else:
        point[0][0] = "5"
    with pytest.raises(BadKey):
        VerifyingKey.from_json(json.dumps(broken))


def test_a_proof_is_made_and_verifies(toy, key):
    proof, public = key.prove(witness())
    assert len(proof) == 256
    assert public == pow(3, 32, pairing.R).to_bytes(32) + (11).to_bytes(32)
    verifying = VerifyingKey.from_zkey(toy / "toy.zkey")
    assert verifying == key.verifying_key
    assert groth16.verify(verifying, public, proof)
    assert pairing.verify(verifying.words, public, proof)


def test_two_proofs_of_one_witness_differ_unless_the_seed_is_the_same(key):
    assert key.prove(witness())[0] != key.prove(witness())[0]
    seeded = [key.prove(witness(), seed=bytes(64))[0] for _ in range(2)]
    assert seeded[0] == seeded[1]


def test_a_key_says_what_it_is_for(toy, key):
    assert (key.public_count, key.wires, key.constraints, key.domain) == (2, 9, 6, 16)
    circuit = (toy / "toy.r1cs").read_bytes()
    assert groth16.circuit_counts(circuit) == (1, 1, 1, 9, 6)
    assert key.development_circuit == hashlib.sha256(circuit).digest()
    assert key.circuit_hash[32:].startswith(b"UNSAFE")
    key.check(SEED)


def test_set_up_is_a_function_of_circuit_and_seed(toy, tmp_path):
    again, other = tmp_path / "again.zkey", tmp_path / "other.zkey"
    groth16.setup_key(toy / "toy.r1cs", again, SEED)
    groth16.setup_key(toy / "toy.r1cs", other, b"\1" * 32)
    assert again.read_bytes() == (toy / "toy.zkey").read_bytes() != other.read_bytes()


def test_set_up_tells_how_far_it_is_and_stops_when_it_is_told(toy, tmp_path):
    heard, cancel, target = [], Cancel(), tmp_path / "new.zkey"
    groth16.setup_key(toy / "toy.r1cs", target, SEED, progress=lambda *at: heard.append(at))
    assert heard == sorted(heard)
    assert heard[-1][0] == heard[-1][1]
    cancel.set()
    target.unlink()
    with pytest.raises(Cancelled):
        groth16.setup_key(toy / "toy.r1cs", target, SEED, cancel)
    assert list(tmp_path.iterdir()) == []


def test_what_a_progress_callback_raises_comes_through(toy, tmp_path):
    with pytest.raises(ZeroDivisionError):
        groth16.setup_key(toy / "toy.r1cs", tmp_path / "k", SEED, progress=lambda *_: 1 // 0)
    assert list(tmp_path.iterdir()) == []


def test_a_witness_that_does_not_satisfy_gives_no_proof(key):
    values = squares_witness(5, 3, 11)
    for wire in range(1, len(values)):
        wrong = [value + (at == wire) for at, value in enumerate(values)]
        if wire == 2:
            continue  # y is free
        with pytest.raises(WitnessDoesNotSatisfy, match="does not verify"):
            key.prove(groth16.read_witness(wtns_of(wrong)))


def test_a_witness_of_another_circuit_is_refused(key):
    with pytest.raises(BadEncoding, match="9 wires"):
        key.prove(groth16.read_witness(wtns_of(squares_witness(6, 3, 11))))


def test_a_cancelled_proof_stops(key):
    cancel = Cancel()
    threading.Timer(0, cancel.set).run()
    assert cancel.is_set
    with pytest.raises(Cancelled):
        key.prove(witness(), cancel)


def test_a_batch_names_its_bad_proofs_and_nothing_else(key):
    items = [key.prove(witness(x)) for x in range(2, 9)]
    batch = [(public, proof) for proof, public in items]
    assert groth16.verify_batch(key.verifying_key, batch, SEED) == []
    batch[1] = (batch[2][0], batch[1][1])
    batch[4] = (batch[4][0], bytes(256))
    batch[6] = (batch[6][0][:32], batch[6][1])
    assert groth16.verify_batch(key.verifying_key, batch, SEED) == [1, 4, 6]
    assert groth16.verify_batch(key.verifying_key, [], SEED) == []


@pytest.mark.parametrize("end", [0, 3, 20, 200, -1])
def test_a_key_that_is_cut_off_is_refused(toy, tmp_path, end):
    path = tmp_path / "cut.zkey"
    path.write_bytes((toy / "toy.zkey").read_bytes()[:end])
    with pytest.raises((BadKey, NotFound), match=r"cut\.zkey"):
        ProvingKey.open(path)


def test_a_key_that_is_not_there_is_missed(tmp_path):
    with pytest.raises(NotFound, match=r"no\.zkey"):
        ProvingKey.open(tmp_path / "no.zkey")
    with pytest.raises(NotFound, match=r"no\.r1cs"):
        groth16.setup_key(tmp_path / "no.r1cs", tmp_path / "k", SEED)


def test_damage_of_a_key_is_found_by_its_check(toy, tmp_path):
    path, good = tmp_path / "damaged.zkey", (toy / "toy.zkey").read_bytes()
    path.write_bytes(good[:-100] + bytes([good[-100] ^ 1]) + good[-99:])
    with pytest.raises(BadKey, match="off the curve"):
        ProvingKey.open(path).check(SEED)


@pytest.mark.parametrize("seed", [b"", bytes(31), bytes(33)])
def test_seeds_of_another_length_are_refused(toy, key, tmp_path, seed):
    with pytest.raises(BadEncoding, match="32 bytes"):
        groth16.setup_key(toy / "toy.r1cs", tmp_path / "k", seed)
    with pytest.raises(BadEncoding, match="32 bytes"):
        groth16.verify_batch(key.verifying_key, [], seed)
    with pytest.raises(BadEncoding, match="64 bytes"):
        key.prove(witness(), seed=seed)
