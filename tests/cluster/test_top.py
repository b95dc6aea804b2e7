"""`quire top` in a real terminal, on a real node."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from quire.faces.local import LocalNode
from support.command import hear_ctrl_c, quire


@pytest.fixture
def node(tmp_path):
    with LocalNode(tmp_path / "node") as started:
        yield started


def test_once_prints_one_screen_and_json_is_json(node):
    text = quire("top", "--once", "--every", "0.2s", api=node.api).out.decode()
    assert "quire" in text
    assert "peers" in text
    found = json.loads(quire("top", "--json", "--every", "0.2s", api=node.api).out)
    assert set(found) == {"status", "peers", "ratesBytesPerSecond"}


def test_it_paints_until_ctrl_c(node):
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "quire.faces.cli.main", "--api", node.api, "top"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=os.environ
        | {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
        | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        start_new_session=True,
        preexec_fn=hear_ctrl_c,
    )
    os.close(slave)
    try:
        screen, deadline = b"", time.monotonic() + 20
        while b"nothing is waited for" not in screen and time.monotonic() < deadline:
            if select.select([master], [], [], 0.5)[0]:
                screen += os.read(master, 65536)
        assert b"nothing is waited for" in screen
        child.send_signal(signal.SIGINT)
        ended = time.monotonic() + 10
        while child.poll() is None and time.monotonic() < ended:
            with contextlib.suppress(OSError):
                if select.select([master], [], [], 0.2)[0]:
                    os.read(master, 65536)
        assert child.returncode == 130
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        os.close(master)
