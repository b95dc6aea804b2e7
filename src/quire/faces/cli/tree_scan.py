"""What a directory on this disk holds, looked through before anything is sent."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from quire.base.errors import BadEncoding, InputError
from quire.formats.directory import DIRECTORY, FILE, MAX_MODE, SYMLINK, Entry, check_entry

SHOWN_PROBLEMS = 10
_SPECIAL = (
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)


@dataclass(frozen=True, slots=True)
class Found:
    """One entry, where it is, and how to know it again."""

    entry: Entry
    place: str
    mtime: int  # nanoseconds
    inode: tuple[int, int]  # device, number


def scan(top: Path, *, keep_times: bool, skip_special: bool) -> tuple[list[Found], list[str]]:
    """(everything below `top` in order, names of what was skipped). Links are not followed.

    Raises   InputError  with all names that cannot be read or stored, before anything is sent
    """
    found: list[Found] = []
    problems: list[str] = []
    skipped: list[str] = []
    for path, place in _names(str(top), problems):
        try:
            state = os.lstat(place)
            kind = _kind(state.st_mode)
            if kind is None:
                what = next((word for is_it, word in _SPECIAL if is_it(state.st_mode)), "special")
                (skipped if skip_special else problems).append(f"{place}: {what}")
                continue
            found.append(_found(path, place, kind, state, keep_times=keep_times))
        except OSError as error:
            problems.append(f"{place}: {error.strerror}")
        except BadEncoding as error:
            problems.append(f"{place}: {error.message}")
    if problems:
        more = len(problems) - SHOWN_PROBLEMS
        shown = "\n  ".join(problems[:SHOWN_PROBLEMS] + ([f"and {more} more"] if more > 0 else []))
        raise InputError(
            f"{len(problems)} names in {top} cannot be stored, and nothing was sent:\n  "
            + shown.encode("utf-8", "replace").decode()
            + "\nsockets, pipes and devices are left out with --skip-special"
        )
    found.sort(key=lambda each: each.entry.key)
    return found, skipped


def _names(top: str, problems: list[str]) -> Iterator[tuple[str, str]]:
    """(path within, place) of everything below `top`."""
    waiting = [("", top)]
    while waiting:
        prefix, here = waiting.pop()
        try:
            with os.scandir(here) as listing:
                for item in listing:
                    yield prefix + item.name, item.path
                    if item.is_dir(follow_symlinks=False):
                        waiting.append((f"{prefix}{item.name}/", item.path))
        except OSError as error:
            problems.append(f"{here}: {error.strerror}")


def _kind(mode: int) -> int | None:
    if stat.S_ISREG(mode):
        return FILE
    if stat.S_ISDIR(mode):
        return DIRECTORY
    return SYMLINK if stat.S_ISLNK(mode) else None


def _found(path: str, place: str, kind: int, state: os.stat_result, *, keep_times: bool) -> Found:
    """Raises OSError when it cannot be read, BadEncoding when it cannot be stored."""
    target = str(Path(place).readlink()) if kind == SYMLINK else ""
    entry = Entry(
        path,
        kind,
        stat.S_IMODE(state.st_mode) & MAX_MODE,
        state.st_mtime_ns if keep_times else None,
        state.st_size if kind == FILE else 0,
        text=target,
    )
    probe = Entry(path, kind, text=target)  # size and offset do not go together yet
    check_entry(probe)
    if kind == FILE and not os.access(place, os.R_OK, effective_ids=True):
        raise PermissionError(13, "Permission denied")
    return Found(entry, place, state.st_mtime_ns, (state.st_dev, state.st_ino))
