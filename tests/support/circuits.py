"""A small circuit as the files of circom: the output is x**(2**n) for a private x, y is public."""

import itertools
import struct

MODULUS = 21888242871839275222246405745257275088548364400416034343698204186575808495617


def _section(number: int, payload: bytes) -> bytes:
    return struct.pack("<IQ", number, len(payload)) + payload


def _file(magic: bytes, version: int, *sections: bytes) -> bytes:
    return magic + struct.pack("<II", version, len(sections)) + b"".join(sections)


def _number(value: int) -> bytes:
    return (value % MODULUS).to_bytes(32, "little")


def _form(*terms: tuple[int, int]) -> bytes:
    return struct.pack("<I", len(terms)) + b"".join(
        struct.pack("<I", wire) + _number(value) for wire, value in terms
    )


def squares_r1cs(squarings: int) -> bytes:
    """Wires: 1, out, y (public), x (private), then each square; at least one squaring."""
    wires = 4 + squarings
    chain = [3, *range(4, wires)]
    constraints = [
        _form((a, 1)) + _form((a, 1)) + _form((b, 1)) for a, b in itertools.pairwise(chain)
    ]
    constraints.append(_form((chain[-1], 1), (2, -1)) + _form((0, 1)) + _form((1, 1), (2, -1)))
    header = struct.pack("<I", 32) + MODULUS.to_bytes(32, "little")
    header += struct.pack("<IIIIQI", wires, 1, 1, 1, wires, len(constraints))
    labels = struct.pack(f"<{wires}Q", *range(wires))
    sections = _section(1, header), _section(2, b"".join(constraints)), _section(3, labels)
    return _file(b"r1cs", 1, *sections)


def squares_witness(squarings: int, x: int, y: int) -> list[int]:
    chain = [x]
    for _ in range(squarings):
        chain.append(chain[-1] ** 2 % MODULUS)
    return [1, chain[-1], y, *chain]


def wtns_of(values: list[int]) -> bytes:
    header = struct.pack("<I", 32) + MODULUS.to_bytes(32, "little")
    header += struct.pack("<I", len(values))
    body = b"".join(map(_number, values))
    return _file(b"wtns", 2, _section(1, header), _section(2, body))
