"""Fuzz the JSON of snarkjs: what parses has one form of words, and comes back from it."""

import json

from quire.base.errors import BadEncoding, BadKey
from quire.formats import snarkjs
from quire.formats.snarkjs import parse_key_json, parse_proof_json, parse_public_json
from quire.kernels.groth16 import VerifyingKey
from support.vectors import load

VECTORS = ()
KNOWN = load("groth16.json")
PROOF = KNOWN["accept"][0]["json"]
KEY = json.dumps(KNOWN["key"])
SEEDS = (PROOF.encode(), KEY.encode(), b'["1", "2"]', b"[]", b"{}", b'{"nPublic": 1e9}')


def check(data: bytes) -> None:
    for parse, encode in (
        (parse_proof_json, snarkjs.encode_proof_json),
        (parse_public_json, snarkjs.encode_public_json),
        (parse_key_json, snarkjs.encode_key_json),
    ):
        try:
            words = parse(data)
        except BadEncoding:
            continue
        assert parse(encode(words)) == words
    try:
        key = VerifyingKey.from_json(data)
    except (BadEncoding, BadKey):
        return
    assert VerifyingKey.from_json(key.to_json()) == key


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
