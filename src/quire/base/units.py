"""Sizes, durations and times: between numbers and what people write.

Sizes are binary whatever the letter case ("1k" = 1024 bytes), as the Codex command line has it
(content.md 7.1). Durations default to seconds; "m" is minutes.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from quire.base.errors import InputError

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
SIZE_MAX = 1 << 62
DURATION_MAX_SECONDS = 1000 * 365.25 * 86_400

_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([bkmgtp]?)i?b?\s*$", re.IGNORECASE)
_SIZE_POWER = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([smhdwy]?)\s*$", re.IGNORECASE)
_DURATION_SECONDS = {
    "": 1,
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86_400,
    "w": 604_800,
    "y": 31_557_600,  # 365.25 days
}


def parse_size(text: str) -> int:
    """Bytes of a size such as `20g`, `1.5GiB`, `4096`."""
    match = _SIZE.match(text)
    if match is None:
        raise InputError(f"{text!r} is not a size; write for example 512k, 20g or 1.5TiB")
    size = float(match[1]) * 1024 ** _SIZE_POWER[match[2].lower()]
    if size >= SIZE_MAX:
        raise InputError(f"{text[:40]!r} is more bytes than any disk has")
    return int(size)


def parse_duration(text: str) -> float:
    """Seconds of a duration such as `30d`, `10m`, `1.5h`, `45`."""
    match = _DURATION.match(text)
    if match is None:
        raise InputError(f"{text!r} is not a duration; write for example 30s, 10m, 12h, 30d or 1y")
    seconds = float(match[1]) * _DURATION_SECONDS[match[2].lower()]
    if seconds >= DURATION_MAX_SECONDS:
        raise InputError(f"{text[:40]!r} is longer than a thousand years")
    return seconds


def format_size(size_bytes: float) -> str:
    """`1.5 GiB`: three significant places, binary units."""
    value = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable")


def format_rate(bytes_per_second: float) -> str:
    """Decimal megabytes a second, as disks and networks are sold."""
    return f"{bytes_per_second / 1e6:.0f} MB/s"


def format_duration(seconds: float) -> str:
    """`850 ms`, `12.3 s`, `4 min 05 s`, `2 h 10 min`, `30 days`, `2.5 years`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
    if seconds < 2 * 86_400:
        return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60:02d} min"
    if seconds < 2 * 31_557_600:
        return f"{seconds / 86_400:.3g} days"
    return f"{seconds / 31_557_600:.3g} years"


def format_time(unix_seconds: float) -> str:
    """`2027-01-31 17:05 UTC`; times beyond the calendar are `the far future`."""
    try:
        return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError, OSError):
        return "the far future"
