"""Ciphers and key derivation against published answers."""

import pytest

from quire.base.errors import Bug, IntegrityError
from quire.kernels import cipher
from quire.kernels.cipher import Aead, Suite


def test_hkdf_gives_the_answers_of_rfc_5869():
    prk = cipher.hkdf_extract(bytes(range(13)), b"\x0b" * 22)
    assert prk.hex() == "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"
    made = cipher.hkdf_expand(prk, bytes(range(0xF0, 0xFA)), 42)
    assert made.hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )
    for size in (0, 8161):
        with pytest.raises(Bug):
            cipher.hkdf_expand(prk, b"", size)


def test_chacha20_gives_the_stream_of_rfc_8439_and_undoes_itself():
    key, nonce = bytes(32), bytes(12)
    stream = cipher.chacha20_xor(key, nonce, bytes(64))
    assert stream.hex().startswith(
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
    )
    assert cipher.chacha20_xor(key, nonce, cipher.chacha20_xor(key, nonce, b"abc")) == b"abc"


def test_keyed_blake3_does_not_depend_on_how_the_data_is_cut():
    whole, parts = (cipher.keyed_blake3(b"whats the Elvish word for friend") for _ in range(2))
    whole.update(bytes(1))
    for piece in (b"", bytes(1), b""):
        parts.update(piece)
    # test_vectors.json of BLAKE3, input_len 1
    assert whole.hexdigest() == "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b"
    assert parts.digest() == whole.digest()


def test_ed25519_gives_the_answers_of_rfc_8032():
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = cipher.ed25519_public(seed)
    assert public.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    made = cipher.ed25519_sign(seed, b"")
    assert made.hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")
    assert cipher.ed25519_verify(public, made, b"")
    for key, signature, message in (
        (public, made, b"x"),
        (public, made[:-1], b""),
        (public[:-1], made, b""),
        (bytes(32), made, b""),
        (b"", b"", b""),
    ):
        assert not cipher.ed25519_verify(key, signature, message)


@pytest.mark.parametrize("suite", Suite)
def test_a_ciphertext_opens_only_as_it_was_made(suite):
    aead, nonce = Aead(suite, bytes(32)), bytes(12)
    made = aead.encrypt(nonce, b"content", b"bound")
    assert len(made) == len(b"content") + cipher.TAG_BYTES
    assert aead.decrypt(nonce, memoryview(made), b"bound") == b"content"
    other = Aead(suite, b"\1" + bytes(31))
    for opener, number, data, bound in (
        (other, nonce, made, b"bound"),
        (aead, b"\1" + nonce[1:], made, b"bound"),
        (aead, nonce, made[:-1], b"bound"),
        (aead, nonce, b"", b"bound"),
        (aead, nonce, made, b"other"),
    ):
        with pytest.raises(IntegrityError):
            opener.decrypt(number, data, bound)


def test_the_quicker_suite_is_taken():
    def clock(slow: Suite):
        """A timeline on which calls of one suite take longer; suites are tried in order."""
        calls, at = 0, 0.0
        while True:
            suite = list(Suite)[calls // (2 * cipher._PROBES)]
            at += 2.0 if suite is slow else 1.0
            calls += 1
            yield at

    for slow in Suite:
        ticks = clock(slow)
        assert cipher.fastest_suite(lambda ticks=ticks: next(ticks)) is not slow
