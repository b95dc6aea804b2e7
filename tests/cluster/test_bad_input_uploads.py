"""Uploads that break off, lie about their length or do not fit; on a real node."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from quire.faces.local import LocalNode
from support.cluster import CODEX, QUIRE, ask, call, held, put, until, until_held
from support.command import hear_ctrl_c, quire

QUOTA = 16 << 20
ARGUMENTS = ["--storage-quota", str(QUOTA), "--upload-idle-timeout", "2s"]
PIECE = bytes(range(256)) * 256


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    directory = tmp_path_factory.mktemp("uploads") / "node"
    with LocalNode(directory, arguments=ARGUMENTS) as node:
        put(node, b"something is here")
        yield node


@pytest.fixture
def before(node):
    state = held(node)
    yield state
    until_held(node, state)
    cid = put(node, b"and it still works")
    assert call(node, "GET", f"{CODEX}/data/{cid}") == (200, b"and it still works")
    assert call(node, "DELETE", f"{CODEX}/data/{cid}")[0] == 204
    until_held(node, state)


@contextlib.contextmanager
def sending(node, *headers):
    """A socket on which the head of an upload was sent."""
    parts = urlsplit(node.api)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as line:
        head = [f"POST {QUIRE}/data HTTP/1.1", "Host: x", "Connection: close", *headers]
        line.sendall("\r\n".join(head).encode() + b"\r\n\r\n")
        yield line


def is_whole(data):
    """Whether an answer ends here: a node leaves the line open to hear the rest of a body."""
    head, end, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    return bool(end and length) and len(body) >= int(length[1])


def answer_on(line):
    """Status and body of the answer, or None when the line was cut."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while not is_whole(data) and (more := line.recv(65_536)):
            data += more
    head, _, body = data.partition(b"\r\n\r\n")
    return (int(head.split()[1]), body) if head else None


def chunk(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize("sent_bytes", [0, 1000, 5_000_000])
@pytest.mark.parametrize("kind", ["length", "chunked"])
def test_an_aborted_upload_leaves_nothing(node, kind, sent_bytes):
    heads = {"length": "Content-Length: 9000000", "chunked": "Transfer-Encoding: chunked"}
    with sending(node, heads[kind]) as line:
        data = bytes(sent_bytes)
        line.sendall(data if kind == "length" or not data else chunk(data))
        until(lambda: len(ask(node, "/status")["uploads"]) == 1, "the upload did not begin")
    until(lambda: len(ask(node, "/status")["uploads"]) == 0, "the upload did not end")


@pytest.mark.usefixtures("before")
def test_a_put_that_is_killed_leaves_nothing(node):
    command = [sys.executable, "-m", "quire.faces.cli.main", "--api", node.api, "put"]
    for how in (signal.SIGINT, signal.SIGKILL):
        process = subprocess.Popen(
            [*command, "--plain", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            preexec_fn=hear_ctrl_c,
        )
        process.stdin.write(PIECE * 50)
        process.stdin.flush()
        until(lambda: len(ask(node, "/status")["uploads"]) == 1, "the upload did not begin")
        process.send_signal(how)
        process.stdin.close()
        with process.stdout, process.stderr:
            assert process.wait(20) == (130 if how == signal.SIGINT else -how)
            assert b"Traceback" not in process.stderr.read()
        until(lambda: len(ask(node, "/status")["uploads"]) == 0, "the upload did not end")


@pytest.mark.usefixtures("before")
def test_a_body_shorter_than_its_length_is_400(node):
    with sending(node, "Content-Length: 1000000") as line:
        line.sendall(bytes(400_000))
        line.shutdown(socket.SHUT_WR)
        answer = answer_on(line)
    if answer is not None:
        assert answer[0] == 400
        assert b"nothing was kept" in answer[1]


def test_what_follows_a_body_is_not_part_of_it(node):
    state = held(node)
    with sending(node, "Content-Length: 5") as line:
        line.sendall(b"hello, and much more")
        status, body = answer_on(line)
    assert status in (200, 400)
    if status == 200:  # the body was complete before the rest came
        assert call(node, "GET", f"{CODEX}/data/{body.decode()}") == (200, b"hello")
        call(node, "DELETE", f"{CODEX}/data/{body.decode()}")
    until_held(node, state)


def waits_of(node):
    return [wait for wait in ask(node, "/status")["waits"] if wait["subject"] == "upload"]


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize("head", ["Content-Length: 9000000", "Transfer-Encoding: chunked"])
def test_a_client_that_stays_and_sends_nothing_is_given_up(node, head):
    with sending(node, head) as line:
        line.sendall(bytes(1000) if "Length" in head else chunk(bytes(1000)))
        until(lambda: waits_of(node), "the wait is not told")
        (wait,) = waits_of(node)
        assert "the client sends" in wait["reason"]
        assert 0 < wait["remainingSeconds"] <= 2
        status, body = answer_on(line)
    assert not waits_of(node)
    assert status == 504
    assert b"no byte of the upload came for" in body


CHUNKS = {
    "a size that is none": b"xyz\r\nhello\r\n0\r\n\r\n",
    "a chunk longer than its size": b"3\r\nhello\r\n0\r\n\r\n",
    "a size beyond all": b"f" * 40 + b"\r\nhello\r\n",
    "a negative size": b"-5\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize("case", CHUNKS)
def test_chunks_that_are_wrong_are_400(node, case):
    with sending(node, "Transfer-Encoding: chunked") as line:
        until(lambda: len(ask(node, "/status")["uploads"]) == 1, "the upload did not begin")
        line.sendall(CHUNKS[case])
        status, body = answer_on(line)
    assert status == 400
    assert body


@pytest.mark.usefixtures("before")
def test_chunks_that_end_too_early_are_400(node):
    with sending(node, "Transfer-Encoding: chunked") as line:
        line.sendall(chunk(PIECE) + b"10000\r\nonly a little")
        line.shutdown(socket.SHUT_WR)
        answer = answer_on(line)
    assert answer is None or answer[0] == 400


@pytest.mark.usefixtures("before")
def test_what_cannot_fit_is_507_before_its_body_leaves(node):
    with sending(node, f"Content-Length: {QUOTA + 1}", "Expect: 100-continue") as line:
        status, body = answer_on(line)  # not one byte of the body was sent
    assert status == 507
    answer = json.loads(body)
    assert answer["code"] == "quota-exceeded"
    assert "--storage-quota" in answer["hint"]


@pytest.mark.usefixtures("before")
def test_a_quota_that_fills_midway_is_507(node):
    with sending(node, "Transfer-Encoding: chunked") as line:
        number = 0
        with contextlib.suppress(ConnectionError):
            for number in range(2 * QUOTA // len(PIECE)):
                line.sendall(chunk(number.to_bytes(4, "big") + PIECE[4:]))
            line.sendall(b"0\r\n\r\n")
        status, body = answer_on(line)
    assert status == 507
    assert json.loads(body)["code"] == "quota-exceeded"


@pytest.mark.usefixtures("before")
def test_put_into_a_full_quota_ends_with_4(node, tmp_path):
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(QUOTA + 1)
    for arguments, stdin in (([str(large)], b""), (["-"], os.urandom(QUOTA + 1))):
        done = quire("put", "--plain", *arguments, api=node.api, stdin=stdin)
        assert (done.code, done.out) == (4, b"")
        assert "quota" in done.err
        assert "quire rm" in done.err
