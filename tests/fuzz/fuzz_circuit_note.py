"""Fuzz `decode_circuit_note`: what is accepted comes back."""

from quire.base.errors import InputError
from quire.dataset.circuit import CircuitParameters
from quire.services.circuit_files import CircuitNote, decode_circuit_note

VECTORS = ()
SEEDS = (
    CircuitNote(CircuitParameters(), bytes(32), b"r" * 32, "seed").encode(),
    CircuitNote(CircuitParameters("codex", 100), bytes(32), b"r" * 32, None).encode(),
)


def check(data: bytes) -> None:
    try:
        note = decode_circuit_note(data)
    except InputError:
        return
    assert decode_circuit_note(note.encode()) == note


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
