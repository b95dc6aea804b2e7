"""Logs on standard error: a line a fact, as text or JSON, with levels that can change at any time.

Text lines have the columns of the reference (content.md 7.6), so that its tools read them:
`INF 2026-11-21 10:00:00.000+00:00 message ... topics="node" key=value`. A level specification is
`LEVEL[;LEVEL:topic,topic]`. Values whose name says that they are secret are never written.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO, TypeAlias, cast

import structlog
from aiohttp.http_exceptions import HttpProcessingError

from quire.base.clock import Clock
from quire.base.errors import BadConfig, EnvironmentProblem
from quire.base.events import Event, EventBus
from quire.base.spans import REQUEST_ID

Entry: TypeAlias = MutableMapping[str, Any]

LEVELS = {"trace": 5, "debug": 10, "info": 20, "notice": 25, "warn": 30, "error": 40, "fatal": 50}
_ALIASES = {"warning": "warn", "critical": "fatal", "exception": "error"}
_SHORT = {5: "TRC", 10: "DBG", 20: "INF", 25: "NTC", 30: "WRN", 40: "ERR", 50: "FAT"}
_COLOURS = {"TRC": 90, "DBG": 90, "INF": 32, "NTC": 36, "WRN": 33, "ERR": 31, "FAT": 35}
_SECRET = ("token", "secret", "password", "private", "privkey", "authorization", "mnemonic")
_MESSAGE_COLUMNS = 41


class LogLevels:
    """Which entries are written: a level for all, and others for single topics."""

    def __init__(self) -> None:
        self._default = LEVELS["info"]
        self._topics: dict[str, int] = {}

    def set(self, specification: str) -> None:
        """Change the levels. Raises `BadConfig` and changes nothing when it is not valid."""
        first, *rest = specification.split(";")
        default = _level(first)
        topics: dict[str, int] = {}
        for part in rest:
            name, colon, names = part.partition(":")
            if not colon:
                raise BadConfig(
                    f"log level {part.strip()!r} names no topics; write debug:store,net"
                )
            for topic in names.split(","):
                topics[topic.strip()] = _level(name)
        self._default, self._topics = default, topics

    def allows(self, level: int, topics: str) -> bool:
        return level >= self._topics.get(topics, self._default)


def _level(text: str) -> int:
    name = text.strip().lower()
    name = _ALIASES.get(name, name)
    if name not in LEVELS:
        raise BadConfig(f"{text.strip()!r} is not a log level; choose one of {', '.join(LEVELS)}")
    return LEVELS[name]


def set_up_logs(
    specification: str,
    form: str,
    clock: Clock,
    stream: TextIO = sys.stderr,
    file: Path | None = None,
) -> LogLevels:
    """Send structlog's and the standard library's entries to `stream`; returns the live levels.

    form     auto, colors, nocolors, json or none; `auto` colours what a terminal shows
    file     lines are added to it too, never coloured
    Raises   BadConfig  the levels are not valid
             EnvironmentProblem  the file cannot be written
    """
    levels = LogLevels()
    levels.set(specification)
    render: Callable[[Entry, str], str] = _json_line if form == "json" else _text_line
    is_coloured = form == "colors" or (form == "auto" and stream.isatty())
    output = _Output(None if form == "none" else stream, is_coloured, file)

    def write(_logger: object, method: str, entry: Entry) -> str:
        number = LEVELS[_ALIASES.get(method, method)] if method != "msg" else entry.pop("number")
        if not levels.allows(number, entry.get("topics", "node")):
            raise structlog.DropEvent
        entry["lvl"] = _SHORT[number]
        if request := REQUEST_ID.get():
            entry.setdefault("request", request)
        return render(_without_secrets(entry), _timestamp(clock.now()))

    structlog.configure(
        processors=[structlog.processors.format_exc_info, write],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", output)),
        cache_logger_on_first_use=False,
    )
    logging.root.handlers = [_ToStructlog()]
    logging.root.setLevel(logging.WARNING)
    return levels


class _Output:
    """What structlog writes to: the stream, the file, or both; one line at a time."""

    def __init__(self, stream: TextIO | None, is_coloured: bool, file: Path | None) -> None:
        self._stream = stream
        self._is_coloured = is_coloured
        self._file = None if file is None else _open_log(file)

    def write(self, line: str) -> None:
        if self._stream is not None:
            self._stream.write(_coloured(line) if self._is_coloured else line)
        if self._file is not None:
            os.write(self._file, line.encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        if self._stream is not None:
            self._stream.flush()


def _open_log(file: Path) -> int:
    """A descriptor that appends whole lines; open until the process ends."""
    try:
        return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EnvironmentProblem(
            f"log file {file} cannot be written: {error.strerror}; choose another --log-file"
        ) from None


def _coloured(line: str) -> str:
    """The line with its level in a colour."""
    colour = _COLOURS.get(line[:3])
    return line if colour is None else f"\x1b[{colour}m{line[:3]}\x1b[0m{line[3:]}"


def log_events(events: EventBus) -> Callable[[], None]:
    """Write every event of the bus; failures as warnings. Returns the function that stops it."""
    logger = structlog.get_logger()
    bad = (".failed", ".banned", ".lied", ".corrupt", ".lost", ".quarantined")

    # Said again by upload and fetch; several for each MiB that is paid for.
    frequent = (
        *("store.added", "store.complete"),
        *("channel.open", "channel.voucher", "SEND_MICROPAYMENT_FOR_CHUNK"),
    )

    def write(event: Event) -> None:
        topic = event.kind.partition(".")[0]
        facts = {name: value for name, value in event.facts.items() if name not in _RESERVED}
        log = logger.warning if event.kind.endswith(bad) else logger.info
        if event.kind in frequent:
            log = logger.debug
        log(event.message, topics=topic, kind=event.kind, subject=event.subject, **facts)

    return events.listen(write)


_RESERVED = ("event", "topics", "kind", "subject", "lvl", "exception", "exc_info", "stack_info")


class _ToStructlog(logging.Handler):
    """Entries of libraries that log through the standard library."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        failure = record.exc_info[1] if record.exc_info else None
        if isinstance(failure, HttpProcessingError):  # what somebody sent, answered with 400
            log.debug("a malformed request", topics=record.name, reason=failure.message)
            return
        write = log.error if record.levelno >= logging.ERROR else log.warning
        write(record.getMessage(), topics=record.name, exc_info=record.exc_info)


def _without_secrets(entry: Entry) -> Entry:
    for name in entry:
        if any(word in name.lower() for word in _SECRET):
            entry[name] = "(not shown)"
    return entry


def _json_line(entry: Entry, timestamp: str) -> str:
    line = {
        "lvl": entry.pop("lvl"),
        "ts": timestamp,
        "msg": entry.pop("event"),
        "topics": entry.pop("topics", "node"),
        **entry,
    }
    return json.dumps(line, default=str)


def _text_line(entry: Entry, timestamp: str) -> str:
    level, message = entry.pop("lvl"), str(entry.pop("event"))
    trace = entry.pop("exception", "")
    topics = entry.pop("topics", "node")
    facts = "".join(f" {name}={_quoted(value)}" for name, value in entry.items() if value != "")
    line = f'{level} {timestamp} {message:<{_MESSAGE_COLUMNS}} topics="{topics}"{facts}'
    return f"{line}\n{trace}" if trace else line


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text) if not text or any(c in text for c in ' "=\n\t') else text


def _timestamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(" ", "milliseconds")
