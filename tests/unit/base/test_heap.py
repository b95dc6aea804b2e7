"""How many heaps the allocator of C has for the threads of a process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from quire.base import heap

# Threads that all have memory at the same time; then the C library tells of its heaps.
PROGRAM = """
import ctypes, sys, threading
from quire.base.heap import use_few_heaps
if sys.argv[1] == "few":
    use_few_heaps()
all_here = threading.Barrier(4)
def work():
    block = bytearray(100_000)
    all_here.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(stream := libc.fdopen(1, b"w")))
libc.fflush(ctypes.c_void_p(stream))
"""


def heaps(how: str) -> int:
    run = [sys.executable, "-c", PROGRAM, how]
    return subprocess.run(run, capture_output=True, check=True, text=True).stdout.count("<heap ")


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator is another")
def test_threads_share_the_heaps_that_are_allowed():
    assert heaps("few") == heap.HEAPS
    assert heaps("as many as there are") > heap.HEAPS


def test_nothing_is_done_where_the_allocator_is_another(monkeypatch):
    asked: list[str] = []

    class Other:
        def __getattr__(self, name: str) -> None:
            asked.append(name)
            raise AttributeError(name)

    monkeypatch.setattr(heap.ctypes, "CDLL", lambda _name: Other())
    heap.use_few_heaps()
    assert asked == ["mallopt"]
