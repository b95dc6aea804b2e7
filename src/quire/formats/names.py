"""Names and media types that travel in manifests.

Two rules for each: the strict one is for what is uploaded here, the tolerant one for what a
manifest of the network may carry, since the reference lets through more than it should.
Source   content.md 6.4
"""

from __future__ import annotations

import re

from quire.base.errors import InputError

MAX_NAME_CHARACTERS = 259
MAX_NAME_BYTES = 1024
MAX_MIMETYPE_CHARACTERS = 128

_FORBIDDEN = frozenset('/\\:*?"<>|^\0')
_PORTS = (f"{device}{digit}" for device in ("COM", "LPT") for digit in range(10))
_DEVICES = frozenset(("CON", "PRN", "AUX", "NUL", *_PORTS))
_TOP_LEVEL = frozenset(
    {
        "application",
        "audio",
        "chemical",
        "example",
        "font",
        "haptics",
        "image",
        "message",
        "model",
        "multipart",
        "text",
        "video",
        "x-conference",
        "x-world",
    }
)
_RESTRICTED_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"  # RFC 6838 4.2
_MIMETYPE = re.compile(rf"({_RESTRICTED_NAME})/({_RESTRICTED_NAME})")


def check_filename(name: str) -> None:
    """Whether a file may be uploaded under `name`. Raises `InputError` with the reason."""
    fault = _fault_everywhere(name) or _fault_of_characters(name) or _fault_of_base(name)
    if fault is None and name.startswith(" "):
        fault = "begins with a blank"
    if fault is None and name.endswith("."):
        fault = "ends with a dot"
    if fault:
        raise InputError(f"the file name {name[:300]!r} {fault}; choose another name")


def check_received_filename(name: str) -> None:
    """Whether a manifest may carry `name`: as the reference, which looks at the base name only,
    so that directories and odd extensions pass; control characters never do.

    Raises   InputError  with the reason
    """
    base = base_name(name)
    fault = _fault_everywhere(name) or _fault_of_characters(_stem(base)) or _fault_of_base(base)
    if fault:
        raise InputError(f"the file name {name[:300]!r} {fault}")


def base_name(name: str) -> str:
    """What follows the last slash of either kind: the name under which it is safe to save."""
    return re.split(r"[/\\]", name)[-1]


def check_mimetype(value: str) -> str:
    """The media type of a Content-Type value, parameters removed, letter case kept.

    Raises   InputError  not `type/subtype`, unknown top-level type, or too long
    """
    bare = value.partition(";")[0].strip(" \t")
    match = _MIMETYPE.fullmatch(bare)
    if match is None:
        raise InputError(f"{value[:200]!r} is not a media type; write for example text/plain")
    if len(bare) > MAX_MIMETYPE_CHARACTERS:
        raise InputError(f"the media type is longer than {MAX_MIMETYPE_CHARACTERS} characters")
    if match[1].lower() not in _TOP_LEVEL:
        raise InputError(
            f"{match[1]!r} is not a kind of media; known are {', '.join(sorted(_TOP_LEVEL))}"
        )
    return bare


def is_mimetype(value: str) -> bool:
    """Whether a manifest may carry `value`: well formed, of any top-level type."""
    return len(value) <= MAX_MIMETYPE_CHARACTERS and _MIMETYPE.fullmatch(value) is not None


def is_known_mimetype(value: str) -> bool:
    """Well formed and of a registered top-level type."""
    return is_mimetype(value) and value.partition("/")[0].lower() in _TOP_LEVEL


def _stem(base: str) -> str:
    """The name without its last extension; `.profile` has none."""
    stem, dot, _ = base.rpartition(".")
    return stem if dot and stem else base


def _fault_everywhere(name: str) -> str | None:
    if not name:
        return "is empty"
    if len(name) > MAX_NAME_CHARACTERS:
        return f"is longer than {MAX_NAME_CHARACTERS} characters"
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        return "is not Unicode text"
    if len(encoded) > MAX_NAME_BYTES:
        return f"is longer than {MAX_NAME_BYTES} bytes"
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in name):
        return "has a control character"
    return None


def _fault_of_characters(name: str) -> str | None:
    found = sorted(_FORBIDDEN.intersection(name))
    return f"has the character {found[0]!r}" if found else None


def _fault_of_base(base: str) -> str | None:
    stem = _stem(base)
    if not stem:
        return "has no base name"
    if stem.endswith(" ") or base.endswith(" "):
        return "ends with a blank"
    if stem.endswith("."):
        return "ends with a dot before its extension"
    if stem.upper() in _DEVICES:
        return "is reserved for a device on Windows"
    return None
