"""Logs: levels by topic that change while running, two forms, and no secrets."""

import io
import json
import logging

import pytest
import structlog

from quire.base.clock import SystemClock
from quire.base.errors import BadConfig, EnvironmentProblem
from quire.base.events import EventBus
from quire.node.logs import LogLevels, log_events, set_up_logs


class FixedClock(SystemClock):
    def now(self):
        return 1795230000.123


@pytest.fixture
def logs():
    handlers, level = logging.root.handlers, logging.root.level

    def start(specification="info", form="auto"):
        stream = io.StringIO()
        return stream, set_up_logs(specification, form, FixedClock(), stream)

    yield start
    structlog.reset_defaults()
    logging.root.handlers, logging.root.level = handlers, level


def test_a_text_line_has_the_columns_of_the_reference(logs):
    stream, _ = logs()
    structlog.get_logger().info("hello", topics="net", peer="x", words="two words")
    line = stream.getvalue()
    assert line.startswith("INF 2026-11-21 03:00:00.123+00:00 hello")
    assert line[34:39] == "hello"
    assert line.endswith('topics="net" peer=x words="two words"\n')
    assert line.count("\n") == 1


def test_a_json_line_is_one_object(logs):
    stream, _ = logs(form="json")
    structlog.get_logger().warning("hello", topics="net", n=5)
    line = json.loads(stream.getvalue())
    assert (line["lvl"], line["msg"], line["topics"], line["n"]) == ("WRN", "hello", "net", 5)


def test_levels_count_by_topic_and_can_change(logs):
    stream, levels = logs("warn;debug:net,store")
    log = structlog.get_logger()
    log.info("dropped", topics="node")
    log.debug("kept", topics="store")
    levels.set("error")
    log.debug("dropped too", topics="store")
    assert stream.getvalue().count("\n") == 1
    assert "kept" in stream.getvalue()


@pytest.mark.parametrize("bad", ["", "loud", "info;", "info;debug", "info;loud:net", ";info"])
def test_a_level_that_is_none_is_refused_and_changes_nothing(bad):
    levels = LogLevels()
    levels.set("debug")
    with pytest.raises(BadConfig):
        levels.set(bad)
    assert levels.allows(10, "node")


@pytest.mark.parametrize(
    "good", ["TRACE", "Info; TRACE: marketplace,node; ERROR: blockexchange", "fatal"]
)
def test_the_reference_s_level_syntax_is_understood(good):
    levels = LogLevels()
    levels.set(good)
    assert levels.allows(50, "node")


@pytest.mark.parametrize(
    "name",
    ["token", "api_token", "private_key", "Authorization", "password", "net_privkey", "secret"],
)
def test_secrets_are_not_written(logs, name):
    stream, _ = logs()
    structlog.get_logger().info("hello", **{name: "hunter2"})
    assert "hunter2" not in stream.getvalue()


def test_failures_are_written_with_their_trace_but_without_values(logs):
    stream, _ = logs()
    password = "hunter2"
    try:
        raise ValueError(f"a fault of {len(password)}")
    except ValueError as error:
        structlog.get_logger().error("failed", exc_info=error)
    text = stream.getvalue()
    assert "ValueError: a fault of 7" in text
    assert "test_logs.py" in text


def test_libraries_come_through_too(logs):
    stream, _ = logs()
    logging.getLogger("aiohttp.server").error("something %s", "odd")
    logging.getLogger("aiohttp.access").info("not this")
    assert stream.getvalue().startswith("ERR")
    assert 'topics="aiohttp.server"' in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_events_become_entries_and_failures_warnings(logs):
    stream, _ = logs()
    events = EventBus(FixedClock())
    stop = log_events(events)
    events.publish("peer.banned", "16Uiu2", "it lied", event="a fact with a name that is taken")
    events.publish("upload.done", "zDv", "stored", bytes=5)
    stop()
    events.publish("upload.done", "zDv", "not followed any more")
    first, second = stream.getvalue().splitlines()
    assert first.startswith("WRN")
    assert second.startswith("INF")
    assert "bytes=5" in second


def test_a_terminal_gets_colours_and_a_file_never_does(logs, tmp_path):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen, path = Terminal(), tmp_path / "node.log"
    path.write_text("of yesterday\n")
    set_up_logs("info", "auto", FixedClock(), screen, path)
    structlog.get_logger().warning("hello", topics="net")
    assert screen.getvalue().startswith("\x1b[33mWRN\x1b[0m 2026-11-21")
    kept, added = path.read_text().splitlines()
    assert kept == "of yesterday"
    assert added.startswith("WRN 2026-11-21")
    for form, start in (("nocolors", "WRN"), ("colors", "\x1b[33mWRN"), ("json", "{")):
        screen = Terminal()
        set_up_logs("info", form, FixedClock(), screen)
        structlog.get_logger().warning("hello")
        assert screen.getvalue().startswith(start)


def test_with_no_format_only_the_file_is_written(logs, tmp_path):
    stream, path = io.StringIO(), tmp_path / "node.log"
    set_up_logs("info", "none", FixedClock(), stream, path)
    structlog.get_logger().info("hello")
    assert stream.getvalue() == ""
    assert "hello" in path.read_text()
    assert path.stat().st_mode & 0o077 == 0


def test_a_log_file_that_cannot_be_written_is_an_error_in_words(logs, tmp_path):
    with pytest.raises(EnvironmentProblem, match="log-file"):
        set_up_logs("info", "auto", FixedClock(), io.StringIO(), tmp_path / "no" / "node.log")
