"""Key rings: files, phrases, passphrases, catalogues; what is damaged or somebody else's."""

import stat

import pytest

from quire.base.errors import (
    BadConfig,
    BadEncoding,
    EnvironmentProblem,
    IntegrityError,
    NotFound,
    UnsafePermissions,
)
from quire.dataset.envelope.user_keys import UserKeys
from quire.faces.keyring import Keyring, is_locked, parse_keyring, parse_phrase
from quire.formats.cap import LiteralCap
from quire.formats.catalogue import (
    INLINE_BYTES_MAX,
    CatalogueEntry,
    decode_catalogue,
    decode_pointer_to,
    encode_catalogue,
    encode_pointer_to,
    merged,
)

MASTER = bytes(range(32))
WORDS = (
    "abandon amount liar amount expire adjust cage candy arch gather drum bullet absurd math era "
    "live bid rhythm alien crouch range attend journey unaware"
)


def nobody():
    raise AssertionError("nobody is to be asked for a passphrase")


def entry(number):
    cap = LiteralCap(b"%d" % number).text
    return CatalogueEntry(f"file {number}", cap, 1, number, None)


@pytest.fixture
def ring(tmp_path):
    return Keyring.create(tmp_path / "config" / "keyring", MASTER)


def test_a_key_ring_is_made_once_for_its_owner_alone(tmp_path, ring):
    assert stat.S_IMODE(ring.path.stat().st_mode) == 0o600
    assert Keyring.open(ring.path, nobody).keys.master == MASTER
    with pytest.raises(EnvironmentProblem):
        Keyring.create(ring.path)
    other = Keyring.create(tmp_path / "other")
    assert other.keys.master != MASTER
    assert len(other.keys.master) == 32


def test_the_phrase_is_the_secret_and_gives_it_back(ring):
    assert ring.phrase() == WORDS
    assert parse_phrase(WORDS) == MASTER
    assert parse_phrase("  " + WORDS.upper().replace(" ", "\n") + "\n") == MASTER


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("", "24 words, this has 0"),
        (WORDS + " abandon", "this has 25"),
        (WORDS.replace("liar", "lyar"), "word 3 "),
        (WORDS.replace("abandon amount", "amount abandon"), "checksum"),
        (" ".join(["abandon"] * 24), "checksum"),
    ],
)
def test_other_phrases_are_refused_and_the_word_is_named(words, told):
    with pytest.raises(BadConfig, match=told) as refused:
        parse_phrase(words)
    assert "rhythm" not in refused.value.message


def test_everything_follows_from_the_secret_and_no_two_keys_are_one():
    keys = UserKeys.of(MASTER)
    found = [
        keys.convergence,
        keys.catalogue,
        keys.sharing,
        keys.pointer.key,
        keys.pointer.seed,
        MASTER,
    ]
    assert len(set(found)) == len(found)
    assert UserKeys.of(MASTER).pointer.locator == keys.pointer.locator
    assert UserKeys.of(bytes(32)).pointer.locator != keys.pointer.locator
    assert not any(key.hex() in repr(keys) for key in found)


def test_a_locked_key_ring_asks(ring):
    ring.add([entry(1)])
    ring.lock("correct horse")
    assert is_locked(ring.path)
    assert MASTER.hex().encode() not in ring.path.read_bytes()
    opened = Keyring.open(ring.path, lambda: "correct horse")
    assert opened.catalogue() == [entry(1)]
    with pytest.raises(BadConfig, match="does not open"):
        Keyring.open(ring.path, lambda: "wrong")
    opened.unlock()
    assert Keyring.open(ring.path, nobody).keys.master == MASTER


def test_the_catalogue_holds_each_capability_once_and_shows_none(ring):
    assert ring.catalogue() == []
    ring.add([entry(2)])
    assert ring.add([entry(1), entry(2)]) == [entry(1), entry(2)] == ring.catalogue()
    held = ring.catalogue_path.read_bytes()
    assert b"file" not in held
    assert b"pn1l" not in held
    assert stat.S_IMODE(ring.catalogue_path.stat().st_mode) == 0o600
    assert "pn1" not in repr(ring.catalogue())


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "foreign"])
def test_a_damaged_catalogue_is_refused_and_left(ring, tmp_path, damage):
    ring.add([entry(1)])
    held = ring.catalogue_path.read_bytes()
    foreign = Keyring.create(tmp_path / "foreign")
    foreign.add([entry(2)])
    changed = {
        "flip": held[:-1] + bytes([held[-1] ^ 1]),
        "cut": held[:20],
        "empty": b"",
        "foreign": foreign.catalogue_path.read_bytes(),
    }[damage]
    ring.catalogue_path.write_bytes(changed)
    with pytest.raises(IntegrityError, match="move it away"):
        ring.add([entry(3)])
    assert ring.catalogue_path.read_bytes() == changed


def test_files_that_are_no_key_ring_are_refused(ring, tmp_path):
    with pytest.raises(NotFound, match="quire keyring new"):
        Keyring.open(tmp_path / "nowhere", nobody)
    ring.path.chmod(0o640)
    with pytest.raises(UnsafePermissions):
        Keyring.open(ring.path, nobody)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b'{"version":1}',
        b'{"version":2,"master":"00"}',
        b'{"version":1,"master":"00","age":"00"}',
        b'{"version":1,"master":"00","more":1}',
        b"\xff",
    ],
)
def test_bytes_that_are_no_key_ring_are_refused(data):
    with pytest.raises(BadConfig):
        parse_keyring(data)


@pytest.mark.parametrize("master", ["", "00", "zz" * 32, "00" * 33])
def test_a_secret_of_another_length_is_refused(ring, master):
    ring.path.write_text(f'{{"version":1,"master":"{master}"}}')
    with pytest.raises(BadConfig):
        Keyring.open(ring.path, nobody)


def test_catalogues_and_pointers_come_back():
    entries = [entry(n) for n in range(5)]
    data = encode_catalogue(entries)
    assert decode_catalogue(data) == entries
    pointer = decode_pointer_to(encode_pointer_to(entry(1).cap, 7, data))
    assert (pointer.cap, pointer.at) == (entry(1).cap, 7)
    assert decode_catalogue(pointer.catalogue.encode()) == entries
    large = encode_pointer_to(entry(1).cap, 7, b"x" * (INLINE_BYTES_MAX + 1))
    assert decode_pointer_to(large).catalogue is None
    assert merged(entries[:3], entries[2:]) == entries


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b'{"version":2,"entries":[]}',
        b'{"version":1,"entries":[{"name":1,"cap":"","size":1,"at":1,"cid":null}]}',
        b'{"version":1,"entries":[{"name":null,"cap":"pn1r:x","size":1,"at":1,"cid":null}]}',
        b'{"version":1,"cap":"pn1r:x","at":1}',
        b"[" * 5000,
        b"\xff\xfe",
    ],
)
def test_bytes_that_are_no_catalogue_or_pointer_are_refused(data):
    for decode in (decode_catalogue, decode_pointer_to):
        with pytest.raises(BadEncoding):
            decode(data)
