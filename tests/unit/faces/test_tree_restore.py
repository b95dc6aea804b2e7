"""Restoring writes below one directory, whatever the listing says and whatever lies there."""

import hashlib
import os

import pytest

from quire.base.errors import InputError, IntegrityError
from quire.faces.cli.tree_get import runs
from quire.faces.cli.tree_restore import PART_SUFFIX, Restorer, restore_order
from quire.formats.directory import DIRECTORY, FILE, SYMLINK, Entry


def a_file(path, data=b"data", **more):
    digest = hashlib.sha256(data).digest() if data else b""
    return Entry(path, FILE, 0o640, 10**18 + 1, len(data), 512 if data else 0, digest, **more)


def write(restorer, entry, data=b"data"):
    with restorer.draft(entry) as draft:
        draft.write(data)


@pytest.fixture
def top(tmp_path):
    (tmp_path / "outside").mkdir()
    return tmp_path / "top"


@pytest.mark.parametrize("path", ["../outside/x", "/etc/x", "a/../../outside/x", "..", "", "a//b"])
def test_a_path_that_leads_out_is_refused(top, path):
    with Restorer(top) as restorer:
        with pytest.raises(InputError):
            write(restorer, a_file(path))
        with pytest.raises(InputError):
            restorer.make_directory(Entry(path, DIRECTORY))
        with pytest.raises(InputError):
            restorer.make_link(Entry(path, SYMLINK, text="t"))
    assert list(top.iterdir()) == []
    assert list((top.parent / "outside").iterdir()) == []


def test_a_link_of_the_listing_is_not_followed_by_a_later_file(top):
    with Restorer(top) as restorer:
        restorer.make_link(Entry("dir", SYMLINK, text="../outside"))
        with pytest.raises(InputError, match="in the way"):
            write(restorer, a_file("dir/x"))
    assert list((top.parent / "outside").iterdir()) == []


def test_a_link_under_the_name_of_a_file_is_replaced_and_its_target_left_alone(top):
    victim = top.parent / "outside" / "victim"
    victim.write_bytes(b"mine")
    top.mkdir()
    (top / "x").symlink_to(victim)
    with Restorer(top) as restorer:
        assert not restorer.is_right(a_file("x", b"mine"))
        write(restorer, a_file("x"))
    assert victim.read_bytes() == b"mine"
    assert (top / "x").read_bytes() == b"data"
    assert not (top / "x").is_symlink()


@pytest.mark.parametrize("data", [b"dat", b"DATA", b"data and more", b""])
def test_wrong_bytes_never_get_the_name(top, data):
    with Restorer(top) as restorer:
        write(restorer, a_file("x", b"old!"), b"old!")
        with pytest.raises(IntegrityError):
            write(restorer, a_file("x"), data)
    assert (top / "x").read_bytes() == b"old!"
    assert [path.name for path in top.iterdir()] == ["x"]


def test_what_a_kill_left_behind_is_taken_away(top):
    top.mkdir()
    part = hashlib.sha256(b"x").hexdigest()[:16] + PART_SUFFIX
    (top / part).write_bytes(b"half")
    with Restorer(top) as restorer:
        write(restorer, a_file("x"))
    assert [path.name for path in top.iterdir()] == ["x"]


def test_a_file_that_is_right_gets_its_mode_and_time(top):
    top.mkdir()
    (top / "x").write_bytes(b"data")
    with Restorer(top) as restorer:
        assert restorer.is_right(a_file("x"))
        assert not restorer.is_right(a_file("x", b"DATA"))
        assert not restorer.is_right(a_file("nothing"))
    state = (top / "x").stat()
    assert (state.st_mode & 0o777, state.st_mtime_ns) == (0o640, 10**18 + 1)


def test_two_names_that_are_one_on_this_disk_are_refused(top, monkeypatch):
    real = os.stat
    with Restorer(top) as restorer:
        write(restorer, a_file("Name"))

        def ignoring_case(path, *arguments, **named):
            return real("Name" if path == "name" else path, *arguments, **named)

        monkeypatch.setattr(os, "stat", ignoring_case)
        with pytest.raises(InputError, match="one name on this disk"):
            write(restorer, a_file("name"))
    assert [path.name for path in top.iterdir()] == ["Name"]


def test_directories_get_their_modes_at_the_end(top):
    closed = Entry("a", DIRECTORY, 0o500, 7)
    inner = Entry("a/b", DIRECTORY, 0o700, 8)
    for _ in range(2):
        with Restorer(top) as restorer:
            restorer.make_directory(closed)
            restorer.make_directory(inner)
            write(restorer, a_file("a/b/x"))
            write(restorer, a_file("a/y"))
            restorer.finish([closed, inner])
        state = (top / "a").stat()
        assert (state.st_mode & 0o777, state.st_mtime_ns) == (0o500, 7)
        assert (top / "a" / "b").stat().st_mtime_ns == 8
    (top / "a").chmod(0o700)


@pytest.mark.parametrize(
    "entries",
    [
        [a_file("a"), a_file("a/b")],
        [Entry("a", SYMLINK, text="/"), a_file("a/b")],
        [a_file("nowhere/b")],
    ],
)
def test_a_listing_with_something_below_a_file_is_refused(entries):
    with pytest.raises(IntegrityError, match="below"):
        restore_order(entries)


def test_files_come_in_runs_as_they_lie():
    def at(offset, size):
        return Entry(f"f{offset}", FILE, size=size, offset=offset, digest=bytes(32))

    near = [at(512, 100), at(2048, 100), at(9_000_000, 5)]
    assert runs(near[::-1]) == [near[:2], near[2:]]
    same = [at(512, 100), at(512, 100)]
    assert [len(run) for run in runs(same)] == [1, 1]
    assert runs([]) == []
