"""Fuzz the journal's record of a slot's newest proof."""

from quire.base.errors import BadEncoding
from quire.services.proof_duty import LastProof, decode_last_proof

VECTORS = ()
SEEDS = (
    LastProof(14_989_680, bytes(range(32)), 1_798_761_610.5, 42.25).encode(),
    b'{"period": 1, "challenge": "00", "at": 1, "margin": 1}',
    b'{"period": 1e400, "challenge": "", "at": "nan", "margin": []}',
    b"[" * 4000,
    b'[{"period": 1}]',
)


def check(data: bytes) -> None:
    try:
        found = decode_last_proof(data)
    except BadEncoding:
        return
    assert decode_last_proof(found.encode()) == found


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
