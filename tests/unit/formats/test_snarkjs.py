"""The JSON files of snarkjs, and JSON that is none of them."""

import json

import pytest

from quire.base.errors import BadEncoding
from quire.formats import snarkjs
from support.vectors import load

VECTORS = load("groth16.json")
KNOWN = VECTORS["accept"][0]
PROOF = json.loads(KNOWN["json"])


def test_a_known_proof_has_its_words_unswapped():
    words = snarkjs.parse_proof_json(KNOWN["json"])
    assert words.hex() == KNOWN["hex"]
    assert int.from_bytes(words[64:96]) == int(PROOF["pi_b"][0][0])
    assert json.loads(snarkjs.encode_proof_json(words)) == PROOF


def test_public_inputs_come_back_from_their_json():
    public = bytes.fromhex(KNOWN["public"])
    assert snarkjs.parse_public_json(snarkjs.encode_public_json(public)) == public
    assert snarkjs.parse_public_json(b"[]") == b""


def test_a_key_comes_back_from_its_json():
    words = snarkjs.parse_key_json(json.dumps(VECTORS["key"]))
    assert len(words) == 32 * (14 + 2 * 4)
    assert json.loads(snarkjs.encode_key_json(words)) == VECTORS["key"]


def changed(fields, **changes):
    return json.dumps({**fields, **changes})


Q = str(snarkjs.COORDINATE_MODULUS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        "[" * 100_000,
        changed(PROOF, protocol="plonk"),
        changed(PROOF, curve="bls12381"),
        changed(PROOF, pi_a=None),
        changed(PROOF, pi_a=PROOF["pi_a"][:2]),
        changed(PROOF, pi_a=[*PROOF["pi_a"][:2], "2"]),
        changed(PROOF, pi_a=["0", "1", "0"]),
        changed(PROOF, pi_a=[Q, "1", "1"]),
        changed(PROOF, pi_a=[5, 6, "1"]),
        changed(PROOF, pi_a=["-5", "6", "1"]),
        changed(PROOF, pi_a=["0x5", "6", "1"]),
        changed(PROOF, pi_a=["٣", "6", "1"]),
        changed(PROOF, pi_a=["1" * 5000, "6", "1"]),
        changed(PROOF, pi_b=PROOF["pi_a"]),
        changed(PROOF, pi_b=[*PROOF["pi_b"][:2], ["1", "1"]]),
        changed(PROOF, pi_b=[["1"], ["1", "2"], ["1", "0"]]),
        changed(PROOF, pi_c={"x": "1"}),
    ],
)
def test_json_that_is_no_proof_is_refused(text):
    with pytest.raises(BadEncoding):
        snarkjs.parse_proof_json(text)


@pytest.mark.parametrize("text", ["{}", "[1]", '["x"]', '[["1"]]', f'["{snarkjs.MODULUS}"]', "1"])
def test_json_that_is_no_public_input_is_refused(text):
    with pytest.raises(BadEncoding):
        snarkjs.parse_public_json(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"protocol": "fflonk"},
        {"nPublic": 2},
        {"nPublic": None},
        {"IC": []},
        {"IC": "IC"},
        {"IC": [["1", "2"]] * 4},
        {"vk_gamma_2": ["1", "2", "1"]},
        {"vk_alpha_1": ["1", Q, "1"]},
    ],
)
def test_json_that_is_no_key_is_refused(changes):
    with pytest.raises(BadEncoding):
        snarkjs.parse_key_json(changed(VECTORS["key"], **changes))


@pytest.mark.parametrize("length", [0, 255, 257])
def test_words_of_another_length_have_no_json(length):
    with pytest.raises(BadEncoding):
        snarkjs.encode_proof_json(bytes(length))
    with pytest.raises(BadEncoding):
        snarkjs.encode_key_json(bytes(length))


def test_a_text_of_megabytes_is_not_parsed():
    with pytest.raises(BadEncoding, match="characters"):
        snarkjs.parse_public_json(" " * (snarkjs.MAX_TEXT + 1))
