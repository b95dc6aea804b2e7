"""File names in Content-Disposition, both ways (RFC 6266), and what may be shown, not saved."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from quire.base.errors import InputError
from quire.formats.names import base_name, check_filename

# Types that cannot run anything in the page that shows them.
_SHOWN = re.compile(
    r"image/(png|jpeg|gif|webp|avif|bmp|x-icon|vnd\.microsoft\.icon)|audio/.*|video/.*|text/plain"
    r"|application/pdf"
)
_PARAM = re.compile(r';\s*([\w*]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))')


def may_be_shown(media_type: str) -> bool:
    """Whether `?inline=1` is followed for content of this type."""
    return _SHOWN.fullmatch(media_type.lower()) is not None


def disposition(filename: str | None, *, inline: bool = False) -> str:
    """The Content-Disposition of a download, directories cut off."""
    kind = "inline" if inline else "attachment"
    name = base_name(filename) if filename else ""
    if not name:
        return kind
    plain = "".join(c if " " <= c < "\x7f" and c not in '"\\' else "_" for c in name)
    if plain == name:
        return f'{kind}; filename="{name}"'
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def filename_in(header: str) -> str | None:
    """The file name that a Content-Disposition of an upload gives; None when it gives none.

    Raises   InputError  it cannot be read, or nothing may be uploaded under it
    """
    found: dict[str, str] = {}
    for name, quoted, bare in _PARAM.findall(";" + header.partition(";")[2]):
        found.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted else bare)
    name = _extended(found["filename*"]) if "filename*" in found else found.get("filename")
    return None if name is None else checked_filename(name)


def checked_filename(name: str) -> str:
    """The name as Unicode text. Raises InputError when nothing may be uploaded under it."""
    try:
        name = name.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("the file name is not UTF-8") from None
    check_filename(name)
    return name


def _extended(value: str) -> str:
    """`UTF-8''na%C3%AFve.txt` -> `naïve.txt` (RFC 8187)."""
    charset, quote_one, rest = value.partition("'")
    _, quote_two, encoded = rest.partition("'")
    if not (quote_one and quote_two) or charset.lower() not in ("utf-8", "iso-8859-1"):
        raise InputError("filename* is malformed")
    try:
        return unquote(encoded, encoding=charset, errors="strict")
    except UnicodeDecodeError:
        raise InputError("filename* is not in the encoding that it names") from None
