"""Messages between a node and its bridge: what goes in comes out, and nothing is left behind."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from quire.services.workers import frames
from quire.services.workers.frames import IN_BAND_BYTES, LENGTH_BYTES, frame_directory, pack, unpack


@pytest.fixture
def directory() -> Iterator[Path]:
    with frame_directory() as place:
        yield Path(place)


def sent(message: object, directory: Path) -> object:
    frame = pack(message, directory)
    assert int.from_bytes(frame[:LENGTH_BYTES], "big") == len(frame) - LENGTH_BYTES
    return unpack(frame[LENGTH_BYTES:], directory)


def test_large_buffers_go_past_the_pipe_and_are_views(directory: Path) -> None:
    rows = [bytes([number]) * (IN_BAND_BYTES + number) for number in range(200)]
    message = (7, "share", [pickle.PickleBuffer(row) for row in rows])
    assert len(pack(message, directory)) < IN_BAND_BYTES
    [left] = directory.iterdir()
    left.unlink()
    serial, method, views = sent(message, directory)  # type: ignore[misc]
    assert (serial, method) == (7, "share")
    assert all(isinstance(view, memoryview) and view.readonly for view in views)
    assert [bytes(view) for view in views] == rows
    assert list(directory.iterdir()) == []


def test_what_is_small_needs_no_file(directory: Path) -> None:
    message = (1, "call", (2, "about", {"rows": pickle.PickleBuffer(b"few")}))
    assert sent(message, directory) == (1, "call", (2, "about", {"rows": b"few"}))
    assert list(directory.iterdir()) == []


def test_without_room_nothing_is_sent_and_nothing_stays(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(frames.os, "writev", full)
    with pytest.raises(OSError, match="No space"):
        pack([pickle.PickleBuffer(bytes(IN_BAND_BYTES))], directory)
    assert list(directory.iterdir()) == []


def test_a_write_that_is_cut_short_is_gone_on_with(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = frames.os.writev
    monkeypatch.setattr(frames.os, "writev", lambda fd, left: whole(fd, [left[0][:10_000]]))
    rows = [bytes([number]) * IN_BAND_BYTES for number in range(3)]
    assert sent([pickle.PickleBuffer(row) for row in rows], directory) == rows
