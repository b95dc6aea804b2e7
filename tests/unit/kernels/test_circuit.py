"""Our storage circuit: what it proves, for whom, and what it refuses in words."""

import hashlib

import pytest

from quire.base.errors import BadEncoding, NotFound, WitnessDoesNotSatisfy
from quire.kernels import groth16
from quire.kernels.circuit import StorageCircuit, wasm_witness
from quire.kernels.groth16 import ProvingKey
from support.openings import CELL_BYTES, MODULUS, PARAMETERS, opening
from support.vectors import accepted, rejected

SEED = bytes(32)


def small() -> StorageCircuit:
    return StorageCircuit(**PARAMETERS)


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    directory = tmp_path_factory.mktemp("circuit")
    small().write_r1cs(directory / "small.r1cs")
    groth16.setup_key(directory / "small.r1cs", directory / "small.zkey", SEED)
    return ProvingKey.open(directory / "small.zkey")


def public_of(opening) -> list[int]:
    felts = [int.from_bytes(opening[name], "little") for name in ("entropy", "dataset_root")]
    return [*felts, opening["slot_index"], int.from_bytes(opening["host"], "big")]


def words(numbers: list[int]) -> bytes:
    return b"".join(number.to_bytes(32, "big") for number in numbers)


def test_a_slot_proves_itself_with_four_public_inputs_in_their_order(key):
    opened = opening(1)
    proof, public = key.prove(small().witness(**opened))
    assert public == words(public_of(opened))
    assert groth16.verify(key.verifying_key, public, proof)


def test_a_proof_is_worth_nothing_to_another_host_or_in_another_place(key):
    opened = opening(2)
    proof, _ = key.prove(small().witness(**opened))
    for place, number in enumerate(public_of(opened)):
        for other in (number + 1, MODULUS - number, 0):
            numbers = public_of(opened)
            numbers[place] = other
            assert not groth16.verify(key.verifying_key, words(numbers), proof), (place, other)


def test_hosts_prove_the_same_slot_each_for_itself(key):
    opened = opening(3)
    for host in (bytes(20), bytes([255]) * 20):
        proof, public = key.prove(small().witness(**{**opened, "host": host}))
        assert public[-32:] == bytes(12) + host
        assert groth16.verify(key.verifying_key, public, proof)


@accepted("circuit.json")
def test_the_circuit_of_these_parameters_never_changes(row, tmp_path):
    """Keys are made for exactly these constraints; another circuit is another key."""
    StorageCircuit(**row["parameters"]).write_r1cs(tmp_path / "r1cs")
    assert [path.name for path in tmp_path.iterdir()] == ["r1cs"]
    data = (tmp_path / "r1cs").read_bytes()
    outputs, public, private, wires, constraints = groth16.circuit_counts(data)
    counts = {"private_inputs": private, "wires": wires, "constraints": constraints}
    assert (outputs, public, counts) == (0, 4, row["counts"])
    assert hashlib.sha256(data).hexdigest() == row["r1cs_sha256"]


@rejected("circuit.json")
def test_parameters_without_a_circuit_are_refused(row):
    with pytest.raises(BadEncoding):
        StorageCircuit(**row["parameters"])


def test_the_circuit_counts_its_wires_as_a_witness_has_them(tmp_path):
    small().write_r1cs(tmp_path / "r1cs")
    outputs, public, _, wires, _ = groth16.circuit_counts((tmp_path / "r1cs").read_bytes())
    assert (outputs, public) == (0, 4)
    assert wires == small().witness(**opening(4)).wires


def test_a_cell_may_be_given_as_its_data():
    circuit = StorageCircuit(**PARAMETERS)
    opened = opening(5)

    def data_of(felts: bytes) -> bytes:
        whole = b"".join(felts[at : at + 31] for at in range(0, 96, 32))
        return whole + felts[96:][: CELL_BYTES - len(whole)]

    data = [(data_of(cell), path) for cell, path in opened["samples"]]
    assert [len(cell) for cell, _ in data] == [CELL_BYTES] * 2
    as_data = circuit.witness(**{**opened, "samples": data})
    assert as_data.to_wtns() == circuit.witness(**opened).to_wtns()


