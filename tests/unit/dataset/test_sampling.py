"""Entropy, the cells that it draws, and the evidence for one of them."""

import random

import pytest

from quire.base.errors import BadEncoding, InputError, ProofInvalid
from quire.dataset.sampling import (
    CellSample,
    entropy_of_challenge,
    parse_challenge,
    parse_entropy,
    sample_indices,
)
from quire.formats.felt import MODULUS
from quire.kernels import poseidon2
from support.vectors import accepted, load, rejected

ROOT = (7).to_bytes(32, "little")


def felt(decimal: str) -> bytes:
    return int(decimal).to_bytes(32, "little")


@accepted("slots.json")
def test_challenges_become_the_entropy_and_draw_the_cells_of_the_reference(row):
    for known in row["inputs"]:
        entropy = entropy_of_challenge(parse_challenge(known["challenge"]))
        assert entropy == felt(known["entropy"])
        cells = sample_indices(entropy, felt(known["slotRoot"]), known["cells"], 5)
        assert cells == known["indices"]


def test_the_last_byte_of_a_challenge_does_not_count():
    known = load("slots.json")["fixture"]
    assert entropy_of_challenge(bytes.fromhex(known["challenge"])) == felt(
        known["challengeEntropy"]
    )
    assert entropy_of_challenge(b"\xff" * 32) == entropy_of_challenge(b"\xff" * 31 + b"\0")


def test_challenge_and_entropy_may_have_a_prefix_and_capitals():
    assert parse_challenge("0x" + "aB" * 32) == parse_challenge("Ab" * 32) == b"\xab" * 32
    assert parse_entropy("0xFF") == parse_entropy("ff") == parse_entropy("00ff") == felt("255")
    assert parse_entropy(hex(MODULUS - 1)) == felt(str(MODULUS - 1))
    assert parse_entropy("0") == bytes(32)


@rejected("slots.json")
def test_what_is_no_challenge_or_entropy_is_refused(row):
    parse = parse_challenge if row["kind"] == "challenge" else parse_entropy
    with pytest.raises(InputError, match=r"entropy|challenge"):
        parse(row["text"])


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_challenge_of_another_length_is_refused(length):
    with pytest.raises(InputError):
        entropy_of_challenge(bytes(length))


@pytest.mark.parametrize(
    ("cells", "samples"), [(0, 5), (1, 5), (3, 5), (48, 5), (1 << 33, 5), (32, 0), (32, 1001)]
)
def test_counts_outside_their_limits_are_refused(cells, samples):
    with pytest.raises(InputError):
        sample_indices(bytes(32), ROOT, cells, samples)


@pytest.mark.parametrize("bad", [bytes(31), MODULUS.to_bytes(32, "little"), b"\xff" * 32])
def test_felts_that_are_none_are_refused(bad):
    for entropy, root in ((bad, ROOT), (ROOT, bad)):
        with pytest.raises(BadEncoding):
            sample_indices(entropy, root, 32, 5)


@pytest.mark.parametrize(("block_size", "blocks"), [(65536, 4), (65536, 1), (8192, 8), (4096, 1)])
def test_every_cell_of_a_slot_leads_to_its_root(block_size, blocks):
    data = random.Random(1).randbytes(block_size * blocks)
    layers = poseidon2.tree(poseidon2.block_digests(data, block_size))
    per_block = block_size // 2048
    for index in range(0, blocks * per_block, 7):
        block, cell = divmod(index, per_block)
        path = poseidon2.path(layers, blocks, block)
        content = data[block * block_size : (block + 1) * block_size]
        sample = CellSample.of(content, cell, 2048, path)
        assert sample.cell == data[index * 2048 : (index + 1) * 2048]
        sample.check(index, per_block, blocks, layers[-32:])
        with pytest.raises(ProofInvalid):
            sample.check(index ^ 1, per_block, blocks, layers[-32:])


def make_sample() -> tuple[CellSample, bytes]:
    data = random.Random(1).randbytes(4 * 65536)
    layers = poseidon2.tree(poseidon2.block_digests(data, 65536))
    return CellSample.of(data[65536 : 2 * 65536], 5, 2048, poseidon2.path(layers, 4, 1)), layers[
        -32:
    ]


@pytest.mark.parametrize("part", ["cell", "block_path", "slot_path"])
@pytest.mark.parametrize("how", ["flip", "cut", "grow", "not a felt"])
def test_changed_evidence_is_refused(part, how):
    sample, root = make_sample()
    sample.check(37, 32, 4, root)
    value = bytearray(getattr(sample, part))
    if how == "flip":
        value[3] ^= 1
    elif how == "cut":
        del value[-32:]
    elif how == "grow":
        value += bytes(32)
    else:
        value[:32] = b"\xff" * 32
    parts = {"cell": sample.cell, "block_path": sample.block_path, "slot_path": sample.slot_path}
    changed = CellSample(**{**parts, part: bytes(value)})
    with pytest.raises(ProofInvalid, match="cell 37"):
        changed.check(37, 32, 4, root)


@pytest.mark.parametrize("cell", [-1, 32])
def test_a_cell_outside_its_block_is_refused(cell):
    with pytest.raises(InputError):
        CellSample.of(bytes(65536), cell, 2048, bytes(32))


def test_a_block_that_is_not_whole_cells_is_refused():
    with pytest.raises(InputError):
        CellSample.of(bytes(5000), 0, 2048, bytes(32))
