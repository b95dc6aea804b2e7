"""Fuzz keystores and key files: what is let through is affordable to open, or a key."""

import contextlib
import json

from quire.base.errors import BadConfig
from quire.chain.key_file import parse_key, show_key
from quire.chain.keystore import PBKDF2_ROUNDS_MAX, SCRYPT_BYTES_MAX, parse_keystore

VECTORS = ()
CRYPTO = {
    "cipher": "aes-128-ctr",
    "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
    "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
    "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
}
SCRYPT = {"dklen": 32, "n": 262144, "p": 8, "r": 1, "salt": "ab0c7876052600dd703518d6fc3fe8984592"}
PBKDF2 = {"c": 262144, "dklen": 32, "prf": "hmac-sha256", "salt": "ae3cd4e7013836a3df6bd7241b12db"}
SEEDS = (
    json.dumps({"version": 3, "crypto": CRYPTO | {"kdf": "scrypt", "kdfparams": SCRYPT}}).encode(),
    json.dumps({"version": 3, "Crypto": CRYPTO | {"kdf": "pbkdf2", "kdfparams": PBKDF2}}).encode(),
    b"0x" + b"01" * 32 + b"\n",
    b"00" * 32,
)


def check(data: bytes) -> None:
    with contextlib.suppress(BadConfig):
        key = parse_key(data.decode("ascii", "replace"))
        assert parse_key(show_key(key)) == key
    try:
        fields = parse_keystore(data)
    except BadConfig:
        return
    crypto = fields.get("crypto", fields.get("Crypto"))
    params = crypto["kdfparams"]
    if crypto["kdf"] == "scrypt":
        assert 128 * params["n"] * params["r"] <= SCRYPT_BYTES_MAX
    else:
        assert params["c"] <= PBKDF2_ROUNDS_MAX


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