def test_paths_may_be_filled_up_with_zeros():
    opened = opening(6)
    filled = {
        **opened,
        "slot_path": opened["slot_path"].ljust(3 * 32, b"\0"),
        "samples": [(cell, path.ljust(6 * 32, b"\0")) for cell, path in opened["samples"]],
    }
    assert small().witness(**filled).to_wtns() == small().witness(**opened).to_wtns()


def changed(**changes):
    return {**opening(7), **changes}


def one_more(felt: bytes) -> bytes:
    return bytes([felt[0] ^ 1]) + felt[1:]


def with_sample(number, cell=None, path=None):
    samples = list(opening(7)["samples"])
    samples[number] = (cell or samples[number][0], path or samples[number][1])
    return changed(samples=samples)


def test_what_proves_nothing_is_refused_with_the_clause_that_fails():
    opened = opening(7)
    cell, path = opened["samples"][1]
    for bad, text in [
        (with_sample(1, cell=one_more(cell)), "sample 2 of 2: the cell does not lead"),
        (with_sample(1, path=one_more(path)), "sample 2 of 2: the cell does not lead"),
        (changed(entropy=one_more(opened["entropy"])), "the cell does not lead to the slot root"),
        (changed(slot_index=3), "does not lead to the dataset root"),
        (changed(slot_root=one_more(opened["slot_root"])), "does not lead to the dataset root"),
        (changed(slot_path=one_more(opened["slot_path"])), "entry 0 of the slot proof is not zero"),
    ]:
        with pytest.raises(WitnessDoesNotSatisfy, match=text):
            small().witness(**bad)


def test_what_does_not_fit_is_refused_in_words():
    cell, path = opening(7)["samples"][0]
    high = MODULUS.to_bytes(32, "little")
    for bad, text in [
        (changed(cells_per_slot=12), "12 cells does not fit"),
        (changed(cells_per_slot=0), "0 cells does not fit"),
        (changed(cells_per_slot=2**64), "far too large"),
        (changed(slot_index=-1), "negative"),
        (changed(slot_index=5), "no slot 5 in a dataset of 5"),
        (changed(slot_count=9), "9 slots does not fit"),
        (changed(host=bytes(19)), "has 20 bytes, not 19"),
        (changed(entropy=bytes(31)), "has 96 bytes, not 95"),
        (changed(entropy=high), "the entropy is not below the modulus"),
        (changed(dataset_root=high), "the dataset root is not below"),
        (changed(slot_path=bytes(5)), "the slot proof is 5 bytes long"),
        (changed(slot_path=bytes(32 * 4)), "the slot proof has 4 entries"),
        (changed(slot_path=high), "the slot proof is not below"),
        (changed(samples=opening(7)["samples"][:1]), "1 samples were given"),
        (with_sample(0, cell=cell[:-64]), "do not make 4 field elements"),
        (with_sample(0, cell=high + cell[32:]), "sample 1: the cell is not below"),
        (with_sample(0, path=path + bytes(32 * 5)), "the circuit takes 6"),
        (with_sample(0, path=path + b"\1"), "129 bytes long, which is no multiple of 32"),
        (with_sample(0, path=path + b"\1" + bytes(31)), "entry 4 is not zero"),
        (with_sample(0, path=path + bytes(63) + b"\1"), "entry 5 is not zero"),
        (with_sample(0, path=path[:-32] + high), "sample 1: the path is not below"),
    ]:
        with pytest.raises(BadEncoding, match=text):
            small().witness(**bad)


def test_a_circuit_is_not_written_where_there_is_no_directory(tmp_path):
    with pytest.raises(NotFound):
        small().write_r1cs(tmp_path / "none" / "r1cs")


def test_a_program_that_is_none_is_refused(tmp_path):
    with pytest.raises(NotFound, match=r"none\.wasm cannot be read"):
        wasm_witness(tmp_path / "none.wasm", {})
    (tmp_path / "text.wasm").write_bytes(b"no program")
    with pytest.raises(BadEncoding, match="no witness program of circom"):
        wasm_witness(tmp_path / "text.wasm", {})
