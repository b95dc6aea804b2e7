"""Proofs, public inputs and verifying keys as the JSON files of snarkjs, and as words.

A word is 32 bytes, big-endian. A point of G1 is two words (x, y), one of G2 four (x real, x
imaginary, y real, y imaginary): the order of the JSON and of the contract, without a swap
(proofs.md 4.6). The JSON holds decimal texts and a third coordinate, which is one.

    proof          pi_a (G1), pi_b (G2), pi_c (G1)                          8 words
    verifying key  vk_alpha_1 (G1), vk_beta_2, vk_gamma_2, vk_delta_2 (G2), IC (each G1)
    public inputs  a list of numbers                                        1 word each

Only the shape and the range of the numbers are checked here; whether points lie on their curves is
for `kernels.groth16`.
"""

from __future__ import annotations

import json

from quire.base.errors import BadEncoding
from quire.formats.felt import MODULUS

WORD_BYTES = 32
PROOF_BYTES = 8 * WORD_BYTES
COORDINATE_MODULUS = 21888242871839275222246405745257275088696311157297823662689037894645226208583
MAX_TEXT = 1 << 20
MAX_DIGITS = 78
G2_NAMES = ("vk_beta_2", "vk_gamma_2", "vk_delta_2")
KEY_FIXED_WORDS = 2 + 4 * len(G2_NAMES)


def parse_proof_json(text: str | bytes) -> bytes:
    """The 256 bytes of a proof.json. Raises `BadEncoding`."""
    fields = _object(text, "a proof")
    return b"".join(
        (
            _g1(fields.get("pi_a"), "pi_a"),
            _g2(fields.get("pi_b"), "pi_b"),
            _g1(fields.get("pi_c"), "pi_c"),
        )
    )


def encode_proof_json(proof: bytes) -> str:
    """The proof.json of 256 bytes. Raises `BadEncoding` for another length."""
    if len(proof) != PROOF_BYTES:
        raise BadEncoding(f"a proof has {PROOF_BYTES} bytes, not {len(proof)}")
    fields = {
        "pi_a": _g1_texts(proof[:64]),
        "pi_b": _g2_texts(proof[64:192]),
        "pi_c": _g1_texts(proof[192:]),
        "protocol": "groth16",
        "curve": "bn128",
    }
    return json.dumps(fields, indent=1) + "\n"


def parse_public_json(text: str | bytes) -> bytes:
    """The words of a public.json, 32 bytes each. Raises `BadEncoding`."""
    values = _loaded(text, "public inputs")
    if not isinstance(values, list):
        raise BadEncoding("public inputs are a list of numbers as text")
    return b"".join(_word(value, "a public input", MODULUS) for value in values)


def encode_public_json(public: bytes) -> str:
    """The public.json of words. Raises `BadEncoding` when they are not whole."""
    if len(public) % WORD_BYTES:
        raise BadEncoding(f"{len(public)} bytes are not whole public inputs of {WORD_BYTES}")
    return json.dumps(_texts(public), indent=1) + "\n"


def parse_key_json(text: str | bytes) -> bytes:
    """The words of a verification_key.json. Raises `BadEncoding`."""
    fields = _object(text, "a verifying key")
    inputs = fields.get("IC")
    if not isinstance(inputs, list) or not inputs:
        raise BadEncoding("IC of a verifying key is a list of points")
    if fields.get("nPublic") != len(inputs) - 1:
        raise BadEncoding("nPublic of a verifying key is one less than the points of IC")
    points = [_g1(fields.get("vk_alpha_1"), "vk_alpha_1")]
    points += [_g2(fields.get(name), name) for name in G2_NAMES]
    return b"".join((*points, *(_g1(point, "a point of IC") for point in inputs)))


def encode_key_json(words: bytes) -> str:
    """The verification_key.json of words, without the pairing of alpha and beta, which snarkjs and
    the contract compute by themselves. Raises `BadEncoding` for a wrong length."""
    count, rest = divmod(len(words) - KEY_FIXED_WORDS * WORD_BYTES, 2 * WORD_BYTES)
    if rest or count < 1:
        raise BadEncoding(f"{len(words)} bytes are no verifying key")
    ends = [64 + 128 * index for index in range(len(G2_NAMES) + 1)]
    fields: dict[str, object] = {
        "protocol": "groth16",
        "curve": "bn128",
        "nPublic": count - 1,
        "vk_alpha_1": _g1_texts(words[:64]),
    }
    for name, start, end in zip(G2_NAMES, ends, ends[1:], strict=False):
        fields[name] = _g2_texts(words[start:end])
    points = range(ends[-1], len(words), 64)
    fields["IC"] = [_g1_texts(words[start : start + 64]) for start in points]
    return json.dumps(fields, indent=1) + "\n"


def _loaded(text: str | bytes, what: str) -> object:
    if len(text) > MAX_TEXT:
        raise BadEncoding(f"the JSON of {what} has more than {MAX_TEXT} characters")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadEncoding(f"the JSON of {what} does not parse") from None


def _object(text: str | bytes, what: str) -> dict[str, object]:
    fields = _loaded(text, what)
    if not isinstance(fields, dict):
        raise BadEncoding(f"the JSON of {what} is an object")
    if fields.get("protocol") != "groth16" or fields.get("curve") != "bn128":
        raise BadEncoding(f"{what} is of Groth16 on bn128, by its fields protocol and curve")
    return fields


def _word(value: object, what: str, modulus: int) -> bytes:
    digits = isinstance(value, str) and value.isascii() and value.isdigit()
    if not digits or len(str(value)) > MAX_DIGITS:
        raise BadEncoding(f"{what} is a decimal number as text")
    number = int(str(value))
    if number >= modulus:
        raise BadEncoding(f"{what} is not below the order of its field")
    return number.to_bytes(WORD_BYTES)


def _g1(point: object, what: str) -> bytes:
    if not isinstance(point, list) or len(point) != 3 or point[2] != "1":
        raise BadEncoding(f"{what} is a point of two coordinates and one")
    return b"".join(_word(value, what, COORDINATE_MODULUS) for value in point[:2])


def _g2(point: object, what: str) -> bytes:
    pairs = isinstance(point, list) and len(point) == 3 and point[2] == ["1", "0"]
    if not pairs or not all(isinstance(pair, list) and len(pair) == 2 for pair in _list(point)):
        raise BadEncoding(f"{what} is a point of two pairs of coordinates and one")
    flat = [value for pair in _list(point)[:2] for value in _list(pair)]
    return b"".join(_word(value, what, COORDINATE_MODULUS) for value in flat)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _texts(words: bytes) -> list[str]:
    starts = range(0, len(words), WORD_BYTES)
    return [str(int.from_bytes(words[start : start + WORD_BYTES])) for start in starts]


def _g1_texts(words: bytes) -> list[str]:
    return [*_texts(words), "1"]


def _g2_texts(words: bytes) -> list[list[str]]:
    return [_texts(words[:64]), _texts(words[64:]), ["1", "0"]]
