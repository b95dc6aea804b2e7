"""Fuzz `decode_witness`: what is accepted has one encoding, and has been counted before."""

from dataclasses import replace

from quire.base.errors import BadEncoding
from quire.dataset.circuit import OFFICIAL
from quire.dataset.witness import decode_witness, encode_witness
from quire.services.circuit_check import trial_input
from support.prove_kit import HOST, TINY

VECTORS = ()
CIRCUITS = (TINY, replace(TINY, family=OFFICIAL))
MADE = trial_input(TINY)
ONE = replace(MADE, slot_index=0, slot_count=1, slot_path=bytes(32))
SEEDS = (encode_witness(MADE, HOST), encode_witness(MADE, None), encode_witness(ONE, HOST))


def check(data: bytes) -> None:
    for circuit in CIRCUITS:
        try:
            made, host = decode_witness(data, circuit)
        except BadEncoding:
            continue
        assert encode_witness(made, host) == data
        assert len(made.samples) == circuit.samples


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
