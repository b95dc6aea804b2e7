"""age files: for people, under a passphrase, and for nobody else."""

import pyrage
import pytest

from quire.base.errors import InputError, WrongKey
from quire.kernels import age


def test_what_is_wrapped_for_somebody_opens_for_him_alone():
    ann, bob, eve = (pyrage.x25519.Identity.generate() for _ in range(3))
    wrapped = age.wrap_for([str(ann.to_public()), str(bob.to_public())], b"secret")
    assert b"secret" not in wrapped
    assert age.open_as(str(ann), wrapped) == age.open_as(f" {bob}\n", wrapped) == b"secret"
    for data in (wrapped, wrapped[:-1], b"", b"junk"):
        with pytest.raises(WrongKey):
            age.open_as(str(eve), data)


def test_thirty_two_bytes_are_an_identity():
    identity = age.identity_of(bytes(range(32)))
    assert str(pyrage.x25519.Identity.from_str(identity)) == identity
    wrapped = age.wrap_for([age.recipient_of(identity)], b"secret")
    assert age.open_as(identity, wrapped) == b"secret"
    assert age.identity_of(bytes(32)) != identity


def test_a_passphrase_opens_and_another_does_not():
    wrapped = age.wrap_under("correct horse", b"secret")
    assert age.open_under("correct horse", wrapped) == b"secret"
    for passphrase, data in (("wrong", wrapped), ("correct horse", wrapped[:-1]), ("x", b"")):
        with pytest.raises(WrongKey):
            age.open_under(passphrase, data)


@pytest.mark.parametrize("text", ["", "age1", "age1foo", "AGE-SECRET-KEY-1", "zDvZ", "\0"])
def test_texts_that_are_no_keys_are_refused(text):
    with pytest.raises(InputError):
        age.check_recipient(text)
    with pytest.raises(InputError):
        age.open_as(text, b"")
