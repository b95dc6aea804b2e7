"""Keys of accounts: files that nobody else can read, keystores, and what they sign."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import coincurve
import pytest
import rlp
from click.testing import CliRunner

from quire.base.errors import BadConfig, EnvironmentProblem, UnsafePermissions
from quire.chain.fees import DynamicFees, LegacyFees
from quire.chain.key_file import open_key_file, parse_key, read_secret, show_key, write_secret
from quire.chain.keystore import decrypt_keystore, encrypt_keystore, open_keystore, parse_keystore
from quire.chain.wallet import GROUP_ORDER, Unsigned, Wallet, make_key
from quire.faces.cli.key import key_command
from quire.kernels.keccak import keccak256
from quire.kernels.signing import recover_address

KEY = bytes([0x46]) * 32
ADDRESS = "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"
# Web3 Secret Storage Definition, version 3, the test vector with PBKDF2.
PASSWORD = "testpassword"
SECRET = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
KEYSTORE: dict[str, Any] = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}


def changed(path: str, value: object) -> bytes:
    """The keystore with another value at a dotted path; None: without it."""
    fields = json.loads(json.dumps(KEYSTORE))
    *parents, last = path.split(".")
    place = fields
    for name in parents:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return json.dumps(fields).encode()


def test_the_signature_of_a_legacy_transaction_is_that_of_eip_155() -> None:
    unsigned = Unsigned(1, 9, b"\x35" * 20, b"", 10**18, 21000, LegacyFees(20 * 10**9))
    assert Wallet(KEY).sign(unsigned).raw.hex() == (
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a0"
        "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb70330"
        "4b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    )


def test_a_transaction_of_type_2_is_encoded_and_signed_as_eip_1559_says() -> None:
    to, data = b"\x35" * 20, bytes(range(200))
    wallet = Wallet(KEY)
    signed = wallet.sign(Unsigned(31337, 3, to, data, 5, 90000, DynamicFees(7, 2)))
    assert signed.hash == keccak256(signed.raw)
    assert signed.raw[0] == 2
    fields = rlp.decode(signed.raw[1:])
    numbers = [int.from_bytes(f, "big") for f in (*fields[:5], fields[6])]
    assert numbers == [31337, 3, 2, 7, 90000, 5]
    assert (fields[5], fields[7], fields[8]) == (to, data, [])
    digest = keccak256(b"\x02" + rlp.encode(fields[:9]))
    parity, r, s = (int.from_bytes(f, "big") for f in fields[9:])
    assert s <= GROUP_ORDER // 2
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
    public = coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None)
    assert keccak256(public.format(compressed=False)[1:])[12:] == wallet.address


def test_an_address_has_the_checksum_of_eip_55_and_the_key_shows_nowhere() -> None:
    wallet = Wallet(KEY)
    assert wallet.address_text == ADDRESS
    assert wallet.address.hex() == ADDRESS[2:].lower()
    assert repr(wallet) == f"Wallet({ADDRESS})"
    assert KEY.hex() not in repr(vars(wallet))


def test_a_digest_is_signed_as_ethereum_does_and_its_account_is_found_again() -> None:
    wallet, digest = Wallet(KEY), keccak256(b"a voucher")
    signature = wallet.sign_digest(digest)
    assert recover_address(signature, digest) == wallet.address
    assert recover_address(signature, keccak256(b"another")) != wallet.address
    assert wallet.sign_digest(digest) == signature


@pytest.mark.parametrize("key", [b"", b"\x01" * 31, bytes(32), GROUP_ORDER.to_bytes(32, "big")])
def test_what_is_no_key_of_the_curve_is_refused(key: bytes) -> None:
    with pytest.raises(BadConfig, match="account key"):
        Wallet(key)


@pytest.mark.parametrize("text", [KEY.hex(), f"0x{KEY.hex()}", f"  0x{KEY.hex().upper()}\r\n"])
def test_keys_are_read_as_wallets_write_them(text: str) -> None:
    assert parse_key(text.replace("0X", "0x")) == KEY


@pytest.mark.parametrize(
    "text", ["", "0x", KEY.hex()[1:], KEY.hex() + "00", "zz" * 32, "00" * 32, "٣" * 64, "46 " * 32]
)
def test_a_text_that_is_no_key_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(BadConfig) as caught:
        parse_key(text)
    assert text.strip() == "" or text not in caught.value.message


def test_new_keys_differ_and_are_written_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "account.key"
    key = make_key()
    assert key != make_key()
    old = os.umask(0)
    try:
        write_secret(path, show_key(key).encode(), "key")
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    assert open_key_file(path).address == Wallet(key).address
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(EnvironmentProblem, match="exists already"):
        write_secret(path, b"other", "key")
    assert open_key_file(path).address == Wallet(key).address


@pytest.mark.parametrize("mode", [0o400, 0o604, 0o640, 0o644, 0o700, 0o666])
def test_a_file_that_has_another_mode_than_0600_is_not_used(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "account.key"
    write_secret(path, show_key(KEY).encode(), "key")
    path.chmod(mode)
    with pytest.raises(UnsafePermissions, match=f"mode {mode:04o}.*chmod 600"):
        open_key_file(path)


def test_a_file_that_is_missing_or_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="No such file"):
        open_key_file(tmp_path / "none")
    write_secret(tmp_path / "long", b"0" * 100_000, "key")
    with pytest.raises(BadConfig, match="more than 65536 bytes"):
        read_secret(tmp_path / "long", "key")


def test_a_keystore_of_the_definition_is_opened() -> None:
    fields = parse_keystore(json.dumps(KEYSTORE).encode())
    assert decrypt_keystore(fields, PASSWORD).hex() == SECRET


def test_a_keystore_comes_back_with_its_password_alone(tmp_path: Path) -> None:
    write_secret(tmp_path / "key.json", encrypt_keystore(KEY, "pässword"), "keystore")
    write_secret(tmp_path / "right", "pässword\nsecond line\n".encode(), "password")
    write_secret(tmp_path / "wrong", b"password", "password")
    write_secret(tmp_path / "empty", b"\n", "password")
    assert open_keystore(tmp_path / "key.json", tmp_path / "right").address_text == ADDRESS
    with pytest.raises(BadConfig, match=r"key\.json: the password does not open"):
        open_keystore(tmp_path / "key.json", tmp_path / "wrong")
    with pytest.raises(BadConfig, match="empty line"):
        open_keystore(tmp_path / "key.json", tmp_path / "empty")


def test_a_keystore_that_names_another_account_is_refused() -> None:
    with pytest.raises(BadConfig, match="says that it is of account"):
        decrypt_keystore(parse_keystore(changed("address", ADDRESS)), PASSWORD)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 4),
        ("version", None),
        ("crypto", None),
        ("crypto.cipher", "aes-128-cbc"),
        ("crypto.ciphertext", "00"),
        ("crypto.ciphertext", 5),
        ("crypto.mac", None),
        ("crypto.cipherparams", []),
        ("crypto.cipherparams.iv", "zz"),
        ("crypto.kdf", "argon2"),
        ("crypto.kdfparams", None),
        ("crypto.kdfparams.dklen", 16),
        ("crypto.kdfparams.salt", None),
        ("crypto.kdfparams.prf", "hmac-md5"),
        ("crypto.kdfparams.c", 0),
        ("crypto.kdfparams.c", 10**9),
        ("crypto.kdfparams.c", True),
    ],
)
def test_a_keystore_that_is_broken_or_too_costly_is_refused(path: str, value: object) -> None:
    with pytest.raises(BadConfig):
        parse_keystore(changed(path, value))


@pytest.mark.parametrize(
    "params", [{"n": 3}, {"n": 2**24}, {"r": 2**20}, {"p": 2**20}, {"n": -2}, {"n": 1}, {"n": "2"}]
)
def test_scrypt_that_would_take_the_machine_is_refused(params: dict[str, object]) -> None:
    fields = json.loads(json.dumps(KEYSTORE))
    scrypt = {"n": 2**18, "r": 8, "p": 1, "dklen": 32, "salt": "00"}
    fields["crypto"] |= {"kdf": "scrypt", "kdfparams": scrypt}
    assert parse_keystore(json.dumps(fields).encode())
    fields["crypto"]["kdfparams"] = scrypt | params
    with pytest.raises(BadConfig):
        parse_keystore(json.dumps(fields).encode())


def test_the_command_makes_shows_and_brings_in_keys(tmp_path: Path) -> None:
    password = tmp_path / "password"
    write_secret(password, b"secret\n", "password")
    plain, sealed, back = (str(tmp_path / name) for name in ("plain", "sealed", "back"))
    secret = str(password)
    runs = [
        ["new", plain],
        ["show", plain],
        ["import", plain, sealed, "--password-file", secret],
        ["show", sealed, "--password-file", secret],
        ["import", sealed, back, "--source-password-file", secret],
    ]
    said = [CliRunner().invoke(key_command, run, catch_exceptions=False).output for run in runs]
    assert said == [said[0]] * len(runs)
    assert Path(plain).read_bytes() == Path(back).read_bytes()
    assert Path(sealed).stat().st_mode & 0o777 == 0o600
    shown = CliRunner().invoke(key_command, ["show", plain, "--json"]).output
    assert json.loads(shown) == {"address": said[0].strip(), "path": plain, "kind": "plain"}
