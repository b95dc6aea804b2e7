"""Fuzz `decode_proof` and `check`: no proof stands for another leaf."""

from quire.base.errors import BadEncoding, ProofInvalid
from quire.formats.merkle import decode_proof

VECTORS = ("merkle.json",)


def check(data: bytes) -> None:
    try:
        proof = decode_proof(data)
    except BadEncoding:
        return
    assert decode_proof(proof.encode()) == proof
    try:
        proof.check(b"\xa5" * 32, b"\x5a" * 32, index=proof.index)
    except ProofInvalid:
        return
    raise AssertionError("a proof leads from one constant to another")


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
