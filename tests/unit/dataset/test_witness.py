"""A witness has one encoding for its circuit; everything else is refused before it is kept."""

from __future__ import annotations

import dataclasses
import struct

import pytest

from quire.base.errors import BadEncoding, InputError, ProofInvalid
from quire.dataset.circuit import OFFICIAL, CircuitParameters
from quire.dataset.witness import decode_witness, encode_witness
from quire.formats.felt import MODULUS
from quire.services.circuit_check import trial_input
from support.prove_kit import HOST, SMALL, TINY

DEFAULT = CircuitParameters()
ENTROPY, ROOT, SLOT_ROOT, SLOT, SLOTS, LOG_CELLS, CELL = 1, 33, 65, 97, 101, 105, 106  # offsets
END_OF_HEAD = 110
MADE = trial_input(TINY)
DATA = encode_witness(MADE, HOST)
NO_FELT = MODULUS.to_bytes(32, "little")


@pytest.mark.parametrize(
    "circuit",
    [
        DEFAULT,
        SMALL,
        TINY,
        CircuitParameters(OFFICIAL),
        CircuitParameters(samples=100),
        CircuitParameters(block_depth=3, cell_elements=34),
    ],
)
def test_a_witness_comes_back_and_holds(circuit: CircuitParameters) -> None:
    made, host = trial_input(circuit), HOST if circuit.binds_host else None
    data = encode_witness(made, host)
    assert decode_witness(memoryview(data), circuit) == (made, host)
    decode_witness(data, circuit)[0].check()


def test_a_slot_of_one_block_and_a_dataset_of_one_slot_come_back() -> None:
    made = dataclasses.replace(
        MADE,
        slot_index=0,
        slot_count=1,
        slot_path=bytes(32),
        cells_per_slot=MADE.cells_per_block,
    )
    assert decode_witness(encode_witness(made, HOST), TINY) == (made, HOST)


def test_one_with_the_default_circuit_is_a_few_kilobytes() -> None:
    """8 KiB a proof and not 64 KiB for each cell: whole blocks are not in it."""
    assert len(encode_witness(trial_input(DEFAULT), HOST)) < 12_000


def test_one_that_no_aggregator_takes_is_not_made() -> None:
    with pytest.raises(InputError, match="600 samples"):
        encode_witness(dataclasses.replace(MADE, samples=MADE.samples * 600), HOST)


def put(at: int, new: bytes, data: bytes = DATA) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def number(value: int) -> bytes:
    return struct.pack(">I", value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "110 bytes and more"),
        (DATA[:109], "110 bytes and more"),
        (DATA[:110], "has 2274 bytes, not 110"),
        (DATA[:-1], "has 2274 bytes, not 2273"),
        (DATA + b"\0", "has 2274 bytes, not 2275"),
        (put(0, b"\0"), "version 0"),
        (put(0, b"\2"), "version 2"),
        (put(ENTROPY, NO_FELT), "modulus"),
        (put(ROOT, NO_FELT), "modulus"),
        (put(SLOT_ROOT, b"\xff" * 32), "modulus"),
        (put(SLOT, number(2)), "slot 2 of 2"),
        (put(SLOT, number(0xFFFFFFFF)), "of 2"),
        (put(SLOTS, number(0)), "slot 1 of 0"),
        (put(SLOTS, number(1)), "slot 1 of 1"),
        (put(SLOTS, number(3)), "has 2306 bytes, not 2274"),
        (put(SLOTS, number(9)), "8 slots at most, not 9"),
        (put(SLOTS, number(0xFFFFFFFF)), "8 slots at most"),
        (put(LOG_CELLS, b"\0"), r"from 2\^1 to 2\^6 cells, not 2\^0"),
        (put(LOG_CELLS, b"\7"), r"from 2\^1 to 2\^6 cells, not 2\^7"),
        (put(LOG_CELLS, b"\xff"), r"not 2\^255"),
        (put(LOG_CELLS, b"\3"), "has 2306 bytes"),
        (put(CELL, number(0)), "67 field elements"),
        (put(CELL, number(0xFFFFFFFF)), "67 field elements"),
        (put(CELL, number(2047)), "not 2274"),
        (put(END_OF_HEAD + 20, NO_FELT), "modulus"),  # the path of the slot root
        (put(len(DATA) - 32, NO_FELT), "modulus"),  # of the block
        (put(len(DATA) - 64, NO_FELT), "modulus"),  # of the cell
    ],
)
def test_what_is_no_witness_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(BadEncoding, match=words):
        decode_witness(data, TINY)


def test_a_witness_for_another_circuit_is_refused() -> None:
    for other in (
        dataclasses.replace(TINY, samples=2),
        dataclasses.replace(TINY, family=OFFICIAL),
        dataclasses.replace(TINY, block_depth=2),
        dataclasses.replace(TINY, cell_elements=66),
    ):
        with pytest.raises(BadEncoding):
            decode_witness(DATA, other)


def test_a_changed_cell_or_path_is_read_and_does_not_hold() -> None:
    for at in (ROOT, SLOT_ROOT, END_OF_HEAD + 20, END_OF_HEAD + 60, len(DATA) - 64):
        with pytest.raises(ProofInvalid):
            decode_witness(put(at, bytes([DATA[at] ^ 1])), TINY)[0].check()
