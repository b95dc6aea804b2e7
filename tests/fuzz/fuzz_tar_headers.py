"""Fuzz `decode_header` and `decode_extension`: what is accepted stays inside its directory."""

import tarfile

from quire.base.errors import BadEncoding, InputError
from quire.formats.tar import EXTENSION, decode_extension, decode_header

VECTORS = ()


def _seeds() -> tuple[bytes, ...]:
    found = []
    for name, kind in (
        ("a/b.txt", tarfile.REGTYPE),
        ("dir/", tarfile.DIRTYPE),
        ("x" * 150, tarfile.REGTYPE),
        ("link", tarfile.SYMTYPE),
        ("hard", tarfile.LNKTYPE),
    ):
        for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size, info.mtime = kind, "a/b.txt", 5, 1.5
            try:
                found.append(info.tobuf(form))
            except ValueError:  # a name that the old form cannot hold
                continue
    return (*found, b"30 mtime=1350244992.023960108\n", b"20 path=a/very/long\n")


SEEDS = _seeds()


def check(data: bytes) -> None:
    pax: dict[str, str] = {}
    for at in range(0, min(len(data), 4 * 512), 512):
        block = data[at : at + 512]
        try:
            member = decode_header(_with_checksum(block), pax)
        except (BadEncoding, InputError):
            continue
        if member.kind == EXTENSION:
            try:
                decode_extension(member, data[at + 512 :][:1024], pax)
            except (BadEncoding, InputError):
                continue
            continue
        parts = member.path.split("/")
        assert not member.path.startswith("/")
        assert ".." not in parts
        assert 0 <= member.size < 1 << 63


def _with_checksum(block: bytes) -> bytes:
    """The block with a right checksum, as otherwise nearly nothing gets past it."""
    if len(block) != 512:
        return block
    total = sum(block) - sum(block[148:156]) + 8 * 0x20
    return block[:148] + b"%06o\0 " % total + block[156:]


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
