"""Fuzz `parse_challenge` and `parse_entropy`: what is accepted is a felt, written only one way."""

from quire.base.errors import InputError
from quire.dataset.sampling import entropy_of_challenge, parse_challenge, parse_entropy
from quire.formats.felt import check_felt

VECTORS = ("slots.json",)
SEEDS = (b"0x" + b"ab" * 32, b"12d687", b"0X0" + b"f" * 62)


def check(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    try:
        challenge = parse_challenge(text)
    except InputError:
        pass
    else:
        assert challenge.hex() == digits.lower()
        check_felt(entropy_of_challenge(challenge))
    try:
        entropy = parse_entropy(text)
    except InputError:
        return
    check_felt(entropy)
    assert f"{int.from_bytes(entropy, 'little'):x}" == (digits.lower().lstrip("0") or "0")


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
