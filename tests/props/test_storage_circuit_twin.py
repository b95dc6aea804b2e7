"""The native witness is made exactly when the statement holds, whatever the inputs are."""

from hypothesis import given, settings
from hypothesis import strategies as st

from oracles import storage_circuit
from quire.base.errors import BadEncoding, WitnessDoesNotSatisfy
from quire.kernels.circuit import StorageCircuit
from support.openings import MODULUS, PARAMETERS, opening

CIRCUIT = StorageCircuit(**PARAMETERS)
NUMBERS = {"slot_index": 10, "cells_per_slot": 130, "slot_count": 10}
FELTS = ("entropy", "dataset_root", "slot_root", "slot_path")


def accepted(opened) -> bool:
    try:
        CIRCUIT.witness(**opened)
    except (BadEncoding, WitnessDoesNotSatisfy):
        return False
    return True


@st.composite
def openings(draw):
    slots = draw(st.integers(1, 8))
    blocks = 1 << draw(st.integers(0, 4))
    return opening(draw(st.integers(0, 9)), slots, draw(st.integers(0, slots - 1)), blocks)


def moved(draw, felts: bytes) -> bytes:
    """Another felt in one place, or one more or fewer."""
    how = draw(st.sampled_from(["change", "zero", "modulus", "cut", "add"]))
    place = 32 * draw(st.integers(0, max(0, len(felts) // 32 - 1)))
    if how == "cut":
        return felts[: len(felts) - draw(st.sampled_from([1, 32]))]
    if how == "add":
        return felts + draw(st.sampled_from([bytes(32), b"\1" + bytes(31)]))
    new = {"change": draw(st.integers(0, MODULUS - 1)), "zero": 0, "modulus": MODULUS}[how]
    return felts[:place] + new.to_bytes(32, "little") + felts[place + 32 :]


@given(openings())
@settings(max_examples=40)
def test_honest_openings_are_accepted_by_both(opened):
    assert storage_circuit.holds(PARAMETERS, opened)
    assert accepted(opened)


@given(openings(), st.data())
@settings(max_examples=150)
def test_both_accept_and_refuse_the_same_changed_openings(opened, data):
    what = data.draw(st.sampled_from([*NUMBERS, *FELTS, "cell", "path"]))
    if what in NUMBERS:
        opened[what] = data.draw(st.integers(0, NUMBERS[what]))
    elif what in FELTS:
        opened[what] = moved(data.draw, opened[what])
    else:
        number = data.draw(st.integers(0, len(opened["samples"]) - 1))
        cell, path = opened["samples"][number]
        both = {"cell": cell, "path": path}
        both[what] = moved(data.draw, both[what])
        opened["samples"][number] = (both["cell"], both["path"])
    assert accepted(opened) == storage_circuit.holds(PARAMETERS, opened)
