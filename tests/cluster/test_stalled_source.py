"""A source process that is stopped in the middle of a download does not stop the download."""

from __future__ import annotations

import hashlib
import os
import signal
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from quire.faces.local import LocalNode
from support.cluster import CODEX, ask, put, until

SIZE = 48 << 20


def test_a_download_goes_on_when_one_of_two_sources_is_stopped(tmp_path: Path) -> None:
    data = Random(5).randbytes(SIZE)
    with (
        LocalNode(tmp_path / "one") as one,
        LocalNode(tmp_path / "two", bootstrap=[one.address]) as two,
    ):
        cid = put(one, data)
        assert put(two, data) == cid
        with LocalNode(tmp_path / "reader", bootstrap=[one.address, two.address]) as reader:
            until(lambda: len(ask(reader, "/peers")["peers"]) == 2)
            url = urlsplit(reader.api)
            connection = HTTPConnection(url.hostname or "", url.port, timeout=30)
            connection.request("GET", f"{CODEX}/data/{cid}/network/stream")
            answer = connection.getresponse()
            found, digest = 0, hashlib.sha256()
            try:
                while piece := answer.read(1 << 20):
                    if found == 0:
                        os.kill(one.pid, signal.SIGSTOP)
                    found += len(piece)
                    digest.update(piece)
            finally:
                os.kill(one.pid, signal.SIGCONT)
                connection.close()
            assert found == SIZE
            assert digest.digest() == hashlib.sha256(data).digest()
            peers = {each["peer"]: each for each in ask(reader, "/status")["exchange"]["peers"]}
            assert peers[two.peer_id]["receivedBytes"] > 0
            # Had the reader waited for the stopped one, a request would have timed out first.
            assert peers[one.peer_id]["timeouts"] == 0
