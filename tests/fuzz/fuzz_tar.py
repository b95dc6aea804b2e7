"""Fuzz reading of tar streams, as they come and with checksums made right: what is accepted becomes
a directory that can be read, whatever pieces the stream comes in."""

from quire.base.errors import InputError
from support.directories import entries_of, made_of_tar

VECTORS = ("tar.json",)
BLANK_SUM = 8 * 0x20


def with_right_sums(data: bytes) -> bytes:
    out = bytearray(data)
    for at in range(0, len(out) - 511, 512):
        if any(out[at : at + 512]):
            total = sum(out[at : at + 148]) + BLANK_SUM + sum(out[at + 156 : at + 512])
            out[at + 148 : at + 156] = b"%06o\0 " % total
    return bytes(out)


def check(data: bytes) -> None:
    for archive in (data, with_right_sums(data)):
        try:
            made = made_of_tar(archive)
        except InputError:
            continue
        assert made == made_of_tar(archive, 4096)
        entries_of(made)


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
